"""Reads the attribute tables out of the text of DSP0263 2.0.0.

The text keeps the columns of the printed pages: every page repeats the head of a table
(`Attribute  Type  Description`), whose words say where the columns begin. Names and types
are broken over lines where a column is narrow; a structure has a table of its own inside
the column of descriptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from cimi_cim.model.types import Kind
from tests.shared_files import SHARED

HEADING = re.compile(r" {2}(5\.\d+(?:\.\d+)*) +\S.*(?<!\d)\Z")
"""The heading of a clause; group 1 is its number."""

SCALARS = {
    "string": Kind.STRING,
    "integer": Kind.INTEGER,
    "boolean": Kind.BOOLEAN,
    "datetime": Kind.DATETIME,
    "duration": Kind.DURATION,
    "uri": Kind.URI,
    "map": Kind.MAP,
    "any": Kind.ANY,
    "byte": Kind.BYTES,
    "valuescope": Kind.VALUE_SCOPE,
}
"""The kinds of the types that have no parts, by their printed name in lower case."""

_CAPTION = re.compile(r"\s*Table (\d+) [\u2013-] (?!.*\.\.\.)")
_HEAD = re.compile(
    r"\s*(Attribute|Data|Key|name) +(Type|Value Type|type) +(Description|value)\s*\Z"
)
_PAGE = re.compile(r".*(Published|\(CIMI\) Model and RESTful HTTP-based Protocol)")
_TYPE_URI = re.compile(r"\s*Type URI\s+(http\S+)")
_NAME = re.compile(r"\s*(Name|Type URI|Service type)\b\s*(\S*)")
_PROSE = re.compile(r" {0,2}(\S.*[a-z].*)\Z")
_WHOLE_TYPE = re.compile(
    r"(string|integer|boolean|dateTime|duration|URI|ref|map|any|byte\[\]|NetworkInterface|"
    r"<any>|<unnamedstructure>|collection\[\w+\]|\w+\[\])\Z",
    re.IGNORECASE,
)
_CAPITAL_NAMES = frozenset({"Events", "Persistence", "Summary", "RPO"})
_CONSTRAINT = re.compile(r"(providerMandatory|consumerMandatory|mutable|consumerWritable): (\w+)")
_THREE_COLUMNS = re.compile(r"\s*(\S+)\s{2,}(\S+)\s{2,}(\S)")


@dataclass
class Row:
    """A row: its name and type as one word each, its description, the rows inside."""

    name: str
    type: str
    text: str = ""
    inside: list[Row] = field(default_factory=list)
    after_inside: str = ""

    @property
    def is_whole(self) -> bool:
        return _WHOLE_TYPE.match(self.type) is not None

    @property
    def constraints(self) -> dict[str, bool]:
        """What stands under `Constraints:` for this row."""
        said = self.after_inside.rpartition("The constraints for")[2] if self.inside else self.text
        return {name: value == "true" for name, value in _CONSTRAINT.findall(said)}

    @property
    def constraints_of_inside(self) -> dict[str, bool]:
        """What holds for every row inside, unless it says otherwise."""
        said = self.after_inside.partition("The constraints for")[0]
        return {name: value == "true" for name, value in _CONSTRAINT.findall(said)}


@dataclass
class Table:
    """A table with its number and, where it has one, the type URI in its head."""

    number: int
    rows: list[Row]
    type_uri: str = ""


@lru_cache(maxsize=1)
def standard_text() -> str:
    """Return the text of DSP0263 2.0.0."""
    return (SHARED / "spec" / "DSP0263_2.0.0.txt").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def standard_tables() -> dict[int, Table]:
    """Return the tables of DSP0263 2.0.0 that have attributes, by number."""
    return read_tables(standard_text())


def read_tables(text: str) -> dict[int, Table]:
    """Return the tables of the standard's text that have attributes, by number."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if _CAPTION.match(line)]
    tables = {}
    for start in starts:
        match = _CAPTION.match(lines[start])
        assert match is not None
        number = int(match[1])
        tables[number] = _Reader(number).read(lines[start + 1 :])
    return {number: table for number, table in tables.items() if table.rows}


