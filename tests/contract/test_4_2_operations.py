"""Clause 4.2: what operations show, how they are carried out, and how requests fail."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.provider import JSON, XML, Answer, Provider, action, action_xml, operation

WORDS = {"add", "edit", "delete", "insert", "remove"}
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")


def rels(document: dict[str, Any]) -> list[str]:
    return [offer["rel"] for offer in document.get("operations", [])]


def test_4_2_operations_show_what_is_possible_now(provider: Provider) -> None:
    offered = {
        state: {rel.rpartition("/")[2] for rel in rels(provider.machine(state))} - WORDS
        for state in ("STARTED", "STOPPED", "PAUSED", "SUSPENDED")
    }
    assert offered["STARTED"] == {"stop", "restart", "pause", "suspend"}
    assert offered["STOPPED"] == {"start", "restart"}
    assert "start" in offered["PAUSED"]
    assert "pause" not in offered["PAUSED"]
    assert offered["SUSPENDED"] == {"start"}
    for state, names in offered.items():
        machine = provider.machine(state)
        for name in {"start", "pause"} - names:
            sent = str(operation(machine, min(names))).rpartition("/")[0] + f"/{name}"
            assert provider.send("POST", sent, action(name)).status == 409, (state, name)
        assert provider.get(machine["id"])["state"] == state


@VERSIONS
def test_4_2_operations_are_lists_of_rel_and_href(provider: Provider, version: CimiVersion) -> None:
    with_some = [page for page in provider.pages(version) if "operations" in page.json]
    assert with_some
    for page in with_some:
        found = rels(page.json)
        assert found, page
        assert len(set(found)) == len(found), page
        for offer in page.json["operations"]:
            assert set(offer) <= {"rel", "href", "available"}, page
            assert offer["href"].startswith(f"{provider.base_url}/"), page
            assert offer["rel"] in WORDS or offer["rel"].startswith("http://"), page


@VERSIONS
def test_4_2_operations_in_xml_are_elements_with_attributes(
    provider: Provider, version: CimiVersion
) -> None:
    namespace = f"{{{version.namespace}}}"
    for page in provider.pages(version):
        around = page.xml.findall(f"{namespace}operations")
        if version is CimiVersion.V1 or not around:  # 1.x repeats the element without a wrapper
            around = [page.xml]
        elements = [child for child in around[0] if child.tag == f"{namespace}operation"]
        found = [(element.get("rel"), element.get("href")) for element in elements]
        offered = page.json.get("operations", [])
        if page.type_name == "Disk" and version is CimiVersion.V1:  # its schema has no room
            offered = []
        assert found == [(offer["rel"], offer["href"]) for offer in offered], page


@pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
@pytest.mark.parametrize("media", [JSON, XML])
def test_4_2_an_operation_is_carried_out_where_its_href_leads(
    provider: Provider, media: str, version: CimiVersion
) -> None:
    machine = provider.machine("STARTED", version)
    make = action if media == JSON else action_xml
    for name, state in (("pause", "PAUSED"), ("start", "STARTED")):
        href = operation(provider.get(machine["id"]), name)
        assert href is not None
        assert provider.send("POST", href, make(name, version)).status in (200, 202)
        assert provider.get(machine["id"])["state"] == state


def test_4_2_1_5_an_operation_takes_post_alone(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    href = str(operation(machine, "stop"))
    for method in ("GET", "PUT", "DELETE"):
        answer = provider.request(method, href, body=b"{}" if method == "PUT" else None)
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]
    assert provider.get(machine["id"])["state"] == "STARTED"


def test_4_2_1_5_an_operation_without_a_type_is_refused(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    href = str(operation(machine, "stop"))
    for media in (None, "text/plain"):
        assert provider.request("POST", href, body=b"{}", media=media).status == 415
    assert provider.request("POST", href, body=b"", media=JSON).status == 400
    assert provider.get(machine["id"])["state"] == "STARTED"


def failures(provider: Provider, accept: str) -> list[tuple[int, Answer]]:
    """Answers to requests that must fail, with the status each must have."""
    entry, machine = provider.entry_point(), provider.machine("STARTED")
    stop = str(operation(machine, "stop"))
    ask = provider.request
    return [
        (404, ask("GET", f"{entry}s", accept=accept)),
        (404, ask("GET", f"{machine['id']}-gone", accept=accept)),
        (400, ask("GET", provider.collection("machines"), ("$filter", "("), accept=accept)),
        (400, ask("POST", stop, body=b"{", accept=accept)),
        (400, ask("POST", stop, body=b"<Action", media=XML, accept=accept)),
        (405, ask("DELETE", entry, accept=accept)),
        (409, ask("POST", stop.removesuffix("stop") + "start", accept=accept,
                  body=b'{"action": "http://schemas.dmtf.org/cimi/2/action/start"}')),
        (415, ask("POST", stop, body=b"stop", media="text/plain", accept=accept)),
    ]  # fmt: skip


@pytest.mark.parametrize("accept", [JSON, XML])
def test_4_2_2_every_error_is_a_job(provider: Provider, accept: str) -> None:
    for status, answer in failures(provider, accept):
        assert (answer.status, answer.media) == (status, accept), answer
        job = answer.job
        if accept == XML:
            assert etree.QName(answer.xml).localname == "Job"
        else:
            assert job["resourceURI"] == f"{CimiVersion.V2.namespace}/Job"
        assert job["state"] == "FAILED"
        assert int(job["returnCode"]) >= 10000
        assert str(job["progress"]) == "100"
        assert job["statusMessage"]
        assert job["action"].startswith("http://")


@pytest.mark.parametrize("accept", [JSON, XML])
def test_4_2_2_a_job_that_only_reports_has_an_empty_id(provider: Provider, accept: str) -> None:
    for _, answer in failures(provider, accept):
        assert answer.job["id"] == ""
        assert "nestedJobs" not in answer.job
        assert "nestedJob" not in answer.job
