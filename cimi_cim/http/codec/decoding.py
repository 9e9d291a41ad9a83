"""What reading JSON and XML have in common: rows, values without parts, references."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from cimi_cim.http.codec.document import inline_rows
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import fits_64_bits, refuse
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import (
    Action,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
)

Rows: TypeAlias = "tuple[tuple[Attribute, AttributeForm], ...]"
"""The rows that a document, a structure or an inlined value may have, with their forms."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_DATETIME = re.compile(
    r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII
)
_DURATION = re.compile(
    r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z", re.ASCII
)
_KEPT_AS_IS = frozenset({Kind.STRING, Kind.BYTES, Kind.ANY})  # padding may be meant


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document should be: the name of its type in the version, and its rows.

    `address` is the row that is the document's own URI, which is not read.
    """

    type_name: str
    rows: Rows
    address: str | None = None


@dataclass(frozen=True, slots=True)
class ActionDocument:
    """A decoded Action: what stands beside `action`, by parameter, and the `properties`."""

    parameters: dict[str, Value]
    properties: dict[str, str] = field(default_factory=dict)


def resource_document(type_name: str, links: Links) -> Wanted:
    """Return what the document of a resource of a neutral type may have."""
    form = links.model[type_name].form(links.version)
    if form is None:
        refuse(f"CIMI {links.version.specification} has no {type_name}")
    return Wanted(form.type_name, tuple(pair for pair in form.rows if pair is not None), "id")


def action_document(action: Action, links: Links) -> Wanted:
    """Return what the Action document of an action may have (DSP0263 5.14.1.2 and others)."""
    names: list[tuple[str, Kind, str | None]] = [("action", Kind.URI, None)]
    names += [(p.name, p.kind, p.target) for p in action.parameters]
    form = {name: AttributeForm(name, name) for name, _, _ in names}
    rows = [
        (Attribute(name, kind, target=target, forms={links.version: form[name]}), form[name])
        for name, kind, target in names
    ]
    shared = links.model["Machine"].attributes["properties"]  # common to every resource
    shared_form = shared.form(links.version)
    if shared_form is not None:
        rows.append((shared, shared_form))
    return Wanted("Action", tuple(rows))


def checked_action(
    action: Action, values: dict[str, Value], version: CimiVersion
) -> ActionDocument:
    """Return the parameters, once `action` is the one that was posted to.

    In 1.x the last segment of the URI alone counts: its clients write what they like in
    front of it.
    """
    said = values.pop("action", None)
    if said is None:
        refuse(f"the document has no action; it should be {action.rel(version)}")
    is_meant = said == action.rel(version)
    if version is CimiVersion.V1:
        is_meant = str(said).rstrip("/").rpartition("/")[2] == action.name
    if not is_meant:
        refuse(f"the action is {str(said)[:80]!r}; what was posted to is {action.rel(version)}")
    properties = values.pop("properties", None) or {}
    return ActionDocument({n: v for n, v in values.items() if v is not None}, properties)


def rows_of(rows: Iterable[Attribute], version: CimiVersion) -> Rows:
    """Return those of the rows that a version has, with their forms."""
    return tuple((row, form) for row in rows if (form := row.form(version)) is not None)


def rows_at_the_other_end(row: Attribute, links: Links) -> Rows:
    """Return the rows that may stand beside an href, or inline in its place."""
    return rows_of(inline_rows(row, links), links.version)


def scalar(row: Attribute, form: AttributeForm, value: object, where: str) -> Value:
    """Return a value without parts as memory has it: by kind, its words and URIs neutral.

    Numbers and booleans may come as text: XML has nothing else, and clients of 1.x do so in
    JSON too. Padding counts in free text alone.
    """
    kind = row.kind
    if isinstance(value, str) and (kind not in _KEPT_AS_IS or row.values):
        value = value.strip()
    if kind is Kind.INTEGER:
        return _integer(value, where)
    if kind is Kind.BOOLEAN:
        return _boolean(value, where)
    if not isinstance(value, str):
        refuse(f"{where} must be a text ({kind.value})")
    neutral = {word: name for name, word in form.words.items()}.get(value, value)
    if kind is Kind.DATETIME and not _DATETIME.match(neutral):
        refuse(f"{where} must be a time such as 2026-02-03T10:00:00Z")
    if kind is Kind.DURATION and not (_DURATION.match(neutral) or neutral in row.values):
        refuse(f"{where} must be a duration such as PT1H")
    if row.is_cimi_uri and neutral.startswith(f"{CimiVersion.V1.namespace}/"):
        neutral = CimiVersion.V2.namespace + neutral.removeprefix(CimiVersion.V1.namespace)
    return neutral


def reference(
    href: object, links: Links, where: str, values: dict[str, Value] | None = None
) -> Ref:
    """Return a reference; one that leads nowhere here keeps its URI."""
    if not isinstance(href, str) or not href.strip():
        refuse(f"{where} must have an href that is a URI")
    location = links.parse(href.strip())
    if location is None:
        return Ref(url=href.strip(), values=values or {})
    return Ref(location.path, values=values or {})


def unknown(name: str, where: str, known: Iterable[str]) -> None:
    """Refuse a name that nothing is known by (DSP0263 4.2.1.3)."""
    near = get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    place = f"{where}: " if where else ""
    refuse(f"{place}there is no attribute {name[:60]!r}{hint}")


def _integer(value: object, where: str) -> int:
    if isinstance(value, str) and _INTEGER.match(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not fits_64_bits(value):
        refuse(f"{where} must be an integer of at most 64 bits")
    return value


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        refuse(f"{where} must be true or false")
    return value
