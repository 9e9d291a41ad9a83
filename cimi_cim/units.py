"""Programmatic units (DSP0004 annex C), the older words, and the units of CIMI.

All come to a base and an exact factor: `byte*2^20`, `hertz * 10^6`, `bit / second`, `count`,
`KiloBytes`, `Processors`; in CIMI `kibibyte`, `megahertz`, `bit per second` (DSP0263 5.6).
Bases are singular and in lower case; a plural base (`bytes*10^3`), which the CIM schema's
own examples use, is read too.
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
# factors that old providers mean by them (cim-mapping 2.4); and what people write behind
# a number (`4 GB`), where case tells nothing: sizes are bytes, rates are bits.
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
    "%": ("percent", 1, 1),
    "b": ("byte", 1, 1),
    **{
        spelled: ("byte", 1000**n, 1024**n)
        for n, letter in enumerate("kmgtp", 1)
        for spelled in (letter, f"{letter}b", f"{letter}byte", f"{letter}bytes")
    },
    **{f"{letter}ib": ("byte", 1024**n, 1024**n) for n, letter in enumerate("kmgtp", 1)},
    **{f"{letter}hz": ("hertz", 1000**n, 1000**n) for n, letter in enumerate(("", "k", "m", "g"))},
    **{
        spelled: ("bit/second", 1000**n, 1000**n)
        for n, letter in enumerate(("", "k", "m", "g", "t"))
        for spelled in (f"{letter}bps", f"{letter}bit/s", f"{letter}b/s")
    },
}

_DECIMAL = ("kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta")
_BINARY = ("kibi", "mebi", "gibi", "tebi", "pebi", "exbi", "zebi", "yobi")
_PREFIXES = {
    "": Fraction(1),
    "milli": Fraction(1, 1000),
    **{word: Fraction(10 ** (3 * n)) for n, word in enumerate(_DECIMAL, 1)},
    **{word: Fraction(2 ** (10 * n)) for n, word in enumerate(_BINARY, 1)},
}
_SYMBOLS = {
    "": Fraction(1),
    **{word[0].upper().replace("K", "k"): _PREFIXES[word] for word in _DECIMAL},
    **{f"{word[0].upper()}i": _PREFIXES[word] for word in _BINARY},
}
_CIMI_BASES = {
    "byte": ("byte", 1), "bit": ("bit", 1), "hertz": ("hertz", 1), "count": ("count", 1),
    "percent": ("percent", 1), "second": ("second", 1), "minute": ("second", 60),
    "hour": ("second", 3600), "day": ("second", 86400),
}  # fmt: skip
_CIMI_WORD = re.compile(rf"({'|'.join(_PREFIXES)})({'|'.join(_CIMI_BASES)})s?( per second)?\Z")
_CIMI_SYMBOL = re.compile(rf"({'|'.join(_SYMBOLS)})(B|Hz)\Z")


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


@lru_cache(maxsize=512)
def parse_cimi_unit(text: str) -> Unit:
    """Return the unit that a word of CIMI names (DSP0263 5.6, Table 4).

    Words may be plural (`kibibytes`) and in capitals; the symbols of IEC 80000-13 are read
    too (`kB`, `GiB`, `MHz`), in their own capitals. Raises `UnitError`.
    """
    symbol = _CIMI_SYMBOL.match(text.strip())
    if symbol is not None:
        return Unit("byte" if symbol[2] == "B" else "hertz", _SYMBOLS[symbol[1]])
    word = _CIMI_WORD.match(text.strip().lower())
    if word is None:
        raise UnitError(f"{text[:40]!r} is no unit of CIMI (such as 'kibibyte' or 'megahertz')")
    base, factor = _CIMI_BASES[word[2]]
    return Unit(f"{base}/second" if word[3] else base, _PREFIXES[word[1]] * factor)


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
