"""Reads JSON documents of CIMI (DSP0263 5.5), from the model tables alone."""

from __future__ import annotations

from typing import Any

from cimi_cim.http.codec.decoding import (
    Rows,
    ignoring_what_is_fixed,
    inlined,
    reference,
    rows_at_the_other_end,
    rows_of,
    scalar,
    unknown,
)
from cimi_cim.http.codec.expected import (
    Wanted,
    action_document,
    action_name,
    checked_action,
    checked_membership,
    creation,
    membership_document,
    resource_document,
)
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import read_json, refuse
from cimi_cim.model.documents import ActionDocument, CreateDocument, MembershipDocument
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Action, Attribute, AttributeForm, Kind

_ALWAYS_KNOWN = ("resourceURI", "operations")


def decode(body: bytes, type_name: str, links: Links) -> dict[str, Value]:
    """Return the attributes in the document of a resource of a neutral type.

    Values have the shapes of `model.resources`, by neutral name; null is None. `id` and
    `operations` are the provider's own and are left out, and so is what an expanded
    reference shows of its target. Raises `BadRequest` with the place.
    """
    return _document(read_json(body), resource_document(type_name, links), _Reader(links))


def decode_create(body: bytes, type_name: str, links: Links) -> CreateDocument:
    """Return what a document creates in a Collection of items of a neutral type (4.2.1.1).

    The Create wrapper and the name of the type itself both do, and so does a document
    that does not say what it is. Raises `BadRequest` with the place.
    """
    said, expected = read_json(body), creation(type_name, links)
    wanted = expected.wanted(_root(said), said)
    return expected.document(_document(said, wanted, _Reader(links, reads_copies=True)))


def action_in(body: bytes) -> str | None:
    """Return the name of the action that a document asks for (`insert`), None if for none.

    What is posted to a Collection creates something, or is such a document. Raises
    `BadRequest` for what is no JSON.
    """
    said = read_json(body)
    root = _root(said)
    is_action = root == "Action" or (root is None and isinstance(said.get("action"), str))
    return action_name(said.get("action") or "") if is_action else None


def decode_membership(body: bytes, type_name: str, action: str, links: Links) -> MembershipDocument:
    """Return what to `insert` into a Collection of items of a neutral type, or `remove` from it.

    Raises `BadRequest` with the place.
    """
    values = _document(read_json(body), membership_document(type_name, links), _Reader(links))
    return checked_membership(type_name, action, values, links)


def decode_action(body: bytes, action: Action, links: Links) -> ActionDocument:
    """Return what an Action document says. Raises `BadRequest` with the place."""
    values = _document(read_json(body), action_document(action, links), _Reader(links))
    return checked_action(action, values, links.version)


def _root(body: dict[str, Any]) -> str | None:
    """Return the name that a document gives itself: the end of its resourceURI."""
    uri = body.get("resourceURI")
    return None if uri is None else action_name(uri)


def _document(body: dict[str, Any], wanted: Wanted, reader: _Reader) -> dict[str, Value]:
    uri = body.get("resourceURI")
    expected = [f"{reader.namespace}/{name}" for name in wanted.names]
    if uri is not None and (not isinstance(uri, str) or uri.strip() not in expected):
        refuse(f"resourceURI is {str(uri)[:80]!r}; what belongs here is {expected[0]}")
    said = {name: value for name, value in body.items() if name not in _ALWAYS_KNOWN}
    return reader.rows(said, wanted, "")


