"""What reading JSON and XML have in common: rows, values without parts, references."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeAlias

from cimi_cim.errors import BadRequest
from cimi_cim.http.codec.document import inline_rows
from cimi_cim.http.codec.links import Links
from cimi_cim.http.codec.syntax import fits_64_bits, refuse
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, AttributeForm, CimiVersion, Kind

Rows: TypeAlias = "tuple[tuple[Attribute, AttributeForm], ...]"
"""The rows that a document, a structure or an inlined value may have, with their forms."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_DATETIME = re.compile(
    r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII
)
_DURATION = re.compile(
    r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z", re.ASCII
)
_LITERAL = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
# What Tables 47 and 50 call the spans whose type they say is duration.
_SPANS = {"hourly": "PT1H", "daily": "P1D", "weekly": "P7D", "monthly": "P1M", "yearly": "P1Y"}
FORMS = {
    Kind.DATETIME: (_DATETIME, "a time such as 2026-02-03T10:00:00Z"),
    Kind.DURATION: (_DURATION, "a duration such as PT1H"),
    Kind.BYTES: (re.compile(r"([0-9A-Fa-f]{2})*\Z"), "bytes in hexadecimal, such as 0a1f"),
}
"""What a text must match as a whole, by the kind of value, and how to say that."""
_KEPT_AS_IS = frozenset({Kind.STRING, Kind.ANY})  # padding may be meant


def rows_of(rows: Iterable[Attribute], version: CimiVersion) -> Rows:
    """Return those of the rows that a version has, with their forms."""
    return tuple((row, form) for row in rows if (form := row.form(version)) is not None)


def rows_at_the_other_end(row: Attribute, links: Links) -> Rows:
    """Return the rows that may stand beside an href, or inline in its place."""
    return rows_of(row.fields or inline_rows(row, links), links.version)


def inlined(found: dict[str, Value], rows: Rows, *, erases: bool) -> dict[str, Value]:
    """Return what stands inline, without what a consumer cannot give.

    Null erases an attribute where it stands beside an href, and says nothing elsewhere
    (DSP0263 4.2.1.1).
    """
    given = {row.name for row, _ in rows if can_be_given(row)}
    return {n: v for n, v in found.items() if n in given and (erases or v is not None)}


def can_be_given(row: Attribute) -> bool:
    """Whether a consumer can say it of something new; the place of it tells its parent."""
    return row.access is not Access.READ_ONLY and row.name != "parent"


@contextmanager
def ignoring_what_is_fixed(row: Attribute, found: dict[str, Value]) -> Iterator[None]:
    """Let what is wrong with a read-only attribute be None, as it is not looked at (4.2.1.3)."""
    try:
        yield
    except BadRequest:
        if row.access is not Access.READ_ONLY:
            raise
        found[row.name] = None


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
    if kind is Kind.DURATION and row.values:
        neutral = _SPANS.get(neutral, neutral)
    pattern, wanted = FORMS.get(kind, (None, ""))
    if pattern is not None and not pattern.match(neutral) and neutral not in row.values:
        refuse(f"{where} must be {wanted}")
    if row.is_cimi_uri and neutral.startswith(f"{CimiVersion.V1.namespace}/"):
        neutral = CimiVersion.V2.namespace + neutral.removeprefix(CimiVersion.V1.namespace)
    return neutral


def untyped(text: str) -> Value:
    """Return what a text in XML means that no row types: an integer, a boolean, else itself."""
    said = text.strip()
    if said in ("true", "false"):
        return said == "true"
    if _LITERAL.match(said) and fits_64_bits(int(said)):
        return int(said)
    return text


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
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 2.0 is an integer, too (JSON Schema 6.1.1)
    if not isinstance(value, int) or isinstance(value, bool) or not fits_64_bits(value):
        refuse(f"{where} must be an integer of at most 64 bits")
    return value


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        refuse(f"{where} must be true or false")
    return value
