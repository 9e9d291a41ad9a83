"""`$filter` (DSP0263 4.1.6.1): a grammar, a typed tree, and its evaluation.

Attribute names are those of the version spoken; the tree holds neutral ones. An
attribute that an item lacks compares as false, but `!=` as true (the standard is silent).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from cimi_cim.model.resources import Ref
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, ResourceType

MAX_LENGTH = 8192
MAX_DEPTH = 64
_INTEGER = re.compile(r"[0-9]{1,40}\Z")

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_ORDERED = (Kind.INTEGER, Kind.DATETIME)
_TEXTUAL = (Kind.STRING, Kind.URI, Kind.DURATION, Kind.BYTES, Kind.REF, Kind.REF_OR_VALUE)

Operand: TypeAlias = "int | str | bool | datetime"
Text: TypeAlias = Callable[[Ref], str]
"""How a reference reads in the version spoken: its absolute URI."""


class FilterError(ValueError):
    """An expression that cannot be read or does not fit the attribute's type.

    The message names the position (from 1) and what would be right.
    """


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute against a value."""

    attribute: Attribute
    operator: str
    value: Operand

    @property
    def needs(self) -> frozenset[str]:
        """The attributes that evaluation reads."""
        return frozenset({self.attribute.name})

    def holds(self, values: Mapping[str, Any], href: Text) -> bool:
        """Whether the comparison is true of an item's attribute values."""
        found = values.get(self.attribute.name)
        if self.attribute.name == "id" or isinstance(found, Ref):
            found = href(found) if isinstance(found, Ref) else found
        if self.attribute.is_array and isinstance(found, list | tuple):
            return any(self._compare(item) for item in found)
        return self._compare(found)

    def _compare(self, found: Any) -> bool:
        if found is None:
            return self.operator == "!="
        if self.attribute.kind is Kind.DATETIME:
            instant = read_instant(str(found))
            if instant is None:
                return self.operator == "!="
            found = instant
        elif self.attribute.kind in _TEXTUAL:
            found = str(found)
        return _OPERATORS[self.operator](found, self.value)


@dataclass(frozen=True, slots=True)
class PropertyComparison:
    """`property['key'] = 'value'`: true if some property matches."""

    key: str
    operator: str
    value: str

    @property
    def needs(self) -> frozenset[str]:
        """The attributes that evaluation reads."""
        return frozenset({"properties"})

    def holds(self, values: Mapping[str, Any], href: Text) -> bool:
        """Whether a property of that key has (or has not) that value."""
        properties = values.get("properties") or {}
        if self.key not in properties:
            return self.operator == "!="
        return _OPERATORS[self.operator](properties[self.key], self.value)


@dataclass(frozen=True, slots=True)
class Junction:
    """Several terms of which all (`and`) or any (`or`) must hold."""

    is_all: bool
    terms: tuple[Filter, ...]

    @property
    def needs(self) -> frozenset[str]:
        """The attributes that evaluation reads."""
        return frozenset[str]().union(*(term.needs for term in self.terms))

    def holds(self, values: Mapping[str, Any], href: Text) -> bool:
        """Whether the terms hold together."""
        results = (term.holds(values, href) for term in self.terms)
        return all(results) if self.is_all else any(results)


Filter: TypeAlias = "Comparison | PropertyComparison | Junction"


