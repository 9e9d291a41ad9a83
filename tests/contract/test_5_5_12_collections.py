"""Clause 5.5.12: what a Collection shows, and how its items come and go."""

from __future__ import annotations

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.provider import Page, Provider
from tests.contract.values import items, type_of

VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
PATTERN = ("resourceURI", "id", "updated", "parent", "count", "<items>", "operations")


def collections(provider: Provider, version: CimiVersion) -> list[Page]:
    found = [page for page in provider.pages(version) if page.is_collection]
    assert any(items(page.json) for page in found)
    assert any(not items(page.json) for page in found)
    return found


@VERSIONS
def test_5_5_12_the_count_is_the_number_of_items(provider: Provider, version: CimiVersion) -> None:
    for page in collections(provider, version):
        assert page.json["count"] == len(items(page.json)), page
        count = page.xml.findtext(f"{{{version.namespace}}}count")
        assert count == str(page.json["count"]), page


@VERSIONS
def test_5_5_12_a_collection_follows_the_pattern(provider: Provider, version: CimiVersion) -> None:
    for page in collections(provider, version):
        names = [name if name in PATTERN else "<items>" for name in page.json]
        places = [PATTERN.index(name) for name in names]
        assert places == sorted(set(places)), page
        assert {"resourceURI", "id", "count"} <= set(names), page
        form = type_of(page).form(version)
        assert form is not None
        item = form.xml_wrapper or form.type_name
        order = ["id", "updated", "parent", "count", item, "operations", "operation"]
        in_xml = [order.index(etree.QName(child).localname) for child in page.xml]
        assert in_xml == sorted(in_xml), page
        if version is CimiVersion.V2:
            assert len(set(in_xml)) == len(in_xml), page


@VERSIONS
def test_5_5_12_items_are_listed_under_the_name_of_their_type(
    provider: Provider, version: CimiVersion
) -> None:
    special = {"NetworkService": "services"} if version is CimiVersion.V2 else {}
    for page in collections(provider, version):
        item_type = page.type_name.removesuffix("Collection")
        plural = item_type[0].lower() + item_type[1:] + ("es" if item_type[-1] == "s" else "s")
        name = special.get(item_type, plural)
        assert all(key == name for key in page.json if key not in PATTERN), page
        namespace = f"{{{version.namespace}}}"
        around = page.xml if version is CimiVersion.V1 else page.xml.find(f"{namespace}{name}")
        found = [] if around is None else around.findall(f"{namespace}{item_type}")
        assert len(found) == len(items(page.json)), page


@VERSIONS
def test_5_5_12_every_item_leads_to_the_resource_alone(
    provider: Provider, version: CimiVersion
) -> None:
    pages = {page.href: page for page in provider.pages(version)}
    for page in collections(provider, version):
        for item in items(page.json):
            alone = pages[item["id"]]
            assert not alone.is_collection
            assert item["resourceURI"] == alone.json["resourceURI"], page
            common = ("id", "name", "description", "created", "updated", "properties")
            for name in common:
                assert item.get(name) == alone.json.get(name), (page, name)


@VERSIONS
def test_5_5_12_an_empty_collection_has_no_list(provider: Provider, version: CimiVersion) -> None:
    empty = [page for page in collections(provider, version) if page.json["count"] == 0]
    assert empty
    for page in empty:
        assert set(page.json) <= set(PATTERN), page
        names = {etree.QName(child).localname for child in page.xml}
        assert names <= {"id", "updated", "parent", "count", "operations", "operation"}, page
