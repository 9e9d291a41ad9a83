from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.units import Unit, UnitError, conversion, parse_unit


@pytest.mark.parametrize(
    ("text", "base", "factor"),
    [
        ("byte", "byte", 1),
        ("byte*2^20", "byte", 2**20),
        ("byte * 10^3", "byte", 1000),
        ("bytes*10^3", "byte", 1000),
        ("hertz * 10^6", "hertz", 10**6),
        ("bit / second", "bit/second", 1),
        ("bit / second * 10^6", "bit/second", 10**6),
        ("count", "count", 1),
        ("percent", "percent", 1),
        ("second * 10^-3", "second", Fraction(1, 1000)),
        ("byte / 4", "byte", Fraction(1, 4)),
        ("KiloBytes", "byte", 1000),
        ("Megabytes", "byte", 10**6),
        ("Processors", "count", 1),
    ],
)
def test_programmatic_units_and_schema_words_are_read(
    text: str, base: str, factor: int | Fraction
) -> None:
    assert parse_unit(text) == Unit(base, Fraction(factor))


def test_an_overlay_may_say_that_the_words_are_binary() -> None:
    assert parse_unit("KiloBytes", binary_words=True).factor == 1024
    assert parse_unit("Megabytes", binary_words=True).factor == 2**20
    assert parse_unit("byte*10^3", binary_words=True).factor == 1000


@pytest.mark.parametrize(
    "text", ["", "2^20", "byte**2", "byte*", "byte*2^99999", "µbyte", "*", "byte/0", "byte*0^-1"]
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_unit(text)


def test_different_bases_do_not_convert() -> None:
    with pytest.raises(UnitError):
        conversion(parse_unit("byte"), parse_unit("count"))


@given(st.text())
def test_any_text_is_a_unit_or_a_unit_error(text: str) -> None:
    with contextlib.suppress(UnitError):
        parse_unit(text)


@given(st.sampled_from([2, 10]), st.integers(0, 60), st.integers(0, 60))
def test_conversion_there_and_back_is_exact(base: int, one: int, other: int) -> None:
    first, second = parse_unit(f"byte*{base}^{one}"), parse_unit(f"byte*{base}^{other}")
    assert conversion(first, second) * conversion(second, first) == 1
