"""JSON documents of CIMI resources (DSP0263 5.5), from the model tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from cimi_cim.http.codec.document import (
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
from cimi_cim.model.types import Attribute, CimiVersion, Kind


def encode(document: Resource | Collection, links: Links) -> bytes:
    """Return the JSON of a resource or Collection in the version of `links`."""
    if isinstance(document, Collection):
        return orjson.dumps(_collection(document, links))
    return orjson.dumps(as_object(document, links))


def as_object(resource: Resource, links: Links) -> dict[str, Any]:
    """Return the JSON object of a resource."""
    body: dict[str, Any] = {"resourceURI": type_uri(resource.type, links)}
    for member in members(resource, links):
        if member is not None:
            _put(body, member, links)
        elif resource.operations:
            body["operations"] = [_operation(offer, links) for offer in resource.operations]
    return body


def _collection(collection: Collection, links: Links) -> dict[str, Any]:
    form = links.model[collection.item_type].form(links.version)
    body: dict[str, Any] = {
        "resourceURI": f"{type_uri(collection.item_type, links)}Collection",
    }
    body |= collection_members(collection, links)
    if collection.items and form is not None and shows(collection, "items"):
        body[form.json_array] = [_item_of(item, links) for item in collection.items]
    if collection.operations and shows(collection, "operations"):
        body["operations"] = [_operation(offer, links) for offer in collection.operations]
    return body


def _item_of(item: Resource, links: Links) -> dict[str, Any]:
    """An item; one of which only some attributes are selected has nothing else (4.1.6.3)."""
    body = as_object(item, links)
    if item.selected is not None:
        del body["resourceURI"]
    return body


def _operation(offer: OperationOffer, links: Links) -> dict[str, Any]:
    said: dict[str, Any] = {"rel": rel(offer, links.version), "href": operation_href(offer, links)}
    if not offer.available and links.version is CimiVersion.V2:
        said["available"] = False
    return said


def _put(body: dict[str, Any], member: Member, links: Links) -> None:
    """Put a member into an object; a merged reference stands in the object itself."""
    if member.row.is_array:
        body[member.form.json_name] = [_item(member, item, links) for item in member.value]
    elif member.form.is_merged:
        body.update(_item(member, member.value, links))
    else:
        body[member.form.json_name] = _item(member, member.value, links)


def _item(member: Member, value: Value, links: Links) -> Any:
    row = member.row
    if isinstance(value, Ref):
        href = {"href": links.of(value)}
        if value.values:
            href |= _object(inline_rows(row, links), value.values, links)
        return href
    if isinstance(value, Resource):
        return {"href": links.href(value.path)} | as_object(value, links)
    if isinstance(value, Collection):
        return {"href": links.href(value.path)} | _collection(value, links)
    if row.kind is Kind.REF_OR_VALUE:
        return _object(inline_rows(row, links), value, links)
    if row.kind is Kind.STRUCT:
        return _object(row.fields, value, links)
    if row.kind is Kind.VALUE_SCOPE:
        return {name: _object(row.fields, scope, links) for name, scope in value.items()}
    if row.kind is Kind.ANY:
        return _any(value, links)
    return wire_value(member, value, links.version)


def _any(value: Value, links: Links) -> Any:
    """Return what has no rows as it is, references turned into URIs (5.5.13)."""
    if isinstance(value, Ref):
        return {"href": links.of(value)}
    if isinstance(value, dict):
        return {name: _any(inside, links) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_any(inside, links) for inside in value]
    return value


def _object(rows: Iterable[Attribute], values: Mapping[str, Value], links: Links) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for member in inner_members(rows, values, links.version):
        _put(body, member, links)
    return body
