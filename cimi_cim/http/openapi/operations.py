"""What can be asked at each place: the operations of the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

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
from cimi_cim.model.paths import TOKEN, Location
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import JOB, METADATA, Catalog

_Bodies: TypeAlias = Sequence[tuple[str, Schema]]
"""Documents that may be sent: the root that each has in XML, and its schema."""

_ANY = (400, 401, 403, 404, 413, 414, 431)
_PROVIDER = (501, 502, 503, 504)
_READS = (*_ANY, 406, 412, *_PROVIDER)
_DELETES = (*_ANY, 406, 409, 412, *_PROVIDER)
_CHANGES = (*_DELETES, 415)

_OF_CHANGES = ("$format", "If-Match", "If-None-Match", "Idempotency-Key")
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
        more = ("Warning", "X-CIMI-Incomplete")
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
            "parameters": self._parameters("$select", *_OF_CHANGES),
            "requestBody": _body(
                self._version, [(name, self._documents.change(place.route.location.type))]
            ),
            "responses": {
                "200": changed,
                **(self._accepted() if self._catalog.is_live(place.route.location.type) else {}),
                **self._failures(_CHANGES),
            },
        }

    def _delete(self, place: Place) -> dict[str, Any]:
        type_name = place.route.location.type
        goes_on = self._catalog.provisions(type_name, "delete")
        # The metadata of a type that is served stay, those that a consumer made do not.
        failures = (*_DELETES, 405) if type_name == METADATA else _DELETES
        return {
            "parameters": self._parameters(*_OF_CHANGES),
            "responses": {
                "200": self._job(),
                **(self._accepted() if goes_on else {}),
                **self._failures(failures),
            },
        }

    def _post(self, place: Place) -> dict[str, Any]:
        """What creates, or asks for an action; a Collection takes the Actions on it, too."""
        if place.route.target is Target.ACTION:
            bodies, answers = self._action(place)
        else:
            bodies, answers = self._collection_bodies(place)
        return {
            "parameters": self._parameters(*_OF_CHANGES),
            "requestBody": _body(self._version, bodies),
            "responses": {**answers, **self._failures(_CHANGES)},
        }

    def _collection_bodies(self, place: Place) -> tuple[_Bodies, dict[str, Any]]:
        location, name = place.route.location, place.route.name
        offered = (name,) if name else self._catalog.collection_operations(location)
        bodies: list[tuple[str, Schema]] = []
        answers: dict[str, Any] = {}
        for operation in offered:
            if operation == "add":
                is_global = len(location.steps) == 1
                wanted = self._documents.create(location.type, is_global=is_global)
                bodies.append((f"{self._name(place)}Create", wanted))
                answers["201"] = self._made(self._name(place))
            else:
                document = self._documents.membership(location.type, operation)
                bodies.append(("Action", document))
                answers["200"] = self._job()
        goes_on = self._catalog.provisions(location.type, "delete" if name == "remove" else "add")
        return bodies, answers | (self._accepted() if goes_on or self._is_image(location) else {})

    def _action(self, place: Place) -> tuple[_Bodies, dict[str, Any]]:
        type_name = place.route.location.type
        action = self._catalog.model[type_name].actions[place.route.name]
        bodies = [("Action", self._documents.action(action))]
        answers = {"200": self._job()}
        if not self._catalog.lives_in_store(type_name) or type_name == JOB:
            answers |= self._accepted()
        if action.body != "Action":  # the image that it makes may be sent itself (5.14.7.1)
            form = self._catalog.model[action.body].form(self._version)
            name = form.type_name if form is not None else action.body
            bodies.append((f"{name}Create", self._documents.create(action.body)))
            answers["201"] = self._made(name)
        return bodies, answers

    def _is_image(self, location: Location) -> bool:
        """Whether resources of the type are taken from others, which takes its time."""
        types = self._catalog.model.types.values()
        return any(a.body == location.type for each in types for a in each.actions.values())

    def _made(self, name: str) -> dict[str, Any]:
        return {
            "description": f"The new {name}.",
            "headers": self._headers("Location", "CIMI-Job-URI", "ETag", "Vary"),
            **content(self._version, name),
        }

    def _job(self) -> dict[str, Any]:
        return {"$ref": f"#/components/responses/{key(self._version, 'Done')}"}

    def _accepted(self) -> dict[str, Any]:
        return {"202": {"$ref": f"#/components/responses/{key(self._version, 'Accepted')}"}}

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


def _body(version: CimiVersion, documents: _Bodies) -> dict[str, Any]:
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
