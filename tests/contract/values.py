"""Walks representations by the tables: which row, and what stands for it in JSON and XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from cimi_cim.model.types import Attribute, CimiVersion, Kind, ResourceType, XmlShape
from tests.contract.provider import MODEL, Page


def type_of(page: Page) -> ResourceType:
    """The type of a resource, or of the items of a Collection."""
    name = page.type_name.removesuffix("Collection")
    for found in MODEL.types.values():
        form = found.form(page.version)
        if form is not None and form.type_name == name:
            return found
    raise AssertionError(f"{page} has a type that the tables do not know")


def items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a Collection in JSON, none of a resource."""
    if not str(document.get("resourceURI", "")).endswith("Collection"):
        return []
    lists = [value for name, value in document.items()
             if isinstance(value, list) and name != "operations"]  # fmt: skip
    assert len(lists) <= 1
    return lists[0] if lists else []


def json_values(page: Page) -> Iterator[tuple[Attribute, Any]]:
    """Yield each row that a resource shows, with its value in JSON."""
    for row in type_of(page).attributes.values():
        form = row.form(page.version)
        if form is not None and form.json_name in page.json:
            yield row, page.json[form.json_name]


def json_leaves(page: Page) -> Iterator[tuple[Attribute, Any]]:
    """Yield each single value that a resource shows in JSON, those of structures too."""
    for row, value in json_values(page):
        yield from _json_leaves(row, value, page.version)


def _json_leaves(
    row: Attribute, value: Any, version: CimiVersion
) -> Iterator[tuple[Attribute, Any]]:
    for item in value if row.is_array and isinstance(value, list) else [value]:
        if row.kind is not Kind.STRUCT:
            yield row, item
            continue
        for inner in row.fields:
            form = inner.form(version)
            if form is not None and form.json_name in item:
                yield from _json_leaves(inner, item[form.json_name], version)


def xml_values(page: Page) -> Iterator[tuple[Attribute, Any]]:
    """Yield each row that a resource shows, with each of its elements."""
    yield from _elements(type_of(page).attributes.values(), page.xml, page.version)


def _elements(
    rows: Iterable[Attribute], around: Any, version: CimiVersion
) -> Iterator[tuple[Attribute, Any]]:
    for row in rows:
        form = row.form(version)
        if form is None or form.xml_shape is XmlShape.ATTRIBUTE:
            continue
        is_bare = form.xml_shape is XmlShape.REPEATED and form.xml_item is not None
        name = form.xml_item if is_bare else form.xml_name
        for element in around:
            if etree.QName(element).localname == name:
                yield row, element


def xml_leaves(page: Page) -> Iterator[tuple[Attribute, Any]]:
    """Yield each single value that a resource shows in XML, those of structures too.

    References come as their elements, everything else as text.
    """
    for row, element in xml_values(page):
        yield from _xml_leaves(row, element, page.version)


def _xml_leaves(
    row: Attribute, element: Any, version: CimiVersion
) -> Iterator[tuple[Attribute, Any]]:
    form = row.form(version)
    assert form is not None
    is_wrapped = row.is_array and form.xml_shape is XmlShape.WRAPPED
    for item in element if is_wrapped else [element]:
        if row.kind in (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION, Kind.MAP, Kind.ANY,
                        Kind.VALUE_SCOPE):  # fmt: skip
            yield row, item
        elif row.kind is not Kind.STRUCT:
            yield row, item.text or ""
        else:
            for inner in row.fields:
                shape = inner.form(version)
                if shape is not None and shape.xml_shape is XmlShape.ATTRIBUTE:
                    text = item.get(shape.xml_name)
                    yield from [] if text is None else [(inner, text)]
            for inner, child in _elements(row.fields, item, version):
                yield from _xml_leaves(inner, child, version)
