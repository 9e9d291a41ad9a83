"""XML documents of CIMI resources (DSP0263 5.5; DSP8009 for 1.x), from the model tables alone."""

from __future__ import annotations

from typing import Any

from lxml import etree

from cimi_cim.http.codec.document import Member, members, operation_href, rel, type_uri
from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion, Kind, XmlShape


def encode(document: Resource | Collection, links: Links) -> bytes:
    """Return the XML of a resource or Collection in the version of `links`."""
    namespace = links.version.namespace
    nsmap: Any = {None: namespace}
    if isinstance(document, Collection):
        root = etree.Element(f"{{{namespace}}}Collection", nsmap=nsmap)
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
    for member in members(resource, links):
        _member(element, member, links)
    _operations(element, resource.operations, links)


def _collection(root: Any, collection: Collection, links: Links) -> None:
    root.set("resourceURI", f"{type_uri(collection.item_type, links)}Collection")
    _sub(root, "id", links).text = links.href(collection.path)
    if links.version is CimiVersion.V2 and collection.parent is not None:
        _sub(root, "parent", links).text = links.href(collection.parent)
    _sub(root, "count", links).text = str(collection.count)
    form = links.model[collection.item_type].form(links.version)
    within = root
    if collection.items and form is not None and form.xml_wrapper is not None:
        within = _sub(root, form.xml_wrapper, links)
    for item in collection.items:
        _fill(etree.SubElement(within, _tag(item.type, links)), item, links)
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
    form = member.form
    within = _sub(element, form.xml_name, links) if form.xml_shape is XmlShape.WRAPPED else element
    if member.row.kind is Kind.MAP:
        for key, text in member.value.items():
            entry = _sub(within, "property", links)
            entry.set("key", key)
            entry.text = text
    elif member.row.is_array:
        for item in member.value:
            _value(_sub(within, form.xml_item or form.xml_name, links), item, links)
    else:
        _value(_sub(within, form.xml_name, links), member.value, links)


def _value(element: Any, value: Value, links: Links) -> None:
    if isinstance(value, Ref):
        element.set("href", links.of(value))
    elif isinstance(value, dict):
        for name, item in value.items():
            _value(_sub(element, name, links), item, links)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    else:
        element.text = str(value)
