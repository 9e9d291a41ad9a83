"""Clauses 5.1 to 5.3: properties, names, constraints; and the tables of all types."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lxml import etree

from cimi_cim.model.types import Attribute, CimiVersion
from tests.contract.provider import MODEL, Page, Provider, action, operation
from tests.contract.values import items, json_values, type_of

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
OF_COLLECTIONS = ["resourceURI", "id", "updated", "parent", "count", "operations"]


def rows_of(attributes: Iterator[Attribute]) -> Iterator[Attribute]:
    for row in attributes:
        yield row
        yield from rows_of(iter(row.fields))


def test_5_2_names_are_letters_digits_and_underscores() -> None:
    for type in MODEL.types.values():
        names = [type.name, *type.actions, *type.collection_actions, *type.capabilities]
        names += [p.name for act in type.actions.values() for p in act.parameters]
        for row in rows_of(iter(type.attributes.values())):
            for form in row.forms.values():
                names += [form.json_name, form.xml_name, form.xml_item or form.xml_name]
        assert [name for name in names if not NAME.match(name)] == [], type.name


def test_5_2_case_matters_in_names(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    shown = provider.get(machine["id"], ("$select", "NAME,State,cpu"))
    assert set(shown) == {"resourceURI", "cpu"}
    machines = provider.collection("machines")
    assert provider.request("GET", machines, ("$filter", "CPU=1")).status == 400
    assert provider.request("GET", machines, ("$orderby", "Name")).status == 400
    assert provider.request("GET", machines.replace("machines", "Machines")).status == 404
    stop = str(operation(machine, "stop"))
    assert provider.send("POST", stop, action("stop", Force=True)).status == 400


def test_5_3_an_unknown_parameter_rejects_the_operation(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    stop = str(operation(machine, "stop"))
    answer = provider.send("POST", stop, action("stop", colour="red"))
    assert answer.status == 400
    assert "colour" in answer.job["statusMessage"]
    assert provider.get(machine["id"])["state"] == "STARTED"


@VERSIONS
def test_5_attributes_are_those_of_the_tables(provider: Provider, version: CimiVersion) -> None:
    for page in provider.pages(version):
        form = type_of(page).form(version)
        assert form is not None
        known = {pair[1].json_name for pair in form.rows if pair is not None}
        for resource in [page.json] if not page.is_collection else items(page.json):
            assert set(resource) <= known | {"resourceURI", "operations"}, page
        if page.is_collection:
            assert set(page.json) <= {*OF_COLLECTIONS, form.json_array}, page


@VERSIONS
def test_5_members_come_in_the_order_of_the_tables(
    provider: Provider, version: CimiVersion
) -> None:
    for page in provider.pages(version):
        if page.is_collection:
            continue
        order = wire_order(page)
        found = [order.index(name) for name in page.json if name != "resourceURI"]
        assert found == sorted(found), page
        in_xml = [etree.QName(child).localname for child in page.xml]
        places = [xml_order(page).index(name) for name in in_xml]
        assert places == sorted(places), page


def wire_order(page: Page) -> list[str]:
    form = type_of(page).form(page.version)
    assert form is not None
    return ["operations" if pair is None else pair[1].json_name for pair in form.rows]


def xml_order(page: Page) -> list[str]:
    """Names of elements in the order of the table; a wrapper and its item share a place."""
    form = type_of(page).form(page.version)
    assert form is not None
    found = []
    for pair in form.rows:
        if pair is None:
            found.append("operations" if page.version is CimiVersion.V2 else "operation")
        else:
            shape = pair[1]
            is_bare = shape.xml_shape.value == "repeated"
            found.append(str(shape.xml_item) if is_bare else shape.xml_name)
    return found


def test_5_3_mandatory_values_of_the_tables_are_there(provider: Provider) -> None:
    for page in provider.pages(CimiVersion.V2):
        if not page.is_collection:
            shown = {row.name for row, _ in json_values(page)}
            needed = {row.name for row in type_of(page).attributes.values() if row.minimum}
            if page.type_name == "Meter" and page.json.get("name") is None:
                needed -= {"targetResource"}  # it measures what only 1.x has
            assert needed <= shown | {"baseURI"}, page
