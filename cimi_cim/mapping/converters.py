"""The closed registry of conversions from CIM values to CIMI values.

A converter answers None for a value it cannot read: the attribute is then absent, and
the reason is logged once per mapping and value.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, lcm
from typing import Any

from cimi_cim.mapping.computing import Step
from cimi_cim.mapping.expressions import (
    Binding,
    Call,
    Evaluator,
    Expression,
    Property,
    as_text,
    evaluator,
)
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.mapping.numbers import amount, number
from cimi_cim.units import UnitError, conversion, parse_unit
from cimi_cim.wbem.values import CimDateTime, Row

log = logging.getLogger(__name__)

_DATETIME = re.compile(
    r"(\d{4})(\d{2})(\d{2})(\d{2}|\*\*)(\d{2}|\*\*)(\d{2}|\*\*)\.([\d*]{6})([+-])(\d{3}|\*\*\*)\Z"
)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?\Z",
    re.IGNORECASE,
)
_INTERVAL = re.compile(r"(\d{8})(\d{2})(\d{2})(\d{2})\.(\d{6}):000\Z")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "0"), False),
}
_WHOLE = re.compile(r"0[xX]([0-9A-Fa-f]{1,16})|([+-]?\d{1,30})(?:\.0*)?")
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]{12}\Z")


@lru_cache(maxsize=1024)
def _warn_once(message: str) -> None:
    log.warning("%s", message)


def iso8601(value: Any) -> str | None:
    """Return a CIM datetime (DSP0004 5.2.4) as xs:dateTime with its offset.

    Unknown (asterisk) fields: if the day is known, the rest counts as zero; else absent.
    A text in ISO 8601 is read too; one without an offset is taken for UTC.
    """
    text = value.text if isinstance(value, CimDateTime) else value
    match = _DATETIME.match(text) if isinstance(text, str) else None
    if match is None:
        return _iso_text(text.strip()) if isinstance(text, str) else None
    year, month, day, *clock, micro, sign, offset = match.groups()
    hour, minute, second = (field.replace("*", "0") for field in clock)
    digits = micro.replace("*", "0").rstrip("0")
    minutes_east = 0 if "*" in offset else int(offset)
    fraction = f".{digits}" if digits else ""
    zone = f"{sign}{minutes_east // 60:02d}:{minutes_east % 60:02d}"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction}{zone}"


def _iso_text(text: str) -> str | None:
    match = _ISO.match(text)
    if match is None:
        return None
    day, clock, seconds, zone = match.groups()
    offset = (zone or "Z").upper().replace(":", "").replace("Z", "+0000").ljust(5, "0")
    written = f"{day}T{clock or '00:00'}{seconds or ':00'}{offset[:3]}:{offset[3:]}"
    try:
        datetime.fromisoformat(written[:19])
    except ValueError:
        return None
    return written


def epoch(value: Any) -> str | None:
    """Return seconds since 1970 (UTC), a number or a numeric text, as xs:dateTime."""
    return _since_1970(value, 1)


def epoch_ms(value: Any) -> str | None:
    """Return milliseconds since 1970 (UTC), a number or a numeric text, as xs:dateTime."""
    return _since_1970(value, 1000)


def _since_1970(value: Any, per_second: int) -> str | None:
    found = number(value)
    if found is None:
        return None
    try:
        micros = timedelta(microseconds=round(Fraction(found) * 1_000_000 / per_second))
        return (datetime(1970, 1, 1, tzinfo=UTC) + micros).isoformat()
    except (OverflowError, ValueError):
        return None


def duration(value: Any) -> str | None:
    """Return a CIM interval as xs:duration, parts that are zero left out."""
    text = value.text if isinstance(value, CimDateTime) else value
    match = _INTERVAL.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part) for part in match.groups()[:4])
    fraction = match[5].rstrip("0")
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or fraction:
        clock += f"{seconds}.{fraction}S" if fraction else f"{seconds}S"
    if not days and not clock:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def integer(value: Any) -> int | None:
    """Return a whole number, also from a numeric text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    match = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    return int(match[1], 16) if match[1] else int(match[2])