class _Reader:
    """Reads values by rows. `reads_copies`: what stands beside an href always counts.

    Otherwise a copy of the target, which has its `id`, is an expansion and is not read.
    """

    def __init__(self, links: Links, *, reads_copies: bool = False) -> None:
        self._links = links
        self._reads_copies = reads_copies

    @property
    def namespace(self) -> str:
        """The namespace of the version that is read."""
        return self._links.version.namespace

    def rows(self, body: dict[str, Any], wanted: Wanted, where: str) -> dict[str, Value]:
        found = self._object(body, wanted.rows, where)
        found.pop(wanted.address or "", None)
        return found

    def _object(self, body: dict[str, Any], rows: Rows, where: str) -> dict[str, Value]:
        named = {form.json_name: (row, form) for row, form in rows if not form.is_merged}
        merged = next(((row, form) for row, form in rows if form.is_merged), None)
        found: dict[str, Value] = {}
        rest: dict[str, Any] = {}
        for name, value in body.items():
            place = f"{where}.{name}" if where else name
            if name in named:
                row, form = named[name]
                with ignoring_what_is_fixed(row, found):
                    found[row.name] = self._value(row, form, value, place)
            elif merged is not None:
                rest[name] = value
            else:
                unknown(name, where, named)
        if merged is not None and (rest or merged[0].kind is Kind.REF_OR_VALUE):
            # An inline value of which the version has nothing to show is empty, and is there.
            found[merged[0].name] = self._item(*merged, rest, where)
        return found

    def _value(self, row: Attribute, form: AttributeForm, value: Any, where: str) -> Value:
        if value is None:
            return None
        if not row.is_array:
            return self._item(row, form, value, where)
        if not isinstance(value, list):
            refuse(f"{where} must be an array")
        return [self._item(row, form, item, f"{where}[{i}]") for i, item in enumerate(value)]

    def _item(self, row: Attribute, form: AttributeForm, value: Any, where: str) -> Value:
        if row.kind is Kind.ANY:
            return self._any(value)
        if row.kind in (Kind.REF, Kind.COLLECTION, Kind.REF_OR_VALUE):
            return self._reference(row, value, where)
        if row.kind not in (Kind.MAP, Kind.STRUCT, Kind.VALUE_SCOPE):
            return scalar(row, form, value, where)
        if not isinstance(value, dict):
            refuse(f"{where} must be an object")
        if row.kind is Kind.STRUCT:
            return self._structure(row, value, where)
        if row.kind is Kind.VALUE_SCOPE:
            return {name: self._scope(row, scope, f"{where}.{name}")
                    for name, scope in value.items()}  # fmt: skip
        return {name: _entry(row, inside, f"{where}.{name[:60]}") for name, inside in value.items()}

    def _scope(self, row: Attribute, scope: Any, where: str) -> dict[str, Value]:
        if not isinstance(scope, dict):
            refuse(f"{where} must be an object")
        return self._structure(row, scope, where)

    def _structure(self, row: Attribute, value: dict[str, Any], where: str) -> dict[str, Value]:
        found = self._object(value, rows_of(row.fields, self._links.version), where)
        return {name: inside for name, inside in found.items() if inside is not None}

    def _reference(self, row: Attribute, value: Any, where: str) -> Value:
        """A URI alone is taken for its href: the standard prints `parent` so (5.10)."""
        if isinstance(value, str):
            return reference(value, self._links, where)
        if not isinstance(value, dict):
            refuse(f"{where} must be an object with an href")
        if row.kind is not Kind.REF_OR_VALUE:
            return reference(value.get("href"), self._links, where)  # expansions are not read
        rows = rows_at_the_other_end(row, self._links)
        beside = {n: v for n, v in value.items() if n not in ("href", *_ALWAYS_KNOWN)}
        if "href" in value and "id" in beside and not self._reads_copies:
            return reference(value["href"], self._links, where)
        values = inlined(self._object(beside, rows, where), rows, erases="href" in value)
        if "href" not in value:
            return values
        return reference(value["href"], self._links, where, values)

    def _any(self, value: Any) -> Value:
        if isinstance(value, dict):
            if set(value) == {"href"} and isinstance(value["href"], str) and value["href"]:
                found: Ref = reference(value["href"], self._links, "href")
                return found
            return {name: self._any(inside) for name, inside in value.items()}
        return [self._any(inside) for inside in value] if isinstance(value, list) else value


def _entry(row: Attribute, value: Any, where: str) -> str:
    """Return an entry of a map: a text. Where the standard gives keys types, as JSON has them."""
    if row.keys and isinstance(value, dict):
        value = value.get("href")
    if row.keys and isinstance(value, bool):
        return "true" if value else "false"
    if row.keys and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        refuse(f"{where} must be a text")
    return value