def parse_filter(text: str, resource: ResourceType, version: CimiVersion) -> Filter:
    """Return the tree of an expression over the items of a type. Raises `FilterError`."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the expression is longer than {MAX_LENGTH} characters")
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise FilterError(f"parentheses are nested deeper than {MAX_DEPTH} levels")
    try:
        tree = _grammar().parse(text)
        built: Filter = _Builder(resource, version).transform(tree)
    except VisitError as exc:
        if isinstance(exc.orig_exc, FilterError):
            raise exc.orig_exc from exc
        raise
    except UnexpectedInput as exc:
        is_end = isinstance(exc, UnexpectedToken) and exc.token.type == "$END"
        at = exc.pos_in_stream if not is_end and isinstance(exc.pos_in_stream, int) else len(text)
        rest = text[at : at + 20]
        where = f"at position {at + 1}, before {rest!r}" if rest else "at its end"
        raise FilterError(
            f"the expression is not understood {where}; it reads like"
            " name='x' and (cpu>=2 or state!='STOPPED')"
        ) from exc
    return built


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = Path(__file__).with_name("filter.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start="filter", maybe_placeholders=False)


class _Builder(Transformer[Token, Filter]):
    """From the parse tree to the typed tree."""

    def __init__(self, resource: ResourceType, version: CimiVersion) -> None:
        super().__init__()
        self._resource = resource
        self._version = version
        self._rows = {
            form.json_name: row
            for row in resource.attributes.values()
            if (form := row.form(version)) is not None
        }

    def any_of(self, terms: list[Filter]) -> Filter:
        return terms[0] if len(terms) == 1 else Junction(False, tuple(terms))

    def all_of(self, terms: list[Filter]) -> Filter:
        return terms[0] if len(terms) == 1 else Junction(True, tuple(terms))

    def value(self, tokens: list[Token]) -> Token:
        return tokens[0]

    def compare(self, parts: list[Token]) -> Filter:
        name, said, value = parts
        return self._comparison(name, str(said), value)

    def compare_reversed(self, parts: list[Token]) -> Filter:
        value, said, name = parts
        return self._comparison(name, _REVERSED[str(said)], value)

    def compare_property(self, parts: list[Token]) -> Filter:
        key, said, value = parts
        if said not in ("=", "!="):
            raise _mistake(said, "a property compares with = and != only")
        return PropertyComparison(_unquoted(key), str(said), _unquoted(value))

    def _comparison(self, name: Token, said: str, value: Token) -> Filter:
        row = self._rows.get(str(name))
        if row is None:
            known = get_close_matches(str(name), list(self._rows), n=1)
            hint = f"; did you mean {known[0]!r}?" if known else ""
            raise _mistake(name, f"{self._resource.name} has no attribute {str(name)!r}{hint}")
        if row.access is Access.WRITE_ONLY:
            raise _mistake(name, f"{name} is a secret, which cannot be compared")
        if row.kind not in (*_ORDERED, *_TEXTUAL, Kind.BOOLEAN):
            raise _mistake(name, f"{name} is a {row.kind.value}, which cannot be compared")
        if said not in ("=", "!=") and row.kind not in _ORDERED:
            raise _mistake(name, f"{name} is a {row.kind.value}: it compares with = and != only")
        return Comparison(row, said, _operand(row, name, value, self._version))


def _operand(row: Attribute, name: Token, value: Token, version: CimiVersion) -> Operand:
    """The value as the attribute's type has it; numbers and dates may stand in quotes."""
    text = _unquoted(value) if value.type == "STRING" else str(value)
    if row.kind is Kind.INTEGER:
        if not _INTEGER.match(text):
            raise _mistake(value, f"{name} is an integer, {text[:40]!r} is none")
        return int(text)
    if row.kind is Kind.DATETIME:
        instant = read_instant(text)
        if instant is None:
            raise _mistake(value, f"{name} is a date, such as 2026-01-31T12:00:00Z")
        return instant
    if row.kind is Kind.BOOLEAN:
        if text not in ("true", "false"):
            raise _mistake(value, f"{name} is true or false")
        return text == "true"
    if value.type != "STRING":
        raise _mistake(value, f"{name} is a {row.kind.value}: write '{text}' in quotes")
    form = row.form(version)
    neutral = {word: value for value, word in form.words.items()} if form is not None else {}
    return neutral.get(text, text)


def read_instant(text: str) -> datetime | None:
    """Return the moment an xs:date or xs:dateTime means, UTC where it names no zone."""
    fixed = text[:-6] + "+" + text[-5:] if len(text) > 6 and text[-6] == " " else text
    try:
        if "T" not in fixed:
            day = date.fromisoformat(fixed)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(fixed)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _unquoted(token: Token) -> str:
    """The text of a string; a backslash takes the next character as it is."""
    text, out = str(token)[1:-1], []
    characters = iter(text)
    for character in characters:
        out.append(next(characters, "") if character == "\\" else character)
    return "".join(out)


def _mistake(token: Token, what: str) -> FilterError:
    return FilterError(f"at position {(token.start_pos or 0) + 1}: {what}")
