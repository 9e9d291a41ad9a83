"""Clauses 5.5.1 to 5.5.11 and 5.5.15: how values of each type stand in JSON and XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cimi_cim.model.types import Attribute, CimiVersion, Kind, XmlShape
from tests.contract.provider import MODEL, Page, Provider
from tests.contract.values import json_leaves, json_values, type_of, xml_leaves, xml_values

VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z")


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_reference(value: Any) -> bool:
    return isinstance(value, dict) and is_text(value.get("href"))


IN_JSON: dict[Kind, Callable[[Any], bool]] = {
    Kind.STRING: is_text,
    Kind.INTEGER: lambda value: type(value) is int,
    Kind.BOOLEAN: lambda value: type(value) is bool,
    Kind.DATETIME: lambda value: is_text(value) and MOMENT.match(value) is not None,
    Kind.DURATION: lambda value: is_text(value) and DURATION.match(value) is not None,
    Kind.URI: is_text,
    Kind.BYTES: lambda value: is_text(value) and len(bytes.fromhex(value)) > 0,
    Kind.MAP: lambda value: bool(value) and all(isinstance(text, str) for text in value.values()),
    Kind.REF: is_reference,
    Kind.COLLECTION: is_reference,
}
IN_XML: dict[Kind, Callable[[Any], bool]] = {
    Kind.STRING: is_text,
    Kind.INTEGER: lambda text: re.match(r"[+-]?\d+\Z", text) is not None,
    Kind.BOOLEAN: lambda text: text in ("true", "false"),
    Kind.DATETIME: lambda text: MOMENT.match(text) is not None,
    Kind.DURATION: lambda text: DURATION.match(text) is not None,
    Kind.URI: lambda text: is_text(text) and not re.search(r"\s", text),
    Kind.BYTES: lambda text: len(bytes.fromhex(text)) > 0,
    Kind.MAP: lambda element: all(e.get("key") for e in (element if len(element) else [element])),
    Kind.REF: lambda element: bool(element.get("href")) and element.text is None,
    Kind.COLLECTION: lambda element: bool(element.get("href")) and element.text is None,
}
SERVED = list(IN_JSON)


@VERSIONS
@pytest.mark.parametrize("kind", SERVED, ids=lambda kind: str(kind.value))
def test_5_5_json_values_have_the_type_of_the_attribute(
    provider: Provider, kind: Kind, version: CimiVersion
) -> None:
    found = list(values(provider, version, kind, json_leaves))
    assert found
    for page, row, value in found:
        assert IN_JSON[kind](value), (page, row.name, value)


@VERSIONS
@pytest.mark.parametrize("kind", SERVED, ids=lambda kind: str(kind.value))
def test_5_5_xml_values_have_the_type_of_the_attribute(
    provider: Provider, kind: Kind, version: CimiVersion
) -> None:
    found = list(values(provider, version, kind, xml_leaves))
    assert found
    for page, row, value in found:
        assert IN_XML[kind](value), (page, row.name, value)


def values(
    provider: Provider,
    version: CimiVersion,
    kind: Kind,
    walk: Callable[[Page], Iterator[tuple[Attribute, Any]]],
) -> Iterator[tuple[Page, Attribute, Any]]:
    """Every value of a kind that any resource shows."""
    for page in provider.pages(version):
        if not page.is_collection:
            for row, value in walk(page):
                if row.kind is kind:
                    yield page, row, value


@VERSIONS
def test_5_5_2_moments_have_an_offset(provider: Provider, version: CimiVersion) -> None:
    found = [value for _, _, value in values(provider, version, Kind.DATETIME, json_leaves)]
    assert found
    assert [value for value in found if not MOMENT.match(value)] == []


def test_5_5_8_a_structure_is_written_the_same_way_everywhere() -> None:
    """Wherever a structure is used its rows are the same, and so are their forms."""
    seen: dict[str, Any] = {}
    rows = [row for type in MODEL.types.values() for row in type.attributes.values()]
    for row in rows:
        rows += row.fields
        if row.structure is not None and row.structure.name:
            known = seen.setdefault(row.structure.name, row.structure)
            assert row.structure == known, row.name
    assert {"disk", "volume", "volumeTemplate", "componentDescriptor"} <= set(seen)


@VERSIONS
def test_5_5_10_all_uris_are_absolute(provider: Provider, version: CimiVersion) -> None:
    for page in provider.pages(version):
        for element in page.xml.iter():
            href = element.get("href")
            assert href is None or href.startswith(f"{provider.base_url}/"), page
        assert page.json["id"].startswith(f"{provider.base_url}/")


@VERSIONS
def test_5_5_11_an_array_has_no_address(provider: Provider, version: CimiVersion) -> None:
    checked = 0
    for page in provider.pages(version):
        for row in [] if page.is_collection else type_of(page).attributes.values():
            form = row.form(version)
            if form is not None and (row.is_array or row.kind is Kind.MAP):
                answer = provider.request("GET", f"{page.href}/{form.json_name}")
                assert answer.status == 404, (page, row.name)
                checked += 1
        if checked > 20:
            break
    assert checked


@VERSIONS
def test_5_5_15_nothing_that_is_shown_is_empty(provider: Provider, version: CimiVersion) -> None:
    for page in provider.pages(version):
        for row, value in [] if page.is_collection else json_values(page):
            assert value not in ("", [], {}, None), (page, row.name)
        for row, element in [] if page.is_collection else xml_values(page):
            form = row.form(version)
            assert form is not None
            is_there = element.text or element.attrib or len(element)
            assert is_there or form.is_mandatory_in_xml or form.xml_shape is XmlShape.TEXT, page
