"""Clause 4.2.1 for every resource there is: what a client read it can send back."""

from __future__ import annotations

import json

import pytest

from cimi_cim.http.codec import json_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.model.types import CimiVersion
from tests import creating
from tests.contract.making import EVERY, Maker, named
from tests.contract.provider import JSON, MODEL, XML, Page, Provider, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V1, V2 = CimiVersion.V1, CimiVersion.V2


def of_every_type(provider: Provider, version: CimiVersion) -> list[Page]:
    """A few resources of each type that take an update."""
    found: dict[str, list[Page]] = {}
    for page in provider.pages(version):
        if operation(page.json, "edit") is not None:
            found.setdefault(page.type_name, []).append(page)
    return [page for pages in found.values() for page in pages[:2]]


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize("version", [V1, V2], ids=named)
def test_4_2_1_3_what_was_read_changes_nothing_when_it_is_sent_back(
    provider: Provider, version: CimiVersion, media: str
) -> None:
    pages = of_every_type(provider, version)
    assert len(pages) > 20
    for page in pages:
        before = provider.request("GET", page.href, accept=media)
        again = provider.request("PUT", str(operation(page.json, "edit")), body=before.body,
                                 media=media, accept=media)  # fmt: skip
        assert again.status == 200, (page, again.body)
        after = provider.request("GET", page.href, accept=media)
        assert after.headers["etag"] == before.headers["etag"], (page, before.body, after.body)


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_every_type_is_made_changed_and_deleted_in_xml(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    """By the same document as in JSON; the two resources are equal but for themselves."""
    maker, provider = makers[version], makers[version].provider
    links = Links(f"{provider.base_url}/cimi/{version.value}", version, MODEL)
    document = json.dumps(maker.document(type_name)).encode()
    said = json_decoder.decode_create(document, type_name, links)
    body = creating.xml_body(type_name, said, links)
    url = maker.add_uri(type_name)
    answer = provider.request("POST", url, body=body, media=XML, accept=XML)
    assert answer.status == 201, answer.body
    assert answer.media == XML
    made = provider.get(answer.headers["location"])
    twin = maker.make(type_name)
    assert without_addresses(made) == without_addresses(twin)
    root = answer.xml
    name = next(child for child in root if child.tag.endswith("}name"))
    name.text = "renamed"
    changed = provider.send("PUT", str(operation(made, "edit")), root)
    assert changed.status == 200, changed.body
    now = provider.get(made["id"])
    assert {**now, "updated": ""} == {**made, "name": "renamed", "updated": ""}
    deleted = provider.request("DELETE", str(operation(made, "delete")), accept=XML)
    assert deleted.status == 200
    assert deleted.job["state"] == "SUCCESS"
    assert made["id"] not in {
        item["id"] for item in items(provider.get(maker.collection(type_name)))
    }
    provider.request("DELETE", twin["id"])


def without_addresses(document: dict[str, object]) -> dict[str, object]:
    """A representation without times and what is another one's in each resource."""
    own = str(document["id"])
    left = {n: v for n, v in document.items() if n not in ("id", "created", "updated", "eventLog")}
    return json.loads(json.dumps(left).replace(own, "ITSELF"))  # type: ignore[no-any-return]
