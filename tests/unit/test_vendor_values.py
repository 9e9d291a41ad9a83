"""What vendors put into one value: numbers as text, units behind them, dates of every kind."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.mapping.conditions import parse_test
from cimi_cim.mapping.converters import (
    Quantity,
    boolean,
    epoch,
    epoch_ms,
    iso8601,
    value_table,
)
from cimi_cim.mapping.expressions import evaluator, parse_expression
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.mapping.numbers import amount, number, percent
from cimi_cim.wbem.values import InstancePath, Row


def row(**values: Any) -> Row:
    return Row(InstancePath("ns", "C", (("K", 1),)), values)


def computed(text: str, **rows: Any) -> Any:
    return evaluator(parse_expression(text))(rows)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4096", (4096, None)),
        (" 4 GB ", (4, "GB")),
        ("4096MB", (4096, "MB")),
        ("1.5GiB", (Fraction(3, 2), "GiB")),
        ("4,096 MB", (4096, "MB")),
        ("45 %", (45, "%")),
        ("2 byte*2^20", (2, "byte*2^20")),
        ("0x10", None),
        ("GB 4", None),
        ("", None),
        (True, None),
        (float("nan"), None),
    ],
)
def test_an_amount_is_a_number_and_the_unit_behind_it(value: Any, expected: Any) -> None:
    assert amount(value) == expected


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_whatever_stands_there_is_a_number_or_none(value: Any) -> None:
    assert number(value) is None or type(number(value)) in (int, float)
    found = percent(value)
    assert found is None or 0 <= found <= 100


@pytest.mark.parametrize(
    ("value", "is_binary", "kibibytes"),
    [
        ("4 GB", True, 4 * 2**20),
        ("4 GB", False, 4 * 10**9 // 1024),
        ("4096MB", True, 4 * 2**20),
        ("4GiB", False, 4 * 2**20),
        ("1.5 GB", True, 3 * 2**19),
        ("512", True, 512 * 1024),  # the default
        ("4 parsecs", True, None),
        ("much", True, None),
    ],
)
def test_a_unit_in_the_text_counts_before_the_default(
    value: str, is_binary: bool, kibibytes: int | None
) -> None:
    quantity = Quantity((), frozenset(), "byte*2^20", "byte*2^10", is_binary=is_binary)
    assert quantity.reader(parse_expression("a.V"))({"a": row(V=value)}) == kibibytes


def test_a_quantity_sums_an_array_and_many_rows_with_arrays() -> None:
    quantity = Quantity((), frozenset(), "byte*2^20", "byte*2^10")
    reader = quantity.reader(parse_expression("sum(a.V)"))
    assert reader({"a": row(V=(1, "2", "1 GiB"))}) == (3 + 1024) * 1024
    assert reader({"a": (row(V=(1, 2)), row(V=None), row(V=(4,)))}) == 7 * 1024


def test_parts_of_different_units_add_up_exactly() -> None:
    quantity = Quantity((), frozenset(), "byte", "byte*10^3", is_binary=False)
    reader = quantity.reader(parse_expression("sum(a.V)"))
    assert reader({"a": row(V=("0.5 KB", "0.5 KiB", "988"))}) == 2


def test_aggregates_read_numbers_written_as_text() -> None:
    rows = (row(N="2"), row(N=3), row(N="many"))
    assert computed("sum(a.N)", a=rows) == 5
    assert computed("max(a.N)", a=rows) == 3


@pytest.mark.parametrize(
    "text",
    [
        "{6F9619FF-8B86-D011-B42D-00C04FC964FF}",
        "6F9619FF8B86D011B42D00C04FC964FF",
        "{6f9619ff8b86d011b42d00c04fc964ff}",
        "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff",
    ],
)
def test_a_uuid_is_written_one_way(text: str) -> None:
    found = FUNCTIONS["uuid"].run(text)
    assert found == "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    assert FUNCTIONS["uuid"].run(found) == found


@given(st.one_of(st.text(), st.integers(), st.none()))
def test_no_text_makes_a_function_of_texts_fail(value: Any) -> None:
    for name, others in (("uuid", ()), ("upper", ()), ("split", (",",)), ("part", (",", "1")),
                         ("replace", ("a", "b")), ("in_unit", ("byte", "bit"))):  # fmt: skip
        FUNCTIONS[name].run(value, *others)


@pytest.mark.parametrize(("place", "expected"), [("1", "a"), ("2", "b"), ("-1", "c"), ("4", None)])
def test_a_part_is_told_by_its_place(place: str, expected: str | None) -> None:
    assert computed(f"part(x.T, ';', '{place}')", x=row(T="a; b;c")) == expected


def test_a_number_in_another_unit_is_never_less_than_was_asked_for() -> None:
    in_unit = FUNCTIONS["in_unit"].run
    assert in_unit(1048576, "byte*2^10", "byte*4096") == 262144
    assert in_unit(1048577, "byte*2^10", "byte*4096") == 262145
    assert in_unit("10", "byte*10^3", "byte*10^6") == 1
    assert in_unit(1, "byte", "second") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        ("1763953200", "2025-11-24T03:00:00+00:00"),
        (1763953200.5, "2025-11-24T03:00:00.500000+00:00"),
        (10**30, None),
        ("yesterday", None),
    ],
)
def test_seconds_since_1970_are_a_date(value: Any, expected: str | None) -> None:
    assert epoch(value) == expected


def test_milliseconds_since_1970_are_a_date() -> None:
    assert epoch_ms("1763953200000") == "2025-11-24T03:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T03:15:00Z", "2026-11-24T03:15:00+00:00"),
        ("2026-11-24 03:15", "2026-11-24T03:15:00+00:00"),
        ("2026-11-24T03:15:00.25+0130", "2026-11-24T03:15:00.25+01:30"),
        ("2026-11-24T03:15:00-05", "2026-11-24T03:15:00-05:00"),
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("2026-02-30T00:00:00Z", None),
    ],
)
def test_dates_in_iso_8601_are_read_too(text: str, expected: str | None) -> None:
    assert iso8601(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("YES", True), ("no", False), ("On", True), (0, False), (1, True), ("maybe", None)],
)
def test_booleans_have_many_words(value: Any, expected: bool | None) -> None:
    assert boolean(value) is expected


def test_a_map_has_a_line_for_every_other_value() -> None:
    convert = value_table({"110": "STARTED", "1*": "STOPPED", "*": "ERROR"}, "states")
    assert [convert(n) for n in (110, 100, 7)] == ["STARTED", "STOPPED", "ERROR"]
    assert value_table({"true": "STARTED"}, "states")(True) == "STARTED"


@pytest.mark.parametrize(
    ("test", "value", "holds"),
    [
        ({"bits": 4}, 12, True),
        ({"bits": 6}, 4, False),
        ({"bits": 4}, "12", True),
        ({"bits": 4}, "on", False),
        ({"between": [100, 199]}, 199, True),
        ({"between": [100, 199]}, "200", False),
        ({"like": "run*"}, "Running (healthy)", True),
        ({"like": "run*"}, "overrun", False),
        ({"like": "run*"}, 7, False),
        ({"bits": 4}, None, False),
    ],
)
def test_conditions_look_into_values(test: Any, value: Any, holds: bool) -> None:
    assert parse_test(test).holds(value) is holds
