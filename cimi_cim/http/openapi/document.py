"""Puts the OpenAPI document together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import orjson

from cimi_cim import __version__
from cimi_cim.http.openapi.documents import Documents
from cimi_cim.http.openapi.kinds import SCHEMAS, Schema
from cimi_cim.http.openapi.operations import Operations
from cimi_cim.http.openapi.places import places
from cimi_cim.http.openapi.representations import representations
from cimi_cim.http.openapi.shared import failure, headers, parameters, responses, shown
from cimi_cim.http.requests import JSON
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog

OPENAPI = "3.1.0"
PATH = "/openapi.json"


def describe(catalog: Catalog, base_url: str | None = None) -> dict[str, Any]:
    """Return the document: what is served, in both versions, as JSON values.

    `base_url` is `SCHEME://AUTHORITY` of the server, left out where it is not known: paths
    are then relative to where the document is.
    """
    paths: dict[str, Any] = {PATH: _own_path()}
    components: dict[str, dict[str, Any]] = {
        "schemas": {}, "parameters": {}, "headers": {}, "responses": {},
    }  # fmt: skip
    for version in (CimiVersion.V2, CimiVersion.V1):
        documents = Documents(catalog, version)
        operations = Operations(catalog, version, documents)
        paths |= {place.path: operations.path_item(place) for place in places(catalog, version)}
        components["schemas"] |= representations(catalog.model, version) | documents.schemas()
        components["parameters"] |= parameters(version)
        components["headers"] |= headers(version)
        components["responses"] |= responses(version)
    components["schemas"] = _used(components["schemas"], [paths, components["responses"]])
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "CIMI",
            "summary": "Cloud Infrastructure Management Interface (DMTF DSP0263), 2.0 and 1.x.",
            "description": "Begin at a CloudEntryPoint and follow the links. /cimi/2 and /cimi/1"
            " answer as the CloudEntryPoints, and so does /cimi, where the header"
            " CIMI-Specification-Version chooses.",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            "version": __version__,
        },
        "servers": [{"url": base_url or "/"}],
        "security": [{}, {"basicAuth": []}],
        "paths": paths,
        "components": {
            **components,
            "securitySchemes": {
                "basicAuth": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Needed as soon as there are users.",
                }
            },
        },
    }


def _own_path() -> dict[str, Any]:
    """Return the path item of the document itself."""
    schema = {"type": "object", "required": ["openapi", "info", "paths"]}
    named = shown(CimiVersion.V2, "X-Request-Id")
    found = {"description": "This document.", "headers": named}
    told = {"description": "The methods are in Allow.", "headers": named}
    body = {"content": {JSON: {"schema": schema}}}
    refused = {str(s): failure(CimiVersion.V2, s) for s in (400, 401, 413, 414, 431)}

    def operation(method: str, status: str, answer: dict[str, Any]) -> dict[str, Any]:
        return {
            "operationId": f"{method}.openapi",
            "summary": "What this server answers to",
            "responses": {status: answer, **refused},
        }

    return {
        "get": operation("get", "200", found | body),
        "head": operation("head", "200", found),
        "options": operation("options", "204", told),
    }


def _used(schemas: dict[str, Schema], by: Any) -> dict[str, Schema]:
    """Return the schemas that something refers to, itself or by others, in their order."""
    found: set[str] = set()
    waiting = set(_references(by))
    while waiting:
        found |= waiting
        waiting = {n for name in waiting for n in _references(schemas[name])} - found
    return {name: schema for name, schema in schemas.items() if name in found}


def _references(value: Any) -> Iterator[str]:
    """Yield the names of the schemas that a part of the document refers to."""
    if isinstance(value, dict):
        said = value.get("$ref")
        if isinstance(said, str) and said.startswith(f"{SCHEMAS}/"):
            yield said.removeprefix(f"{SCHEMAS}/")
        for inside in value.values():
            yield from _references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _references(inside)


class Description:
    """The document of one bridge, made when it is first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @cached_property
    def _document(self) -> dict[str, Any]:
        return describe(self._catalog)

    def encoded(self, base_url: str) -> bytes:
        """Return the JSON for a client that knows the bridge by this URL."""
        return orjson.dumps({**self._document, "servers": [{"url": base_url}]})