@dataclass
class _Columns:
    name: int
    type: int
    text: int

    def cut(self, line: str) -> tuple[str, str, str]:
        """Return name, type and description; a long name may reach into the next column."""
        kind = self.type
        while " " in line[self.name : kind].strip() and line[kind - 1 : kind].strip():
            kind -= 1
        return (
            line[self.name : kind].strip(),
            line[kind : self.text].strip(),
            line[self.text :].strip(),
        )


class _Reader:
    """Reads one table, page by page."""

    def __init__(self, number: int) -> None:
        self.table = Table(number, [])
        self.columns: _Columns | None = None
        self.inner: _Columns | None = None
        self.page_broke = False

    def read(self, lines: list[str]) -> Table:
        for line in lines:
            if not line.strip() or line.strip().isdigit():
                continue
            if _PAGE.match(line):
                self.columns, self.page_broke = None, True
            elif self.columns is None:
                if not self._head(line):
                    break
            elif self._ends(line):
                break
            elif not self._is_inner_head(line):
                self._line(line)
        return self.table

    def _head(self, line: str) -> bool:
        """Read a line of the head: of what, its type URI, or where the columns begin."""
        uri, head = _TYPE_URI.match(line), _HEAD.match(line)
        if uri is not None:
            self.table.type_uri = uri[1]
        elif head is not None:
            self.columns = _Columns(head.start(1), head.start(2), head.start(3))
        return head is not None or _NAME.match(line) is not None

    def _ends(self, line: str) -> bool:
        """Prose starts left of where names start, or is too wide for their column."""
        assert self.columns is not None
        is_row = self.columns.name <= 2 and self._is_row(line)
        return _PROSE.match(line) is not None and not is_row

    def _is_row(self, line: str) -> bool:
        assert self.columns is not None
        gap = line[max(self.columns.text - 2, 0) : self.columns.text]
        return not gap.strip() or not line[: self.columns.text].strip()

    def _is_inner_head(self, line: str) -> bool:
        match = _HEAD.match(line)
        assert self.columns is not None
        if match is None or match.start(1) < self.columns.text:
            return False
        self.inner = _Columns(match.start(1), match.start(2), match.start(3))
        return True

    def _line(self, line: str) -> None:
        assert self.columns is not None
        name, kind, text = self.columns.cut(line)
        last = self.table.rows[-1] if self.table.rows else None
        if name and kind and (last is None or last.is_whole) and _starts(name):
            self.inner, self.page_broke = None, False
            head = _HEAD.match(line[self.columns.text :])
            if head is not None:  # the keys of a map begin in the line of the map
                self.inner = _Columns(*(self.columns.text + head.start(i) for i in (1, 2, 3)))
            self.table.rows.append(Row(name, kind, "" if head is not None else text))
            return
        assert last is not None, line
        last.name += name
        last.type += kind.replace(" ", "")
        self._description(last, line, text)

    def _description(self, row: Row, line: str, text: str) -> None:
        if not text:
            return
        assert self.columns is not None
        if self.inner is not None and self.page_broke:
            # The head of an inner table is not repeated: its columns show in its first row.
            match = _THREE_COLUMNS.match(line)
            self.inner = _Columns(*(match.start(i) for i in (1, 2, 3))) if match else None
        self.page_broke = False
        if self.inner is not None and not line[self.columns.text : self.inner.name].strip():
            _inner_line(row, self.inner, line)
            return
        if self.inner is not None or row.inside:
            self.inner = None
            row.after_inside += f" {text}"
        elif _NAME.match(line[self.columns.text :]) is None:
            row.text += f" {text}"


def _inner_line(row: Row, columns: _Columns, line: str) -> None:
    name, kind, text = columns.cut(line)
    last = row.inside[-1] if row.inside else None
    # A type may stand one line above its name.
    is_first = _starts(name) if name else _WHOLE_TYPE.match(kind) is not None
    if kind and (last is None or last.is_whole) and is_first:
        row.inside.append(Row(name, kind, text))
    elif last is not None:
        last.name += name
        last.type += kind.replace(" ", "")
        last.text += f" {text}"


def _starts(name: str) -> bool:
    return name[0].islower() or name[0] == "<" or name in _CAPITAL_NAMES