def boolean(value: Any) -> bool | None:
    """Return a boolean, also from 1 and 0, true, yes and on and their contraries, in any case."""
    if isinstance(value, bool):
        return value
    return _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def mac(value: Any) -> str | None:
    """Return a MAC address as aa:bb:cc:dd:ee:ff, from any usual spelling."""
    digits = re.sub(r"[:.\-\s]", "", value) if isinstance(value, str) else ""
    if not _HEX_DIGITS.match(digits):
        return None
    return ":".join(digits[i : i + 2].lower() for i in range(0, 12, 2))


def text(value: Any) -> str | None:
    """Return any value as text."""
    return None if value is None else as_text(value)


SIMPLE: Mapping[str, Callable[[Any], Any]] = {
    "iso8601": iso8601,
    "epoch": epoch,
    "epoch_ms": epoch_ms,
    "duration": duration,
    "integer": integer,
    "boolean": boolean,
    "mac": mac,
    "text": text,
}


def value_table(table: Mapping[str, Any], name: str) -> Callable[[Any], Any]:
    """Return the converter of a named map: exact keys first, then those ending in `*`.

    The first of these that fits counts; `*` alone fits every value.
    """
    prefixes = [(key[:-1], value) for key, value in table.items() if key.endswith("*")]

    def look_up(value: Any) -> Any:
        if value is None:
            return None
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if key in table:
            return table[key]
        for prefix, mapped in prefixes:
            if key.startswith(prefix):
                return mapped
        _warn_once(f"the map {name} has no entry for {key[:80]!r}; the attribute is left out")
        return None

    return look_up


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in some unit, to be had as a whole number of `target` units.

    `units` are properties that may hold the unit, tried in order; values in `ignore`
    say nothing. `default` is the unit when none is given; `rounding` is floor, ceil or
    nearest; `is_binary` reads KiloBytes and the like as powers of 1024.
    """

    units: tuple[Expression, ...]
    ignore: frozenset[str]
    default: str
    target: str
    rounding: str = "floor"
    is_binary: bool = False

    def factor(self, unit: str | None) -> Fraction | None:
        """Return what to multiply by; None, and a line in the log, for an unreadable unit."""
        return _factor(unit or self.default, self.target, self.is_binary)

    def round(self, value: Fraction) -> int:
        """Return the whole number."""
        if self.rounding == "ceil":
            return ceil(value)
        return floor(value) if self.rounding == "floor" else floor(value + Fraction(1, 2))

    def reader(self, read: Expression, said: str = "") -> Evaluator:
        """Return what reads `read`, which the mapping writes as `said`, and converts it.

        An aggregate over a relation of many converts each row by that row's own unit.
        """
        units = tuple(evaluator(unit) for unit in self.units)
        if isinstance(read, Call) and FUNCTIONS[read.function].is_aggregate:
            argument = read.arguments[0]
            aliases = {u.alias for u in self.units if isinstance(u, Property)}
            if isinstance(argument, Property) and aliases <= {argument.alias}:
                run = FUNCTIONS[read.function].run
                whole = evaluator(read)
                return PerRow(self, units, argument.alias, evaluator(argument), run, whole, said)
        return Whole(self, units, evaluator(read), said)

    def writer(self) -> Callable[[int, Row], int | None]:
        """Return the closure from a number of `target` units to one in the unit of a row.

        Rounded up: never less than was asked for. None for a unit that cannot be read.
        """
        units = tuple(evaluator(unit) for unit in self.units)
        aliases = {unit.alias for unit in self.units if isinstance(unit, Property)}

        def convert(value: int, row: Row) -> int | None:
            factor = self.factor(self.unit(units, dict.fromkeys(aliases, row)))
            return None if factor is None else ceil(Fraction(value) / factor)

        return convert

    def unit(self, units: Sequence[Evaluator], binding: Binding) -> str | None:
        """Return the unit that the rows say; `units` reads the properties that may hold it."""
        for unit in units:
            found = unit(binding)
            if isinstance(found, list | tuple):
                found = found[0] if found else None
            if isinstance(found, str) and found and found not in self.ignore:
                return found
        return None

    def exact(self, value: Any, units: Sequence[Evaluator], binding: Binding) -> Fraction | None:
        """Return how many target units a value is, exactly; None for what is no amount.

        A unit in the value itself, behind its number, counts before any other.
        """
        found = amount(value)
        if found is None:
            return None
        factor = self.factor(found[1] or self.unit(units, binding))
        return None if factor is None else found[0] * factor

    def told(self, unit: str | None) -> str:
        """Tell what a number in a unit is turned into."""
        said = f"{unit!r}" if unit else f"{self.default!r}, the default"
        rounded = "" if self.rounding == "floor" else f", rounded {self.rounding}"
        return f"in {said}, to {self.target!r}{rounded}"


@dataclass(frozen=True, slots=True)
class Whole:
    """One number in one unit, converted."""

    quantity: Quantity
    units: tuple[Evaluator, ...]
    read: Evaluator
    said: str

    def __call__(self, binding: Binding) -> int | None:
        """Return the whole number of the target unit."""
        exact = self.quantity.exact(self.read(binding), self.units, binding)
        return None if exact is None else self.quantity.round(exact)

    def steps(self, binding: Binding) -> list[Step]:
        """Tell the number, its unit, and what it is in the target unit."""
        value = self.read(binding)
        unit = (amount(value) or (None, None))[1] or self.quantity.unit(self.units, binding)
        return [
            Step("read", self.said, value),
            Step("quantity", self.quantity.told(unit), self(binding)),
        ]


@dataclass(frozen=True, slots=True)
class PerRow:
    """An aggregate over the rows of an alias, each of which has a unit of its own.

    `whole` gives the aggregate of the numbers as they stand.
    """

    quantity: Quantity
    units: tuple[Evaluator, ...]
    alias: str
    read: Evaluator
    aggregate: Callable[..., Any]
    whole: Evaluator
    said: str

    def __call__(self, binding: Binding) -> int | None:
        """Return the aggregate as a whole number of the target unit."""
        numbers = [exact for one in self._each(binding) for exact in self._exact(one)]
        if not numbers:
            return None
        # Whole numbers go through the aggregate; the division comes last.
        scale = lcm(*(number.denominator for number in numbers))
        value = self.aggregate([int(number * scale) for number in numbers])
        return None if value is None else self.quantity.round(Fraction(value, scale))

    def steps(self, binding: Binding) -> list[Step]:
        """Tell the numbers, their units, and what they are in the target unit."""
        units = dict.fromkeys(self.quantity.unit(self.units, o) for o in self._each(binding))
        told = "; ".join(self.quantity.told(unit) for unit in units)
        return [
            Step("read", self.said, self.whole(binding)),
            Step("quantity", told or "no row", self(binding)),
        ]

    def _each(self, binding: Binding) -> list[Binding]:
        rows = binding.get(self.alias)
        several = rows if isinstance(rows, tuple) else () if rows is None else (rows,)
        return [{self.alias: row} for row in several]

    def _exact(self, binding: Binding) -> list[Fraction]:
        """The numbers of one row: of an array there are several."""
        value = self.read(binding)
        several = value if isinstance(value, list | tuple) else (value,)
        found = (self.quantity.exact(one, self.units, binding) for one in several)
        return [exact for exact in found if exact is not None]


@lru_cache(maxsize=1024)
def _factor(unit: str, target: str, is_binary: bool) -> Fraction | None:
    try:
        return conversion(parse_unit(unit, binary_words=is_binary), parse_unit(target))
    except UnitError as exc:
        _warn_once(f"{exc}; the attribute is left out")
        return None
