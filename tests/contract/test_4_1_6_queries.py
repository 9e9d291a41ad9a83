"""Clause 4.1.6: $filter, $first and $last, $select, $expand, $format, $orderby."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.provider import JSON, MACHINES, XML, Provider

NS = f"{{{CimiVersion.V2.namespace}}}"
Machine = dict[str, Any]


@pytest.fixture
def url(provider: Provider) -> str:
    return provider.collection("machines")


@pytest.fixture
def everything(provider: Provider, url: str) -> list[Machine]:
    """All machines as they are without a query."""
    found: list[Machine] = provider.get(url)["machines"]
    assert len(found) == MACHINES
    return found


def ids(document: dict[str, Any]) -> list[str]:
    return [item["id"] for item in document.get("machines", [])]


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("state='STARTED'", lambda m: m["state"] == "STARTED"),
        ('state="STARTED"', lambda m: m["state"] == "STARTED"),
        ("state!='STARTED'", lambda m: m["state"] != "STARTED"),
        ("cpu=2", lambda m: m["cpu"] == 2),
        ("cpu!=2", lambda m: m["cpu"] != 2),
        ("cpu<4", lambda m: m["cpu"] < 4),
        ("cpu<=4", lambda m: m["cpu"] <= 4),
        ("cpu>2", lambda m: m["cpu"] > 2),
        ("cpu>=4", lambda m: m["cpu"] >= 4),
        ("4<=cpu", lambda m: m["cpu"] >= 4),
        ("'STOPPED'=state", lambda m: m["state"] == "STOPPED"),
        ("created>=2025-12-01", lambda m: m["created"] >= "2025-12-01"),
        ("created<2025-12-01T00:00:00Z", lambda m: m["created"] < "2025-12-01"),
        (
            "state='STOPPED' or cpu>=4 and memory>4000000",
            lambda m: m["state"] == "STOPPED" or (m["cpu"] >= 4 and m["memory"] > 4000000),
        ),
        (
            "(state='STOPPED' or cpu>=4) and memory>4000000",
            lambda m: (m["state"] == "STOPPED" or m["cpu"] >= 4) and m["memory"] > 4000000,
        ),
        ("cpu=2 and state='STARTED' or cpu=1", lambda m: (m["cpu"] == 2 and m["state"] == "STARTED")
         or m["cpu"] == 1),
        ("state='NEVER'", lambda m: False),
    ],
)  # fmt: skip
def test_4_1_6_1_a_filter_keeps_the_items_it_holds_for(
    provider: Provider,
    url: str,
    everything: list[Machine],
    text: str,
    keep: Callable[[Machine], bool],
) -> None:
    found = provider.get(url, ("$filter", text))
    assert ids(found) == [m["id"] for m in everything if keep(m)]


@pytest.mark.parametrize(
    ("text", "where"),
    [("", "at its end"), ("state", "at its end"), ("state=", "at its end"),
     ("cpu=1 and", "at its end"), ("(cpu=1", "at its end"), ("state='A", "at position 7"),
     ("cpu=1 xor cpu=2", "at position 7"), ("cpu==1", "at position 5"),
     ("cpu=state", "at position 5")],
)  # fmt: skip
def test_4_1_6_1_what_is_no_expression_is_refused_with_its_position(
    provider: Provider, url: str, text: str, where: str
) -> None:
    answer = provider.request("GET", url, ("$filter", text))
    assert answer.status == 400
    assert where in answer.job["statusMessage"]


@pytest.mark.parametrize("text", ["colour='red'", "1=volume", "State='STARTED'"])
def test_4_1_6_1_an_attribute_that_does_not_exist_is_refused(
    provider: Provider, url: str, text: str
) -> None:
    answer = provider.request("GET", url, ("$filter", text))
    assert answer.status == 400
    assert "position" in answer.job["statusMessage"]


@pytest.mark.parametrize(
    ("text", "status"),
    [("state<'A'", 400), ("state>='A'", 400), ("cpu='two'", 400), ("cpu=true", 400),
     ("created=17", 400), ("state=STARTED", 400), ("cpu>=0", 200), ("created!=2025-12-01", 200)],
)  # fmt: skip
def test_4_1_6_1_operators_fit_the_type_of_the_attribute(
    provider: Provider, url: str, text: str, status: int
) -> None:
    assert provider.request("GET", url, ("$filter", text)).status == status


def test_4_1_6_1_percent_encoding_is_decoded(provider: Provider, url: str) -> None:
    plain = provider.get(url, ("$filter", "state='STARTED' and cpu>=2"))
    coded = "%24filter=%73tate%3D%27STARTED%27%20and%20cpu%3E%3D2"
    assert provider.get(f"{url}?{coded}") == plain
    assert ids(plain)


def test_4_1_6_1_several_filters_must_all_hold(provider: Provider, url: str) -> None:
    both = provider.get(url, ("$filter", "state='STARTED'"), ("$filter", "cpu>=2"))
    assert both == provider.get(url, ("$filter", "state='STARTED' and cpu>=2"))
    assert ids(both)
    none = provider.get(url, ("$filter", "state='STARTED'"), ("$filter", "state='STOPPED'"))
    assert (ids(none), none["count"]) == ([], 0)


def test_4_1_6_1_the_count_is_that_of_the_items_kept(provider: Provider, url: str) -> None:
    found = provider.get(url, ("$filter", "state='STARTED'"))
    assert found["count"] == len(ids(found)) < MACHINES
    root = provider.get_xml(url, ("$filter", "state='STARTED'"))
    assert root.findtext(f"{NS}count") == str(found["count"])


def test_4_1_6_2_positions_are_the_first_and_the_last_item(provider: Provider, url: str) -> None:
    whole = ids(provider.get(url, ("$first", "1")))
    assert len(whole) == MACHINES
    for first, last in ((1, 1), (2, 4), (MACHINES, MACHINES), (1, MACHINES)):
        found = provider.get(url, ("$first", str(first)), ("$last", str(last)))
        assert ids(found) == whole[first - 1 : last]


@pytest.mark.parametrize("name", ["$first", "$last"])
def test_4_1_6_2_a_position_is_a_number(provider: Provider, url: str, name: str) -> None:
    for text in ("two", "", "1.5", "1e1"):
        answer = provider.request("GET", url, (name, text))
        assert answer.status == 400, text
        assert name in answer.job["statusMessage"]


def test_4_1_6_2_without_last_the_range_goes_on_to_the_end(provider: Provider, url: str) -> None:
    whole = ids(provider.get(url, ("$first", "1")))
    assert ids(provider.get(url, ("$first", "3"))) == whole[2:]


def test_4_1_6_2_without_first_the_range_begins_at_1(provider: Provider, url: str) -> None:
    whole = ids(provider.get(url, ("$first", "1")))
    assert ids(provider.get(url, ("$last", "3"))) == whole[:3]


def test_4_1_6_2_positions_are_stable(provider: Provider, url: str) -> None:
    for query in ([], [("$filter", "cpu>=2")], [("$orderby", "cpu")]):
        whole = ids(provider.get(url, ("$first", "1"), *query))
        for number, id in enumerate(whole, 1):
            position = ("$first", str(number)), ("$last", str(number))
            assert ids(provider.get(url, *position, *query)) == [id]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"$first": "7", "$last": "99"}, slice(6, None)),
        ({"$first": "0", "$last": "2"}, slice(0, 2)),
        ({"$first": "-5"}, slice(0, None)),
        ({"$first": "99"}, slice(0, 0)),
        ({"$last": "0"}, slice(0, 0)),
        ({"$first": "9" * 30}, slice(0, 0)),
        ({"$first": "5", "$last": "4"}, slice(0, 0)),
    ],
)
def test_4_1_6_2_of_a_range_outside_the_collection_the_part_inside_is_shown(
    provider: Provider, url: str, query: dict[str, str], expected: slice
) -> None:
    whole = ids(provider.get(url, ("$first", "1")))
    found = provider.get(url, *query.items())
    assert ids(found) == whole[expected]
    assert found["count"] == MACHINES


def test_4_1_6_2_the_range_counts_among_what_the_filter_leaves(
    provider: Provider, url: str
) -> None:
    filter = ("$filter", "state='STARTED'")
    whole = provider.get(url, filter, ("$first", "1"))
    found = provider.get(url, filter, ("$first", "2"), ("$last", "3"))
    assert ids(found) == ids(whole)[1:3]
    assert found["count"] == whole["count"] == len(ids(whole)) > 3


def test_4_1_6_2_the_count_is_that_before_the_range(provider: Provider, url: str) -> None:
    found = provider.get(url, ("$first", "2"), ("$last", "3"))
    assert (len(ids(found)), found["count"]) == (2, MACHINES)
    root = provider.get_xml(url, ("$first", "2"), ("$last", "3"))
    assert root.findtext(f"{NS}count") == str(MACHINES)


def test_4_1_6_3_only_selected_attributes_are_shown(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    found = provider.get(machine["id"], ("$select", "name,cpu,disks"))
    assert found == {name: machine[name] for name in ("resourceURI", "name", "cpu", "disks")}
    root = provider.get_xml(machine["id"], ("$select", "name,cpu,disks"))
    assert [etree.QName(child).localname for child in root] == ["name", "cpu", "disks"]
    nothing = provider.get(machine["id"], ("$select", ""))
    assert nothing == {"resourceURI": machine["resourceURI"]}


def test_4_1_6_3_operations_can_be_selected(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    found = provider.get(machine["id"], ("$select", "operations"))
    assert found == {name: machine[name] for name in ("resourceURI", "operations")}


def test_4_1_6_3_a_star_selects_everything(provider: Provider, url: str) -> None:
    machine = provider.machine("STARTED")
    assert provider.get(machine["id"], ("$select", "*")) == machine
    assert provider.get(url, ("$select", "*")) == provider.get(url)


def test_4_1_6_3_several_selections_are_one(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    apart = provider.get(machine["id"], ("$select", "name"), ("$select", "state"))
    assert apart == provider.get(machine["id"], ("$select", "name,state"))
    assert set(apart) == {"resourceURI", "name", "state"}


def test_4_1_6_3_unknown_and_repeated_names_are_ignored(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    found = provider.get(machine["id"], ("$select", "name,colour,name,NAME"), ("$select", "name"))
    assert found == {name: machine[name] for name in ("resourceURI", "name")}
    root = provider.get_xml(machine["id"], ("$select", "name,name"))
    assert [etree.QName(child).localname for child in root] == ["name"]


def test_4_1_6_3_names_of_a_collection_select_in_the_collection(
    provider: Provider, url: str
) -> None:
    whole = provider.get(url)
    found = provider.get(url, ("$select", "count,operations"))
    names = [name for name in ("resourceURI", "count", "operations") if name in whole]
    assert found == {name: whole[name] for name in names}
    root = provider.get_xml(url, ("$select", "id,count"))
    assert [etree.QName(child).localname for child in root] == ["id", "count"]


def test_4_1_6_3_other_names_select_in_the_items(provider: Provider, url: str) -> None:
    found = provider.get(url, ("$select", "name,cpu"))
    assert len(found["machines"]) == MACHINES
    assert all(set(item) == {"name", "cpu"} for item in found["machines"])
    root = provider.get_xml(url, ("$select", "name,cpu"))
    for item in root.findall(f"{NS}machines/{NS}Machine"):
        assert [etree.QName(child).localname for child in item] == ["name", "cpu"]


def test_4_1_6_3_a_path_always_means_the_items(provider: Provider, url: str) -> None:
    whole = provider.get(url)
    found = provider.get(url, ("$select", "machines/id,machines/operations,count"))
    assert found["count"] == MACHINES
    assert "id" not in found
    for item, full in zip(found["machines"], whole["machines"], strict=True):
        assert item == {name: full[name] for name in ("id", "operations")}


def test_4_1_6_4_an_expanded_reference_shows_what_it_leads_to(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    found = provider.get(machine["id"], ("$expand", "disks"))
    disks = provider.get(machine["disks"]["href"])
    assert found["disks"] == {"href": disks["id"], **disks}
    assert found["volumes"] == machine["volumes"]
    attached = next(page for page in provider.pages(CimiVersion.V2)
                    if page.type_name == "locatedVolume")  # fmt: skip
    volume = provider.get(attached.json["volume"]["href"])
    expanded = provider.get(attached.href, ("$expand", "volume"))
    assert expanded["volume"] == {"href": volume["id"], **volume}


def test_4_1_6_4_in_xml_an_expansion_has_no_element_of_its_type(provider: Provider) -> None:
    attached = next(page for page in provider.pages(CimiVersion.V2)
                    if page.type_name == "locatedVolume")  # fmt: skip
    element = provider.get_xml(attached.href, ("$expand", "volume")).find(f"{NS}volume")
    volume = provider.get_xml(element.get("href"))
    assert [etree.tostring(child) for child in element] == [etree.tostring(c) for c in volume]
    assert element.findtext(f"{NS}id") == element.get("href")


def test_4_1_6_4_a_star_or_nothing_expands_all_references(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    star, nothing, both = (
        provider.get(machine["id"], ("$expand", text)) for text in ("*", "", "disks,interfaces")
    )
    assert star == nothing
    for name in ("disks", "volumes", "interfaces"):
        assert star[name]["count"] == provider.get(machine[name]["href"])["count"]
    assert "count" in both["disks"]
    assert "count" in both["interfaces"]
    assert both["volumes"] == machine["volumes"]


def test_4_1_6_4_unknown_and_repeated_names_are_ignored(provider: Provider) -> None:
    machine = provider.machine("STARTED")
    found = provider.get(machine["id"], ("$expand", "colour,name,disks,disks"), ("$expand", "cpu"))
    assert found == provider.get(machine["id"], ("$expand", "disks"))


def test_4_1_6_4_on_a_collection_the_references_of_the_items_are_expanded(
    provider: Provider, url: str, everything: list[Machine]
) -> None:
    found = provider.get(url, ("$expand", "disks"))
    for item, plain in zip(found["machines"], everything, strict=True):
        disks = provider.get(plain["disks"]["href"])
        assert item["disks"] == {"href": disks["id"], **disks}
    assert found["id"] == url


@pytest.mark.parametrize("accept", [JSON, XML, "image/png", None])
def test_4_1_6_5_format_chooses_the_form_before_accept(
    provider: Provider, url: str, accept: str | None
) -> None:
    for text, media in (("json", JSON), ("xml", XML), ("JSON", JSON), ("Xml", XML)):
        answer = provider.request("GET", url, ("$format", text), accept=accept)
        assert (answer.status, answer.media) == (200, media)


def test_4_1_6_5_the_first_format_counts(provider: Provider, url: str) -> None:
    answer = provider.request("GET", url, ("$format", "xml"), ("$format", "json"))
    assert answer.media == XML
    answer = provider.request("GET", url, ("$format", "json"), ("$format", "xml"), accept=XML)
    assert answer.media == JSON


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("cpu", lambda m: m["cpu"]),
        ("cpu:asc", lambda m: m["cpu"]),
        ("memory:desc", lambda m: -m["memory"]),
        ("created", lambda m: m["created"]),
        ("name", lambda m: m["name"].encode()),
        ("cpu:desc,memory:asc", lambda m: (-m["cpu"], m["memory"])),
        ("state, cpu:desc", lambda m: (m["state"], -m["cpu"])),
    ],
)
def test_4_1_6_6_items_come_in_the_order_asked_for(
    provider: Provider,
    url: str,
    everything: list[Machine],
    text: str,
    key: Callable[[Machine], Any],
) -> None:
    found = provider.get(url, ("$orderby", text))["machines"]
    assert [key(m) for m in found] == sorted(key(m) for m in everything)
    assert {m["id"] for m in found} == {m["id"] for m in everything}
    name = text.rpartition(",")[2].strip().partition(":")[0]
    up, down = (provider.get(url, ("$orderby", f"{name}:{way},name:{way}"))
                for way in ("asc", "desc"))  # fmt: skip
    assert ids(up) == ids(down)[::-1]


@pytest.mark.parametrize(
    "text", ["colour", "cpu:up", "disks", "properties", "cpu desc", "id", "Cpu", "parent:asc"]
)
def test_4_1_6_6_what_is_no_order_is_refused(provider: Provider, url: str, text: str) -> None:
    answer = provider.request("GET", url, ("$orderby", text))
    assert answer.status == 400
    assert "$orderby" in answer.job["statusMessage"]


def test_4_1_6_6_a_range_counts_in_the_sorted_collection(provider: Provider, url: str) -> None:
    order = ("$orderby", "memory:desc,name")
    whole = ids(provider.get(url, order))
    assert ids(provider.get(url, order, ("$first", "2"), ("$last", "4"))) == whole[1:4]
    filter = ("$filter", "state='STARTED'")
    kept = ids(provider.get(url, order, filter))
    assert ids(provider.get(url, order, filter, ("$last", "2"))) == kept[:2]
    assert kept == [id for id in whole if id in kept]
