"""Conversions from CIM values to CIMI values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.mapping.converters import Quantity, duration, integer, iso8601, mac, value_table
from cimi_cim.mapping.expressions import parse_expression
from cimi_cim.wbem.values import CimDateTime, InstancePath, Row


def row(**values: Any) -> Row:
    return Row(InstancePath("ns", "C", (("K", 1),)), values)


def quantity(to: str, **options: Any) -> Quantity:
    units = tuple(parse_expression(unit) for unit in options.pop("units", ()))
    return Quantity(units, options.pop("ignore", frozenset()), options.pop("default", "byte"), to,
                    **options)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261124031500.000000+060", "2026-11-24T03:15:00+01:00"),
        ("20261124031500.250000-330", "2026-11-24T03:15:00.25-05:30"),
        ("20261124******.******+000", "2026-11-24T00:00:00+00:00"),
        ("2026**********.******+000", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_cim_datetimes_become_xs_datetime(text: str | None, expected: str | None) -> None:
    assert iso8601(None if text is None else CimDateTime(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00000001020304.500000:000", "P1DT2H3M4.5S"),
        ("00000000000000.000000:000", "PT0S"),
        ("00000002000000.000000:000", "P2D"),
        ("20261124031500.000000+060", None),
    ],
)
def test_cim_intervals_become_xs_duration(text: str, expected: str | None) -> None:
    assert duration(CimDateTime(text)) == expected


def test_each_row_is_converted_by_its_own_unit() -> None:
    reader = quantity("byte*2^10", units=["mem.U"], ignore=frozenset({"count"})).reader(
        parse_expression("sum(mem.V)")
    )
    rows = (row(V=1, U="byte*2^20"), row(V=512, U="byte*2^10"), row(V=1024, U="count"))
    assert reader({"mem": rows}) == 1024 + 512 + 1


def test_a_unit_that_cannot_be_read_makes_the_value_absent() -> None:
    reader = quantity("byte", units=["a.U"]).reader(parse_expression("a.V"))
    assert reader({"a": row(V=5, U="furlong/fortnight")}) is None
    assert reader({"a": row(U="byte")}) is None
    assert reader({"a": None}) is None


def test_legacy_words_are_binary_only_where_the_mapping_says_so() -> None:
    read = parse_expression("a.V")
    for is_binary, expected in ((True, 131072), (False, 128000)):
        reader = quantity("byte*2^10", units=["a.U"], is_binary=is_binary).reader(read)
        assert reader({"a": row(V=131072, U="KiloBytes")}) == expected


@given(st.integers(0, 2**63), st.sampled_from(["floor", "ceil", "nearest"]))
def test_rounding_never_strays_by_a_whole_unit(number: int, rounding: str) -> None:
    reader = quantity("byte*10^3", rounding=rounding).reader(parse_expression("a.V"))
    converted = reader({"a": row(V=number)})
    assert abs(converted * 1000 - number) < 1000
    if rounding == "floor":
        assert converted * 1000 <= number


@given(st.one_of(st.integers(), st.text(), st.floats(), st.none(), st.booleans()))
def test_integer_reads_numbers_and_numeric_texts_and_refuses_the_rest(value: Any) -> None:
    found = integer(value)
    assert found is None or (isinstance(found, int) and not isinstance(found, bool))


@pytest.mark.parametrize("text", ["00:16:3E:aa:bb:cc", "00-16-3e-AA-BB-CC", "00163EAABBCC"])
def test_mac_addresses_are_written_one_way(text: str) -> None:
    assert mac(text) == "00:16:3e:aa:bb:cc"


@given(st.text())
def test_a_mac_is_well_formed_or_absent(text: str) -> None:
    found = mac(text)
    assert found is None or re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", found)


def test_value_tables_take_exact_keys_before_prefixes() -> None:
    convert = value_table({"DMTF:x86:64": "x86_64", "DMTF:x86:*": "x86"}, "arch")
    assert (convert("DMTF:x86:64"), convert("DMTF:x86:i386")) == ("x86_64", "x86")
    assert convert("other") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x10", 16),
        (" 42 ", 42),
        ("42.0", 42),
        ("42.", 42),
        ("-7", -7),
        ("42.5", None),
        ("0x", None),
    ],
)
def test_integer_reads_the_spellings_that_servers_use(text: str, number: int | None) -> None:
    assert integer(text) == number
