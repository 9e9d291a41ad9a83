"""Value scopes: what they allow, what they assign, and what they say when they refuse."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.errors import BadRequest
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import UNITS, CimiVersion
from cimi_cim.service.metadata.scope_reading import read_scopes
from cimi_cim.service.scopes import admits, check_scopes
from cimi_cim.units import UnitError, conversion, parse_cimi_unit, parse_unit

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
CONFIG = MODEL["MachineConfiguration"].attributes


def check(*scopes: Any, creating: bool = True, rows: Any = CONFIG, **values: Any) -> dict[str, Any]:
    read = read_scopes(list(scopes), rows, MODEL)
    return check_scopes(read, values, rows, V2, creating=creating)


def refusal(*scopes: Any, creating: bool = True, rows: Any = CONFIG, **values: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        check(*scopes, creating=creating, rows=rows, **values)
    assert caught.value.reason == "value-scope"
    return caught.value.message


MEMORY = {"minimum": 4, "maximum": 32, "units": "gibibytes", "default": 4, "increment": 2}
GIB = 2**20  # in kibibytes, the unit of memory


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ({"cpu": {"value": 2}}, [2], [1, 3]),
        ({"cpu": {"value": "2"}}, [2], [1]),
        ({"cpu": {"values": [1, 2, 4]}}, [1, 2, 4], [0, 3, 5]),
        ({"cpu": {"minimum": 2}}, [2, 9], [1]),
        ({"cpu": {"maximum": 2}}, [0, 2], [3]),
        ({"cpu": {"minimum": 1, "maximum": 9, "increment": 4}}, [1, 5, 9], [0, 2, 7, 13]),
        # without a minimum, steps count down from the maximum (5.5.14)
        ({"cpu": {"maximum": 10, "increment": 4}}, [10, 6, 2, -2], [8, 12, 11]),
        ({"cpuSpeed": {"value": 2, "units": "gigahertz"}}, [2000], [2, 1999]),
        ({"cpuSpeed": {"values": [2.5, "3.1"], "units": "GHz"}}, [2500, 3100], [2, 3]),
        ({"memory": MEMORY}, [4 * GIB, 6 * GIB, 32 * GIB], [3 * GIB, 5 * GIB, 34 * GIB, 4]),
        ({"memory": {"units": "mebibytes"}}, [0, 1024, 2048], [1, 1023]),
        ({"cpuArch": {"values": ["ARM", "Alpha"]}}, ["ARM"], ["arm", "x86"]),
    ],
)
def test_a_scope_allows_what_it_says_and_nothing_else(
    scope: Any, allowed: list[Any], refused: list[Any]
) -> None:
    [name] = scope
    for value in allowed:
        assert check(scope, **{name: value}) == {name: value}
    for value in refused:
        assert name in refusal(scope, **{name: value})


def test_a_refusal_names_the_attribute_its_value_and_what_is_allowed() -> None:
    assert refusal({"memory": MEMORY}, memory=5) == (
        "memory is 5 kibibyte; allowed is 4 to 32 gibibytes, in steps of 2 gibibytes"
    )
    assert refusal({"cpu": {"values": [1, 2]}}, cpu=3) == "cpu is 3 count; allowed is 1, 2"
    assert refusal({"cpu": {"minimum": 2}}, cpu=1).endswith("allowed is 2 or more")
    assert refusal({"cpu": {"maximum": 2}}, cpu=3).endswith("allowed is 2 or less")
    assert refusal({"cpu": {"value": 2}}, cpu=3).endswith("allowed is only 2")
    assert refusal({"memory": {"units": "GiB"}}, memory=1).endswith("a whole number of GiB")


def test_one_of_several_scopes_is_enough_and_attributes_depend_on_each_other() -> None:
    """The example of 5.5.14, with units that it means."""
    fast = {"cpuSpeed": {"minimum": 2, "maximum": 4, "units": "GHz"},
            "memory": {"minimum": 2, "maximum": 10, "units": "gigabytes"},
            "cpuArch": {"value": "i5"}}  # fmt: skip
    other = {"memory": {"minimum": 4, "maximum": 32, "units": "gigabytes"},
             "cpuArch": {"values": ["68000", "Alpha", "PA_RISC"]}}  # fmt: skip
    small, large = 3 * 10**9 // 1024, 20 * 10**9 // 1024
    check(fast, other, cpuArch="i5", memory=small, cpuSpeed=2500)
    check(fast, other, cpuArch="Alpha", memory=large, cpuSpeed=100)
    said = refusal(fast, other, cpuArch="Alpha", memory=small)
    assert "cpuArch is Alpha; allowed is only i5; or: memory is" in said
    refusal(fast, other, cpuArch="i5", memory=large)


def test_without_scopes_everything_is_allowed() -> None:
    assert check(cpu=3) == {"cpu": 3}


def test_what_is_absent_is_assigned_at_creation_alone() -> None:
    scope = {"memory": MEMORY, "cpu": {"value": 2}, "cpuArch": {"values": ["ARM"]}}
    assert check(scope) == {"memory": 4 * GIB, "cpu": 2}
    assert check(scope, memory=None, cpu=2) == {"memory": 4 * GIB, "cpu": 2}
    assert check(scope, creating=False) == {}
    assert check({"cpuSpeed": {"values": [2, 3], "units": "GHz", "default": 3}}) == {
        "cpuSpeed": 3000
    }


def test_the_first_scope_that_can_be_met_assigns() -> None:
    first = {"cpuArch": {"value": "x86"}, "cpu": {"values": [1, 2], "default": 1}}
    second = {"cpuArch": {"value": "ARM"}, "cpu": {"values": [8], "default": 8}}
    assert check(first, second) == {"cpuArch": "x86", "cpu": 1}
    assert check(first, second, cpu=8) == {"cpuArch": "ARM", "cpu": 8}
    assert check(first, second, cpuArch="ARM") == {"cpuArch": "ARM", "cpu": 8}


def test_items_of_an_array_have_scopes_of_their_own() -> None:
    scope: Any = {"disks": {"item": {"capacity": {"maximum": 10, "units": "gigabyte"},
                                "format": {"values": ["ext4"], "default": "ext4"}}}}  # fmt: skip
    disks: list[dict[str, Any]] = [{"capacity": 10**7}, {"capacity": 5, "format": "ext4"}]
    found = check(scope, disks=disks)["disks"]
    assert [disk["format"] for disk in found] == ["ext4", "ext4"]
    assert "format" not in disks[0]
    assert "disks.capacity is 10000001 kilobyte" in refusal(scope, disks=[{"capacity": 10**7 + 1}])
    assert "disks.format is xfs" in refusal(scope, disks=[{"capacity": 1, "format": "xfs"}])


def test_every_value_of_an_array_must_be_among_those_allowed() -> None:
    rows = MODEL["MeterConfiguration"].attributes
    ours = "http://schemas.dmtf.org/cimi/2/Machine"
    scope = {"associatedResources": {"values": [ours]}}
    check(scope, rows=rows, associatedResources=[ours, ours])
    refusal(scope, rows=rows, associatedResources=[ours, "http://example.com/x"])


def test_references_and_booleans_are_compared_by_what_they_mean() -> None:
    rows = MODEL["MachineTemplate"].attributes
    scope = {"machineConfig": {"values": [Ref("machineConfigs/a"), Ref("machineConfigs/b")]}}
    check(scope, rows=rows, machineConfig=Ref("machineConfigs/b", values={"cpu": 2}))
    assert "machineConfigs/c" in refusal(scope, rows=rows, machineConfig=Ref("machineConfigs/c"))
    refusal(scope, rows=rows, machineConfig={"cpu": 2})
    volume = MODEL["VolumeImage"].attributes
    check({"bootable": {"value": "true"}}, rows=volume, bootable=True)
    assert refusal({"bootable": {"value": True}}, rows=volume, bootable=False).startswith(
        "bootable is false"
    )


def test_a_message_of_1_x_has_the_names_of_1_x() -> None:
    rows = MODEL["Machine"].attributes
    renamed = {"cpu": replace(rows["cpu"], forms={V1: rows["interfaces"].forms[V1]})}
    with pytest.raises(BadRequest, match=r"^networkInterfaces is 3"):
        check_scopes([{"cpu": {"value": 2}}], {"cpu": 3}, renamed, V1, creating=False)


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ({}, "must name"),
        ("cpu", "must name"),
        ({"gpu": {"value": 1}}, "no such attribute"),
        ({"created": {"value": "2026-01-01T00:00:00Z"}}, "no consumer sets"),
        ({"properties": {"value": "x"}}, "no single value"),
        ({"disks": {"values": []}}, "no single value"),
        ({"cpu": 4}, "must be a scope"),
        ({"cpu": {}}, "allows anything"),
        ({"cpu": {"value": 1, "values": [1]}}, "exclude each other"),
        ({"cpu": {"values": [1], "minimum": 1}}, "exclude each other"),
        ({"cpu": {"units": "megahertz"}}, "cannot be turned"),
        ({"cpu": {"value": 1, "units": "GbB"}}, "no unit of CIMI"),
        ({"cpuArch": {"value": "ARM", "units": "byte"}}, "has no units"),
        ({"memory": {"units": "byte", "default": 3}}, "a default goes with"),
        ({"cpuArch": {"minimum": 3}}, "only integers"),
        ({"cpu": {"minimum": 3, "maximum": 2}}, "above the maximum"),
        ({"cpu": {"minimum": 3, "increment": 0}}, "above 0"),
        ({"cpu": {"increment": 2}}, "counts from"),
        ({"cpu": {"value": "many"}}, "must be a number"),
        ({"cpu": {"value": True}}, "must be a number"),
        ({"cpu": {"value": "1e999999"}}, "must be a number"),
        ({"cpu": {"values": [1], "default": 2}}, "not allowed by the scope"),
        ({"memory": {**MEMORY, "default": 5}}, "not allowed by the scope"),
        ({"memory": {"value": 1, "units": "byte"}}, "no whole number of kibibyte"),
        ({"cpuArch": {"values": ["ARM"], "default": "x86"}}, "none of the values"),
        ({"cpuArch": {"value": 3}}, "must be a string"),
        ({"cpu": {"item": {"x": {"value": 1}}}}, "no items"),
        ({"disks": {"item": {"capacity": {"value": 1}}, "units": "byte"}}, "stands alone"),
        ({"disks": {"item": {"size": {"value": 1}}}}, "no such attribute"),
        ({"disks": {"item": 3}}, "must name"),
        ({"disks": {"item": {"capacity": {"units": 5}}}}, "no word"),
        ({"disks": {"item": {"capacity": {"most": 5}}}}, "knows no 'most'"),
        ({"cpu": {"value": 1e30}}, "at most 64 bits"),
        ({"memory": {"value": 2**62, "units": "GiB"}}, "fits 64 bits"),
    ],
)
def test_a_scope_that_means_nothing_is_refused_with_its_place(scope: Any, why: str) -> None:
    with pytest.raises(BadRequest, match=why) as caught:
        read_scopes([scope], CONFIG, MODEL)
    assert caught.value.reason == "bad-value-scope"
    assert caught.value.message.startswith("vscope[0]")


def test_a_scope_cannot_allow_what_the_standard_does_not() -> None:
    rows = MODEL["MachineTemplate"].attributes
    with pytest.raises(BadRequest, match="'RUNNING' is none of STARTED"):
        read_scopes([{"initialState": {"values": ["STARTED", "RUNNING"]}}], rows, MODEL)


def test_a_secret_cannot_be_scoped_and_so_never_stands_in_metadata_or_messages() -> None:
    rows = MODEL["Credential"].attributes
    with pytest.raises(BadRequest, match="no place for a secret"):
        read_scopes([{"password": {"values": ["hunter2"]}}], rows, MODEL)


def test_a_collection_takes_scopes_for_its_items() -> None:
    """The fifth form of 5.5.14."""
    rows = MODEL["Machine"].attributes
    scope = {"volumes": {"item": {"initialLocation": {"values": ["/dev/vda"]}}}}
    assert read_scopes([scope], rows, MODEL) == [scope]
    with pytest.raises(BadRequest, match="no single value"):
        read_scopes([{"volumes": {"value": "/dev/vda"}}], rows, MODEL)


def test_a_list_of_one_in_xml_may_have_a_default() -> None:
    scope = {"cpu": {"value": "2", "default": "2"}}
    assert read_scopes([scope], CONFIG, MODEL) == [{"cpu": {"values": [2], "default": 2}}]


WORDS = ["value", "values", "minimum", "maximum", "increment", "units", "default", "item"]
ATTRIBUTES = ["cpu", "memory", "cpuArch", "disks", "name", "properties", "capacity", "format"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
    | st.sampled_from(["byte", "GiB", "MHz", "ARM", "3", ""]) | st.just(Ref("machines/m")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(WORDS + ATTRIBUTES), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
scoped = st.dictionaries(st.sampled_from(WORDS), anything, max_size=3)


@given(st.lists(st.dictionaries(st.sampled_from(ATTRIBUTES), scoped, max_size=3), max_size=2))
def test_whatever_is_sent_is_refused_or_can_be_enforced_and_told(said: Any) -> None:
    try:
        read = read_scopes(said, CONFIG, MODEL)
    except BadRequest:
        return
    for values in ({}, {"cpu": 3, "memory": 7, "cpuArch": "ARM", "disks": [{"capacity": 1}]}):
        with suppress(BadRequest):
            found = check_scopes(read, values, CONFIG, V2, creating=True)
            orjson.dumps(found)  # whole numbers of 64 bits, no fractions
    read_scopes(read, CONFIG, MODEL)


UNITS_OF_MEMORY = ["byte", "kilobytes", "kibibyte", "megabytes", "GiB", "TB"]
numbers = st.integers(0, 64)
steps = st.none() | st.integers(1, 5)


@given(
    low=st.none() | numbers, high=st.none() | numbers, step=steps,
    unit=st.sampled_from(UNITS_OF_MEMORY), value=st.integers(0, 70),
)  # fmt: skip
def test_a_range_allows_exactly_its_steps_in_any_unit(
    low: int | None, high: int | None, step: int | None, unit: str, value: int
) -> None:
    bounds = {"minimum": low, "maximum": high, "increment": step}
    scope: dict[str, Any] = {name: said for name, said in bounds.items() if said is not None}
    scope["units"] = unit
    row = replace(CONFIG["memory"], unit="byte")
    steps_of = range(low, 1000, step or 1) if low is not None else range(high or 0, -1000,
                                                                         -(step or 1))  # fmt: skip
    expected = (
        (low is None or value >= low)
        and (high is None or value <= high)
        and ((low is None and high is None) or value in steps_of)
    )
    factor = conversion(parse_cimi_unit(unit), parse_cimi_unit("byte"))
    assert admits(scope, row, value * factor) is expected


SCOPES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.lists(numbers, min_size=1, max_size=3).flatmap(
                lambda values: st.sampled_from(values).map(
                    lambda default: {"values": values, "default": default}
                )
            ),
            "memory": numbers.flatmap(
                lambda low: st.just({"minimum": low, "default": low, "units": "mebibyte"})
            ),
        },
    ).filter(bool),
    max_size=3,
)


@given(SCOPES, st.dictionaries(st.sampled_from(["cpu", "memory"]), numbers))
def test_what_comes_out_meets_a_scope_and_what_was_said_stays(
    scopes: Any, values: dict[str, int]
) -> None:
    read = read_scopes(scopes, CONFIG, MODEL)
    try:
        found = check_scopes(read, values, CONFIG, V2, creating=True)
    except BadRequest:
        for scope in read:  # then none of them alone would do either
            with pytest.raises(BadRequest):
                check_scopes([scope], values, CONFIG, V2, creating=True)
        return
    assert found.items() >= values.items()
    assert check_scopes(read, found, CONFIG, V2, creating=False) == found


def test_the_units_of_the_tables_and_of_table_4_are_all_known() -> None:
    for unit in UNITS:
        assert parse_cimi_unit(unit).base
    for n, (ten, two) in enumerate(zip("kmgtpezy", "kmgtpezy", strict=True), 1):
        words = {"k": ("kilo", "kibi"), "m": ("mega", "mebi"), "g": ("giga", "gibi"),
                 "t": ("tera", "tebi"), "p": ("peta", "pebi"), "e": ("exa", "exbi"),
                 "z": ("zetta", "zebi"), "y": ("yotta", "yobi")}  # fmt: skip
        assert parse_cimi_unit(f"{words[ten][0]}byte").factor == 10 ** (3 * n)
        assert parse_cimi_unit(f"{words[two][1]}bytes").factor == 2 ** (10 * n)


@pytest.mark.parametrize(
    ("word", "programmatic"),
    [("MHz", "hertz*10^6"), ("kB", "byte*10^3"), ("KiB", "byte*2^10"), ("B", "byte"),
     ("bit per second", "bit/second"), ("Megabits per second", "bit/second*10^6"),
     ("milliseconds", "second*10^-3"), ("minute", "second*60"), (" percent ", "percent")],
)  # fmt: skip
def test_units_of_cimi_mean_what_programmatic_units_mean(word: str, programmatic: str) -> None:
    assert parse_cimi_unit(word) == parse_unit(programmatic)


@pytest.mark.parametrize("word", ["", "GbB", "KB", "mb", "bytes*10", "hertzes", "byte per"])
def test_what_is_no_unit_of_cimi_is_refused(word: str) -> None:
    with pytest.raises(UnitError):
        parse_cimi_unit(word)
