"""Every method that changes something, refused: its status, a Job that says why, no change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from tests.clients import NS, Client, action

JSON, XML = "application/json", "application/xml"
SECRETIVE = ("sqlite", "psycopg", "Traceback", "/tmp", "127.0.0.1", "root/virt")


@dataclass(frozen=True)
class Change:
    """A request that would change something if it were let through."""

    method: str
    url: str
    body: Any = None


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


@pytest.fixture(scope="module")
def changes(client: Client) -> dict[str, Change]:
    """One request for each way to change something; none of them is ever let through here."""
    system = client.add("systems", {"systemTemplate": {}})
    config = client.add("machineConfigs", {"name": "a"})
    machine = client.get("machines")["machines"][0]
    segment = client.segment()
    member = {"machine": {"href": machine["id"]}}
    machines = system["machines"]["href"]
    return {
        "create": Change("POST", "machineConfigs", {"name": "b"}),
        "update": Change("PUT", config["id"], {"name": "b"}),
        "update-live": Change("PUT", machine["id"], {"name": "b"}),
        "delete": Change("DELETE", config["id"]),
        "insert": Change("POST", f"{machines}/insert", action("insert", **member)),
        "remove": Change("POST", machines, action("remove", **member)),
        "act": Change("POST", f"{segment['id']}/stop", action("stop")),
        "entry-point": Change("PUT", "cloudEntryPoint", {"name": "b"}),
    }


NAMES = ["create", "update", "update-live", "delete", "insert", "remove", "act", "entry-point"]
WITH_BODY = [name for name in NAMES if name != "delete"]


def state(client: Client) -> list[Any]:
    """What the changes would change, and how many Jobs there are."""
    urls = ("machineConfigs", "systems", "machines", "segments", "cloudEntryPoint")
    return [*(client.get(url) for url in urls), client.get("jobs")["count"]]


def refused(client: Client, change: Change, status: int, **headers: str) -> str:
    """Have a change refused in both forms; returns the message."""
    before = state(client)
    accept = headers.pop("Accept", None)
    for form in (JSON, XML) if accept is None else (accept,):
        answer = client.ask(change.method, change.url, change.body, Accept=form, **headers)
        assert answer.status_code == status, answer.text
        message, code = told(answer)
        assert code >= 10000
        assert not any(word in answer.text for word in SECRETIVE)
        assert answer.headers["X-Request-Id"]
    assert state(client) == before
    return message


def told(answer: Any) -> tuple[str, int]:
    """Message and code of the Job in an answer, of which it must be the form that it says."""
    if answer.headers["Content-Type"].startswith(XML):
        root = etree.fromstring(answer.content)
        assert root.tag == f"{{{NS}}}Job"
        return root.findtext(f"{{{NS}}}statusMessage") or "", int(
            root.findtext(f"{{{NS}}}returnCode") or 0
        )
    job = answer.json
    assert (job["resourceURI"], job["id"], job["state"]) == (f"{NS}/Job", "", "FAILED")
    return job["statusMessage"], job["returnCode"]


@pytest.mark.parametrize("name", NAMES)
def test_a_form_that_cannot_be_made_is_refused_first(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    assert "application/json" in refused(client, changes[name], 406, Accept="text/csv")


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("media", ["text/plain", "application/json; charset=latin-1", ""])
def test_a_body_in_another_form_is_refused(
    client: Client, changes: dict[str, Change], name: str, media: str
) -> None:
    refused(client, changes[name], 415, Content_Type=media)


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"name": "a", "name": "b"}', '{"zzz": 1}', "\udcff", '{"name": NaN}']
)
def test_a_body_that_is_no_document_is_refused(
    client: Client, changes: dict[str, Change], name: str, body: str
) -> None:
    said = body.encode("utf-8", "surrogateescape") or b" "
    change = Change(changes[name].method, changes[name].url, said)
    refused(client, change, 400, Content_Type=JSON)


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_that_is_too_long_is_refused(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    change = Change(changes[name].method, changes[name].url, b" " * (10 * 1024 * 1024 + 1))
    assert "send less" in refused(client, change, 413, Content_Type=JSON)


@pytest.mark.parametrize("name", NAMES)
def test_a_uri_that_is_too_long_is_refused(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    change = changes[name]
    refused(client, Change(change.method, f"{change.url}?x={'y' * 9000}", change.body), 414)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "create"])
def test_a_stale_etag_changes_nothing(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    refused(client, changes[name], 412, If_Match='"stale"')
    refused(client, changes[name], 412, If_None_Match="*")
    refused(client, changes[name], 400, If_Match="stale")


@pytest.mark.parametrize("name", NAMES)
def test_a_version_that_is_not_spoken_there_is_refused(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    refused(client, changes[name], 400, CIMI_Specification_Version="1.0.1")


@pytest.mark.parametrize("name", NAMES)
def test_options_tell_what_is_taken_and_other_methods_are_refused(
    client: Client, changes: dict[str, Change], name: str
) -> None:
    change = changes[name]
    options = client.ask("OPTIONS", change.url)
    assert (options.status_code, options.content) == (204, b"")
    allowed = options.headers["Allow"].split(", ")
    assert change.method in allowed
    for method in {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE"} - set(allowed):
        answer = client.ask(method, change.url, change.body)
        assert (answer.status_code, answer.headers["Allow"]) == (405, ", ".join(allowed)), method
    if "HEAD" in allowed:
        head, get = client.ask("HEAD", change.url), client.ask("GET", change.url)
        assert head.content == b""
        for header in ("ETag", "Content-Type", "Content-Length", "CIMI-Specification-Version"):
            assert head.headers.get(header) == get.headers.get(header), header
        unchanged = client.ask("GET", change.url, If_None_Match=get.headers["ETag"])
        assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_what_is_not_there_is_told_so_by_every_method(client: Client) -> None:
    for method, url, body in (
        ("PUT", "machineConfigs/none", {}), ("DELETE", "machineConfigs/none", None),
        ("PUT", "machines/none", {}), ("POST", "segments/none/stop", action("stop")),
        ("POST", "systems/none/machines/insert", action("insert", machine={"href": "machines/x"})),
        ("POST", "systems/none/credentials", {"credentialTemplate": {}}),
        ("POST", "nothing", {}), ("PUT", "resourceMetadata/Nothing", {}),
    ):  # fmt: skip
        refused(client, Change(method, url, body), 404)
