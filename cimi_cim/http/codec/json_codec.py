"""JSON documents of CIMI resources (DSP0263 5.5), from the model tables alone."""

from __future__ import annotations

from typing import Any

import orjson

from cimi_cim.http.codec.document import members, operation_href, rel, type_uri
from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion


def encode(document: Resource | Collection, links: Links) -> bytes:
    """Return the JSON of a resource or Collection in the version of `links`."""
    if isinstance(document, Collection):
        return orjson.dumps(_collection(document, links))
    return orjson.dumps(_resource(document, links))


def _resource(resource: Resource, links: Links) -> dict[str, Any]:
    body: dict[str, Any] = {"resourceURI": type_uri(resource.type, links)}
    for member in members(resource, links):
        body[member.form.json_name] = _value(member.value, links)
    if resource.operations:
        body["operations"] = [_operation(offer, links) for offer in resource.operations]
    return body


def _collection(collection: Collection, links: Links) -> dict[str, Any]:
    form = links.model[collection.item_type].form(links.version)
    body: dict[str, Any] = {
        "resourceURI": f"{type_uri(collection.item_type, links)}Collection",
        "id": links.href(collection.path),
    }
    if links.version is CimiVersion.V2 and collection.parent is not None:
        body["parent"] = links.href(collection.parent)
    body["count"] = collection.count
    if collection.items and form is not None:
        body[form.json_array] = [_resource(item, links) for item in collection.items]
    if collection.operations:
        body["operations"] = [_operation(offer, links) for offer in collection.operations]
    return body


def _operation(offer: OperationOffer, links: Links) -> dict[str, Any]:
    said: dict[str, Any] = {"rel": rel(offer, links.version), "href": operation_href(offer, links)}
    if not offer.available and links.version is CimiVersion.V2:
        said["available"] = False
    return said


def _value(value: Value, links: Links) -> Any:
    if isinstance(value, Ref):
        return {"href": links.of(value)}
    if isinstance(value, list | tuple):
        return [_value(item, links) for item in value]
    if isinstance(value, dict):
        return {name: _value(item, links) for name, item in value.items()}
    return value
