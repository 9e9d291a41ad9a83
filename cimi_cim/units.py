"""Programmatic units (DSP0004 annex C) and the older words, as a base and an exact factor.

`byte*2^20`, `hertz * 10^6`, `bit / second`, `count`, `KiloBytes`, `Processors`. Bases
are singular and in lower case; a plural base (`bytes*10^3`), which the CIM schema's own
examples use, is read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_OPERATOR = re.compile(r"\s*([*/])\s*")
_POWER = re.compile(r"([+-]?\d+(?:\.\d+)?)(?:\s*\^\s*([+-]?\d+))?\Z")
_BASE = re.compile(r"[a-z][a-z ]*\Z")

# PUnit factors of the words that the schema used before programmatic units, and the
# factors that old providers mean by them (cim-mapping 2.4).
_WORDS: dict[str, tuple[str, int, int]] = {
    "bytes": ("byte", 1, 1),
    "kilobytes": ("byte", 10**3, 2**10),
    "megabytes": ("byte", 10**6, 2**20),
    "gigabytes": ("byte", 10**9, 2**30),
    "terabytes": ("byte", 10**12, 2**40),
    "processors": ("count", 1, 1),
    "hertz": ("hertz", 1, 1),
    "megahertz": ("hertz", 10**6, 10**6),
    "bits per second": ("bit/second", 1, 1),
    "percent": ("percent", 1, 1),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what it counts (`byte`, `bit/second`), and how many of those one is."""

    base: str
    factor: Fraction


class UnitError(ValueError):
    """A unit that cannot be read, or that counts something else."""


@lru_cache(maxsize=512)
def parse_unit(text: str, *, binary_words: bool = False) -> Unit:
    """Return the unit `text` names.

    `binary_words` reads the words KiloBytes, MegaBytes, ... as powers of 1024, as
    libvirt-cim means them; the schema's PUnit makes them powers of 1000.
    Raises `UnitError`.
    """
    word = _WORDS.get(text.strip().lower())
    if word is not None:
        base, decimal, binary = word
        return Unit(base, Fraction(binary if binary_words else decimal))
    parts = _OPERATOR.split(text.strip().lower())
    bases, factor = _base(parts[0], text), Fraction(1)
    for operator, operand in zip(parts[1::2], parts[2::2], strict=True):
        number = _number(operand)
        if number is None:
            bases = f"{bases}{operator}{_base(operand, text)}"
        else:
            factor = factor * number if operator == "*" else factor / number
    return Unit(bases, factor)


def _base(part: str, text: str) -> str:
    if not _BASE.match(part):
        raise UnitError(f"{text!r} is no programmatic unit (such as 'byte*2^20')")
    return "byte" if part == "bytes" else "bit" if part == "bits" else part


def _number(operand: str) -> Fraction | None:
    match = _POWER.match(operand)
    if match is None:
        return None
    number, exponent = Fraction(match[1]), match[2]
    if number == 0:
        raise UnitError("a unit cannot have the factor 0")
    if exponent is None:
        return number
    if abs(int(exponent)) > 400:
        raise UnitError(f"the exponent {exponent} is out of any reason")
    return number ** int(exponent)


def conversion(source: Unit, target: Unit) -> Fraction:
    """Return what to multiply by, going from `source` to `target`. Raises `UnitError`."""
    if source.base != target.base:
        raise UnitError(f"{source.base} cannot be turned into {target.base}")
    return source.factor / target.factor
