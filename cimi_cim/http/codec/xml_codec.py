"""XML documents of CIMI resources (DSP0263 5.5; DSP8009 for 1.x), from the model tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from cimi_cim.http.codec.document import (
    UNKNOWN,
    Member,
    collection_members,
    inline_rows,
    inner_members,
    members,
    operation_href,
    rel,
    shows,
    type_uri,
    wire_value,
)
from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import Attribute, CimiVersion, Kind, XmlShape


def encode(document: Resource | Collection, links: Links) -> bytes:
    """Return the XML of a resource or Collection in the version of `links`."""
    namespace = links.version.namespace
    nsmap: Any = {None: namespace}
    if isinstance(document, Collection):
        root = etree.Element(f"{{{namespace}}}Collection", nsmap=nsmap)
        root.set("resourceURI", f"{type_uri(document.item_type, links)}Collection")
        _collection(root, document, links)
    else:
        root = etree.Element(_tag(document.type, links), nsmap=nsmap)
        _fill(root, document, links)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _tag(type_name: str, links: Links) -> str:
    form = links.model[type_name].form(links.version)
    return f"{{{links.version.namespace}}}{form.type_name if form else type_name}"


def _sub(parent: Any, name: str, links: Links) -> Any:
    return etree.SubElement(parent, f"{{{links.version.namespace}}}{name}")


def _fill(element: Any, resource: Resource, links: Links) -> None:
    form = links.model[resource.type].form(links.version)
    for member in members(resource, links):
        if member is not None:
            _member(element, member, links)
        elif form is not None and form.has_operations:
            _operations(element, resource.operations, links)


def _collection(root: Any, collection: Collection, links: Links) -> None:
    for name, value in collection_members(collection, links):
        _sub(root, name, links).text = str(value)
    form = links.model[collection.item_type].form(links.version)
    within = root
    has_items = bool(collection.items) and shows(collection, "items")
    if has_items and form is not None and form.xml_wrapper is not None:
        within = _sub(root, form.xml_wrapper, links)
    for item in collection.items if shows(collection, "items") else ():
        _fill(etree.SubElement(within, _tag(item.type, links)), item, links)
    if shows(collection, "operations"):
        _operations(root, collection.operations, links)


def _operations(element: Any, offers: Any, links: Links) -> None:
    """2.0 wraps operations, 1.x repeats them (protocol reference, 5)."""
    if not offers:
        return
    within = _sub(element, "operations", links) if links.version is CimiVersion.V2 else element
    for offer in offers:
        _operation(_sub(within, "operation", links), offer, links)


def _operation(element: Any, offer: OperationOffer, links: Links) -> None:
    element.set("rel", rel(offer, links.version))
    element.set("href", operation_href(offer, links))
    if not offer.available and links.version is CimiVersion.V2:
        element.set("available", "false")


def _member(element: Any, member: Member, links: Links) -> None:
    form, shape = member.form, member.form.xml_shape
    if form.xml_within is not None:
        element = _within(element, form.xml_within, links)
    if shape is XmlShape.ABSENT:
        return
    if shape is XmlShape.ATTRIBUTE:
        element.set(form.xml_name, _text(wire_value(member, member.value, links.version)))
    elif shape is XmlShape.TEXT:
        _item(element, member, member.value, links)
    elif member.row.is_array or member.row.kind is Kind.MAP:
        within = _sub(element, form.xml_name, links) if shape is XmlShape.WRAPPED else element
        _items(within, member, links)
    else:
        inside = element if form.is_merged else _sub(element, form.xml_name, links)
        _item(inside, member, member.value, links)


def _within(element: Any, name: str, links: Links) -> Any:
    """Return the child called `name`, made where it is not there yet."""
    found = element.find(f"{{{links.version.namespace}}}{name}")
    return found if found is not None else _sub(element, name, links)


def _expanded(element: Any, value: Resource | Collection, links: Links) -> None:
    if isinstance(value, Resource):
        _fill(element, value, links)
    else:
        _collection(element, value, links)


def _items(element: Any, member: Member, links: Links) -> None:
    name = member.form.xml_item or member.form.xml_name
    if member.row.is_array:
        for value in member.value:
            _item(_sub(element, name, links), member, value, links)
        return
    for key, text in member.value.items():
        entry = _sub(element, name, links)
        entry.set("key", key)
        entry.text = text


def _item(element: Any, member: Member, value: Value, links: Links) -> None:
    row = member.row
    if isinstance(value, Ref):
        element.set("href", links.of(value))
        if value.values:
            _rows(element, inline_rows(row, links), value.values, links)
    elif isinstance(value, Resource | Collection):
        element.set("href", links.href(value.path))
        _expanded(element, value, links)
    elif row.kind is Kind.REF_OR_VALUE:
        _rows(element, inline_rows(row, links), value, links)
    elif row.kind is Kind.STRUCT:
        _rows(element, row.fields, value, links, is_whole=True)
    elif row.kind is Kind.VALUE_SCOPE:
        for name, scope in value.items():
            _rows(_sub(element, name, links), row.fields, scope, links)
    elif row.kind is Kind.ANY:
        _any(element, value, links)
    else:
        element.text = _text(wire_value(member, value, links.version))


def _rows(
    element: Any,
    rows: Iterable[Attribute],
    values: Mapping[str, Value],
    links: Links,
    *,
    is_whole: bool = False,
) -> None:
    """Write the rows that there are; of a structure also the elements that must be there."""
    for row in rows:
        form = row.form(links.version)
        found = next(inner_members((row,), values, links.version), None)
        if found is not None:
            _member(element, found, links)
        elif is_whole and form is not None and form.is_mandatory_in_xml:
            wanted = _sub(element, form.xml_name, links)
            wanted.text = UNKNOWN if row.kind is Kind.STRING else None


def _any(element: Any, value: Value, links: Links) -> None:
    """Write what has no rows: members as elements, lists as elements called item (5.5.13)."""
    if isinstance(value, Ref):
        element.set("href", links.of(value))
    elif isinstance(value, dict):
        for name, inside in value.items():
            _any(_sub(element, name, links), inside, links)
    elif isinstance(value, list | tuple):
        for inside in value:
            _any(_sub(element, "item", links), inside, links)
    else:
        element.text = _text(value)


def _text(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
