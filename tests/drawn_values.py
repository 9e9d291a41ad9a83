"""Attribute values drawn at random, as far as one version can write them in one format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from cimi_cim.http.codec.decoding import can_be_given, untyped
from cimi_cim.http.codec.document import inline_rows
from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, Kind, XmlShape

# Text as XML can hold it; carriage returns survive because they are written as references.
_CHARACTERS = st.characters(
    codec="utf-8",
    exclude_characters=[chr(c) for c in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)],
)
_TEXT = st.text(_CHARACTERS, min_size=1, max_size=12)
_WORD = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
_REFS = st.one_of(
    st.builds(Ref, _WORD.map(lambda token: f"machines/{token}")),
    st.builds(Ref, _WORD.map(lambda token: f"machines/{token}/interfaces")),
    st.builds(lambda word: Ref(url=f"http://elsewhere/{word}"), _WORD),
)
# XML does not tell a number from a text that reads like one, where there are no rows.
_PLAIN_TEXT = _TEXT.filter(lambda text: bool(text.strip()) and untyped(text) == text)
_INTEGERS = st.integers(-(2**63), 2**63 - 1)
_ANYTHING = st.recursive(
    st.one_of(_PLAIN_TEXT, _REFS, _INTEGERS, st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(
            _WORD.filter(lambda word: word not in ("item", "href")), inner, min_size=1, max_size=3
        ),
    ),
    max_leaves=5,
)


_SCALARS: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.INTEGER: _INTEGERS,
    Kind.BOOLEAN: st.booleans(),
    Kind.DATETIME: st.datetimes(datetime(1900, 1, 1)).map(lambda t: f"{t.isoformat()[:19]}+01:00"),
    Kind.DURATION: st.integers(1, 99).map(lambda hours: f"PT{hours}H"),
    Kind.URI: _WORD.map(lambda word: f"urn:x:{word}"),
    Kind.BYTES: st.binary(min_size=1, max_size=6).map(bytes.hex),
}
_CIMI_URIS = _WORD.map(lambda word: f"http://schemas.dmtf.org/cimi/2/x/{word}")
_MAPS = st.dictionaries(_TEXT, _TEXT, min_size=1, max_size=3)


class Maker:
    """Draws values that one version can write in one format.

    `is_padded` says whether free texts may begin or end with blanks.
    """

    def __init__(
        self, draw: Callable[[Any], Any], links: Links, format: str, *, is_padded: bool = True
    ) -> None:
        self._draw = draw
        self._is_padded = is_padded
        self._links = links
        self._version = links.version
        self._is_xml = format == "xml"

    def some(self, rows: Iterable[Attribute], depth: int, least: int = 0) -> dict[str, Value]:
        """Values of a few of the rows."""
        present = [(row, form) for row in rows if (form := row.form(self._version)) is not None]
        singles = {form.xml_name for row, form in present if not row.is_array}
        usable = [
            (row, form) for row, form in present
            if row.access is not Access.WRITE_ONLY
            and not (self._is_xml and form.xml_shape is XmlShape.ABSENT)
        ]  # fmt: skip
        chosen = st.lists(st.sampled_from(range(len(usable))), min_size=least, unique=True)
        values: dict[str, Value] = {}
        for index in self._draw(chosen) if usable else ():
            row, form = usable[index]
            if not row.is_array:
                values[row.name] = self.one(row, depth)
                continue
            # A list that shares its element with a single value is told by its length.
            shares = form.xml_shape is XmlShape.REPEATED and form.xml_name in singles
            count = self._draw(st.integers(2 if shares else 1, 3))
            values[row.name] = [self.one(row, depth) for _ in range(count)]
        return values

    def one(self, row: Attribute, depth: int) -> Value:
        """One value of a row, or one item of its list."""
        if row.kind is Kind.REF_OR_VALUE:
            return self._ref_or_value(row, depth)
        if row.kind is Kind.STRUCT:
            found = self.some(row.fields, depth - 1, least=1)
            return {**self._always_there(row), **found}
        if row.kind is Kind.VALUE_SCOPE:
            scope = self.some(row.fields, depth - 1, least=1)
            if "value" in scope:
                scope.pop("values", None)
            return {self._draw(_WORD): scope}
        form = row.form(self._version)
        if row.kind is Kind.ANY:
            is_text = self._is_xml and form is not None and form.xml_shape is XmlShape.TEXT
            return self._draw(_PLAIN_TEXT if is_text else _ANYTHING)
        if row.kind is Kind.MAP:
            return self._draw(_MAPS)
        if row.kind in (Kind.REF, Kind.COLLECTION):
            return self._draw(_REFS)
        if row.values:
            return self._draw(st.sampled_from(row.values))
        if row.kind is Kind.STRING and not self._is_padded:
            return self._draw(_TEXT.map(str.strip).filter(bool))
        return self._draw(_CIMI_URIS if row.is_cimi_uri else _SCALARS.get(row.kind, _TEXT))

    def _always_there(self, row: Attribute) -> dict[str, Value]:
        """The inline value that a structure itself is: one that says nothing is there, too."""
        return {
            field.name: {}
            for field in row.fields
            if field.kind is Kind.REF_OR_VALUE
            and (form := field.form(self._version)) is not None
            and form.is_merged
        }

    def _ref_or_value(self, row: Attribute, depth: int) -> Value:
        values: dict[str, Value] = {}
        if depth > 0:
            rows = [r for r in inline_rows(row, self._links) if can_be_given(r)]
            values = self.some(rows, depth - 1)
        if values and self._draw(st.booleans()):
            return values
        ref: Ref = self._draw(_REFS)
        return Ref(ref.path, ref.url, values)
