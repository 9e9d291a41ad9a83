"""What can be asked at each place: the operations of the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cimi_cim.http.openapi.documents import Documents
from cimi_cim.http.openapi.kinds import Schema, ecma, key
from cimi_cim.http.openapi.places import Place
from cimi_cim.http.openapi.shared import (
    OF_COLLECTIONS,
    OF_RESOURCES,
    content,
    failure,
    root_in_xml,
    shown,
)
from cimi_cim.http.requests import JSON, XML
from cimi_cim.http.routes import Target
from cimi_cim.model.paths import TOKEN
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog

_ANY = (400, 401, 403, 404, 413, 414, 431)
_PROVIDER = (501, 502, 503, 504)
_READS = (*_ANY, 406, 412, *_PROVIDER)
_DELETES = (*_ANY, 406, 409, 412, *_PROVIDER)
_CHANGES = (*_DELETES, 415)

_TOKEN: Schema = {"type": "string", "pattern": ecma(TOKEN.pattern)}
_VERBS = {
    "get": "Read",
    "head": "Read, without the body,",
    "options": "Tell the methods of",
    "put": "Change",
    "delete": "Delete",
}


class Operations:
    """Makes path items for the places of one version."""

    def __init__(self, catalog: Catalog, version: CimiVersion, documents: Documents) -> None:
        self._catalog = catalog
        self._version = version
        self._documents = documents

    def path_item(self, place: Place) -> dict[str, Any]:
        """Return the path item of a place: an operation for each method that it takes."""
        makers: dict[str, Callable[[Place], dict[str, Any]]] = {
            "get": self._get,
            "head": self._head,
            "options": self._options,
            "put": self._put,
            "delete": self._delete,
            "post": self._post,
        }
        item: dict[str, Any] = {
            "parameters": [
                *(_path_parameter(*said) for said in place.parameters.items()),
                *self._parameters("specification"),
            ]
        }
        for method in place.route.methods:
            word = method.lower()
            item[word] = {**self._about(place, word), **makers[word](place)}
        return item

    def _get(self, place: Place) -> dict[str, Any]:
        return self._read(place, has_body=True)

    def _head(self, place: Place) -> dict[str, Any]:
        return self._read(place, has_body=False)

    def _read(self, place: Place, *, has_body: bool) -> dict[str, Any]:
        is_collection = place.route.target is Target.COLLECTION
        name = self._name(place) + ("Collection" if is_collection else "")
        more = ("Warning", "X-CIMI-Incomplete") if is_collection else ()
        body = content(self._version, name) if has_body else {}
        found = {"description": f"The {name}.", "headers": self._headers("ETag", "Vary", *more)}
        unchanged = {"description": "It still has that ETag.", "headers": self._headers("ETag")}
        queries = OF_COLLECTIONS if is_collection else OF_RESOURCES
        return {
            "parameters": self._parameters(*queries, "If-Match", "If-None-Match"),
            "responses": {
                "200": found | body, "304": unchanged, **self._failures(_READS),
            },
        }  # fmt: skip

    def _options(self, place: Place) -> dict[str, Any]:
        told = {"description": "The methods are in Allow.", "headers": self._headers("Allow")}
        return {"responses": {"204": told, **self._failures(_ANY)}}

    def _put(self, place: Place) -> dict[str, Any]:
        name = self._name(place)
        changed = {
            "description": f"The {name} as it is now.",
            "headers": self._headers("CIMI-Job-URI", "ETag", "Vary"),
            **content(self._version, name),
        }
        return {
            "parameters": self._parameters("$select", "$format", "If-Match", "If-None-Match"),
            "requestBody": _body(
                self._version, [(name, self._documents.change(place.route.location.type))]
            ),
            "responses": {"200": changed, **self._failures(_CHANGES)},
        }

    def _delete(self, place: Place) -> dict[str, Any]:
        return {
            "parameters": self._parameters("$format", "If-Match", "If-None-Match"),
            "responses": {"200": self._job(), **self._failures(_DELETES)},
        }

    def _post(self, place: Place) -> dict[str, Any]:
        """What creates, or asks for an action; a Collection takes the Actions on it, too."""
        location, target = place.route.location, place.route.target
        documents: list[tuple[str, Schema]] = []
        answers: dict[str, Any] = {}
        if target is Target.COLLECTION:
            offered = self._catalog.collection_operations(location)
            if "add" in offered:
                root = f"{self._name(place)}Create"
                documents.append((root, self._documents.create(location.type)))
                answers["201"] = self._made(place)
        elif target is Target.MEMBERSHIP:
            offered = (place.route.name,)
        else:
            offered = ()
            action = self._catalog.model[location.type].actions[place.route.name]
            documents.append(("Action", self._documents.action(action)))
            answers["202"] = {"description": "It goes on.", "headers": self._headers()}
        for name in offered:
            if name != "add":
                documents.append(("Action", self._documents.membership(location.type, name)))
        if any(root == "Action" for root, _ in documents):
            answers["200"] = self._job()
        return {
            "parameters": self._parameters("$format", "If-Match", "If-None-Match"),
            "requestBody": _body(self._version, documents),
            "responses": {**answers, **self._failures(_CHANGES)},
        }

    def _made(self, place: Place) -> dict[str, Any]:
        name = self._name(place)
        return {
            "description": f"The new {name}.",
            "headers": self._headers("Location", "CIMI-Job-URI", "ETag", "Vary"),
            **content(self._version, name),
        }

    def _job(self) -> dict[str, Any]:
        return {"$ref": f"#/components/responses/{key(self._version, 'Done')}"}

    def _about(self, place: Place, method: str) -> dict[str, Any]:
        name, target = self._name(place), place.route.target
        one = f"a Collection of {name} resources" if target is Target.COLLECTION else f"a {name}"
        if target is Target.ACTION:
            one = f"the action {place.route.name} of a {name}"
        elif target is Target.MEMBERSHIP:
            one = f"the action {place.route.name} of a Collection of {name} resources"
        said = _VERBS.get(method)
        if said is None:
            said, one = ("Create", f"a {name}") if target is Target.COLLECTION else ("Ask for", one)
        segments = [part.strip("{}") for part in place.path.split("/")[3:]]
        return {
            "operationId": ".".join([f"v{self._version.value}", method, *segments]),
            "summary": f"{said} {one}",
            "tags": [name],
        }

    def _name(self, place: Place) -> str:
        """The name of the type that a place is about, in the version."""
        type_name = place.route.location.type
        form = self._catalog.model[type_name].form(self._version)
        return form.type_name if form is not None else type_name

    def _parameters(self, *names: str) -> list[Any]:
        keys = [key(self._version, name.removeprefix("$")) for name in names]
        return [{"$ref": f"#/components/parameters/{each}"} for each in keys]

    def _failures(self, statuses: Sequence[int]) -> dict[str, Any]:
        return {str(status): failure(self._version, status) for status in statuses}

    def _headers(self, *more: str) -> dict[str, Any]:
        return shown(self._version, "CIMI-Specification-Version", "X-Request-Id", *more)


def _body(version: CimiVersion, documents: Sequence[tuple[str, Schema]]) -> dict[str, Any]:
    """Return a request body that is one of some documents, each with the root it has in XML."""
    in_xml = [{**schema, "xml": root_in_xml(version, root)} for root, schema in documents]
    in_json = [schema for _, schema in documents]
    return {
        "required": True,
        "content": {
            media: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
            for media, schemas in ((JSON, in_json), (XML, in_xml))
        },
    }


def _path_parameter(name: str, type_name: str) -> Any:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"Last segment of the id of a {type_name}.",
        "schema": _TOKEN,
    }
