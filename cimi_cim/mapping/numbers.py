"""Numbers as providers write them: as numbers, as text, or as text with a unit behind."""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite
from typing import Any

_AMOUNT = re.compile(
    r"\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.\d{1,30})?)"
    r"\s*([A-Za-z%][A-Za-z%/ ]{0,30}(?:\*\s*\d.{0,20})?)?\Z"
)
_LEADING = re.compile(r"\s*(\d{1,9})")


def number(value: Any) -> int | float | None:
    """Return the number that a value is, also from a numeric text; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if isfinite(value) else None
    found = amount(value)
    if found is None or found[1] is not None:
        return None
    exact = found[0]
    return int(exact) if exact.denominator == 1 else float(exact)


def amount(value: Any) -> tuple[Fraction, str | None] | None:
    """Return a number exactly, and the unit that stands behind it in the same text, if any.

    `4096`, `4 GB` and `1.5MiB` are amounts; None for what is none.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value), None
    if isinstance(value, float):
        return (Fraction(value), None) if isfinite(value) else None
    match = _AMOUNT.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    unit = (match[2] or "").strip()
    return Fraction(match[1].replace(",", "")), unit or None


def percent(value: Any) -> int | None:
    """Return a percentage of 0 to 100 from a number or a text that begins with one."""
    if isinstance(value, str):
        match = _LEADING.match(value)
        return min(int(match[1]), 100) if match else None
    found = number(value)
    return None if found is None else max(0, min(int(found), 100))
