"""`$orderby`, `$first`, `$last`, `$select`, `$expand` (DSP0263 4.1.6), before anything is read."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimi_cim.errors import BadRequest
from cimi_cim.http.query_parameters import parse_query
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location, resolve
from cimi_cim.model.resources import Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.query import Query

MODEL = load_model()
MACHINES = Location("Machine", (("machines", None),))
MACHINE = Location("Machine", (("machines", "1"),))


def query(*parameters: tuple[str, str], location: Location = MACHINES, version: str = "2") -> Query:
    return parse_query(parameters, location, MODEL, CimiVersion(version))


def picked(items: list[dict[str, Any]], *parameters: tuple[str, str]) -> tuple[list[str], int]:
    resources = [Resource("Machine", f"machines/{n}", item) for n, item in enumerate(items)]
    found, count = query(*parameters).pick(resources, lambda ref: ref.path)
    return [item.path.rpartition("/")[2] for item in found], count


CPUS: list[dict[str, Any]] = [
    {"cpu": 2, "name": "b"},
    {"cpu": 1, "name": "c"},
    {"name": "d"},
    {"cpu": 2, "name": "a"},
]


def test_items_are_sorted_by_one_key_after_the_other() -> None:
    assert picked(CPUS, ("$orderby", "cpu,name"))[0] == ["2", "1", "3", "0"]
    assert picked(CPUS, ("$orderby", "cpu:desc, name:asc"))[0] == ["3", "0", "1", "2"]
    assert picked(CPUS, ("$orderby", "cpu:desc"), ("$orderby", "name"))[0] == ["3", "0", "1", "2"]


@given(st.lists(st.text(max_size=6), max_size=8))
def test_strings_sort_by_their_decomposed_form(names: list[str]) -> None:
    order, _ = picked([{"name": name} for name in names], ("$orderby", "name"))
    found = [unicodedata.normalize("NFKD", names[int(n)]) for n in order]
    keys = [name.encode("utf-8", "surrogatepass") for name in found]
    assert keys == sorted(keys)


@given(st.integers(0, 12), st.integers(-3, 15), st.integers(-3, 15))
def test_a_range_gives_what_lies_inside_and_never_fails(size: int, first: int, last: int) -> None:
    items = [{"cpu": n} for n in range(size)]
    found, count = picked(items, ("$orderby", "cpu"), ("$first", str(first)), ("$last", str(last)))
    expected = [str(n) for n in range(size) if first <= n + 1 <= last]
    assert (found, count) == (expected, size)


def test_the_count_is_that_before_the_range_and_after_the_filter() -> None:
    parameters = (("$filter", "cpu>=1"), ("$orderby", "name"), ("$first", "2"), ("$last", "2"))
    assert picked(CPUS, *parameters) == (["0"], 3)


def test_several_filters_must_all_hold() -> None:
    assert picked(CPUS, ("$filter", "cpu=2"), ("$filter", "name='a'"))[0] == ["3"]


def test_what_filter_and_order_need_is_known() -> None:
    assert query(("$filter", "cpu>1"), ("$orderby", "created")).needs == {"cpu", "created"}


@pytest.mark.parametrize(
    ("select", "own", "items"),
    [
        ("name,state", None, {"name", "state"}),
        ("count", {"count"}, set()),
        ("count,operations", {"count", "operations"}, set()),
        ("count,name", {"count", "items"}, {"name"}),
        ("machines/id,machines/name,operations", {"operations", "items"}, {"id", "name"}),
        ("machines/count,machines/operations", None, {"operations"}),
        ("machines", {"items"}, None),
        ("machines/*,count", {"count", "items"}, None),
        ("count,machines", {"count", "items"}, None),
        ("updated,parent", {"updated", "parent"}, set()),
        ("machines/updated", None, {"updated"}),
        ("nonsense", None, set()),
        ("volumes/name,count,nonsense", {"count"}, set()),
        ("*", None, None),
        ("name,*", None, None),
    ],
)
def test_names_select_in_the_collection_or_in_its_items(
    select: str, own: set[str] | None, items: set[str] | None
) -> None:
    found = query(("$select", select))
    assert (found.selected, found.selected_items) == (own, items)


@pytest.mark.parametrize(
    ("version", "path", "select"),
    [
        ("2", "machineConfigs", "machineConfigurations/cpu"),
        ("2", "machineConfigs", "machineConfigs/cpu"),
        ("2", "machines/1/interfaces", "networkInterfaces/mtu"),
        ("2", "machines/1/interfaces", "interfaces/mtu"),
        ("1", "machines/1/networkInterfaces", "machineNetworkInterfaces/mtu"),
        ("1", "machines/1/networkInterfaces", "networkInterfaces/mtu"),
    ],
)
def test_a_path_begins_with_the_name_of_the_list_or_of_the_collection(
    version: str, path: str, select: str
) -> None:
    location = resolve(MODEL, CimiVersion(version), path.split("/"))
    assert location is not None
    found = query(("$select", select), location=location, version=version)
    assert found.selected is None
    assert found.selected_items == frozenset({select.rpartition("/")[2]})


def test_a_collection_of_1_x_has_no_updated_of_its_own() -> None:
    found = query(("$select", "updated,count"), version="1")
    assert found.selected == frozenset({"count", "items"})
    assert found.selected_items == frozenset({"updated"})


def test_repeated_selections_add_up_and_names_are_the_versions() -> None:
    found = query(("$select", "name"), ("$select", "interfaces,state"), location=MACHINE)
    assert found.selected == frozenset({"name", "state", "interfaces"})
    found = query(("$select", "networkInterfaces"), location=MACHINE, version="1")
    assert found.selected == frozenset({"interfaces"})


def test_only_references_are_expanded() -> None:
    assert query(("$expand", "disks,name,nonsense"), location=MACHINE).expanded == {"disks"}
    everything = query(("$expand", "*"), location=MACHINE).expanded
    assert {"disks", "volumes", "interfaces"} <= everything
    assert query(("$expand", ""), location=MACHINE).expanded == everything


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("$filter", "cpu>", "$filter: "),
        ("$orderby", "nonsense", "is none of its attributes"),
        ("$orderby", "disks", "cannot be sorted"),
        ("$orderby", "cpu:down", ":asc or :desc"),
        ("$first", "one", "must be a number"),
        ("$last", "", "must be a number"),
        ("$select", "a," * 300, "at most"),
    ],
)
def test_a_mistake_is_told(parameter: str, value: str, said: str) -> None:
    with pytest.raises(BadRequest) as error:
        query((parameter, value))
    assert said in error.value.message


def test_unknown_parameters_are_ignored() -> None:
    assert query(("$nonsense", "1"), ("page", "2")) == Query()
