"""Every Collection of the CloudEntryPoint is explained on every shipped mapping, and truly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explain.bridges import Bridge, bridge_over, cases

_OF_THE_BRIDGE = {"resourceURI", "operations"}


@pytest.fixture(scope="module", params=cases(), ids="-".join)
def bridge(request: pytest.FixtureRequest) -> Iterator[Bridge]:
    mapping, server = request.param
    if not server:
        pytest.fail(f"SERVED names no server for the mapping {mapping}")
    with bridge_over(mapping, server) as opened:
        yield opened


def collections(bridge: Bridge, version: int) -> dict[str, str]:
    """The Collections of a CloudEntryPoint: name -> URI."""
    entry = bridge.get(f"/cimi/{version}").json
    return {
        name: value["href"]
        for name, value in entry.items()
        if isinstance(value, dict) and "href" in value
    }


def main(bridge: Bridge) -> str:
    """The Collection that the server is there for: of machines, or of volumes."""
    found = collections(bridge, 2)
    return found.get("machines", found.get("volumes", ""))


def items_of(collection: dict[str, Any]) -> list[dict[str, Any]]:
    [items] = [
        value for name, value in collection.items()
        if isinstance(value, list) and name != "operations"
    ] or [[]]  # fmt: skip
    return items


@pytest.mark.parametrize("version", [2, 1])
def test_every_collection_is_explained_as_it_is_served(bridge: Bridge, version: int) -> None:
    found = collections(bridge, version)
    assert {"machines", "volumes"} & found.keys()
    for name, uri in found.items():
        answer, told = bridge.get(uri), bridge.explained(uri)
        assert answer.status_code == told["answer"]["status"] == 200, name
        shown = items_of(answer.json)[:3]
        assert [r["id"] for r in told["resources"]] == [item["id"] for item in shown], name
        for item, resource in zip(shown, told["resources"], strict=True):
            attributes = resource["attributes"]
            served = {n: a["value"] for n, a in attributes.items() if "value" in a}
            assert served == {n: v for n, v in item.items() if n not in _OF_THE_BRIDGE}, name
        if any("server" in resource for resource in told["resources"]):
            assert told["plans"], name
            assert told["operations"], name


def test_every_class_that_is_enumerated_is_for_a_relation(bridge: Bridge) -> None:
    uri = main(bridge)
    bridge.explained(uri)  # from here on the namespace is known
    told = bridge.explained(uri)
    enumerated = [o for o in told["operations"] if o["operation"] == "EnumerateInstances"]
    assert enumerated
    named = {alias for operation in enumerated for alias in operation["reads"]}
    assert named == {
        relation["alias"]
        for relation in told["plans"][0]["relations"]
        if relation["way"].startswith("enumerate")
    }


def test_what_a_server_holds_is_told_from_raw_value_to_value(bridge: Bridge) -> None:
    told = bridge.explained(main(bridge))
    assert told["resources"]
    for resource in told["resources"]:
        for name, attribute in resource["attributes"].items():
            if attribute["source"] != "server":
                continue
            assert attribute["reads"], name
            assert attribute["steps"], name
            if name != "id" and "value" in attribute:
                assert attribute["steps"][-1]["value"] == attribute["value"], name
                assert ".yaml:" in attribute["where"]


def test_the_operations_of_a_resource_are_those_of_its_plan(bridge: Bridge) -> None:
    resource = items_of(bridge.get(main(bridge)).json)[0]["id"]
    told = bridge.explained(resource)
    [plan] = told["plans"]
    assert plan["mode"] == "single"
    reads = [r for r in plan["relations"] if r["way"] != "view"]
    assert len(told["operations"]) == len(reads)
    aliases = {relation["alias"] for relation in reads}
    for operation in told["operations"]:
        assert set(operation.get("reads", ())) <= aliases
        assert operation["receivedBytes"] > 0
        assert operation["sentBytes"] > 0
        assert operation["rows"] >= 0
        assert 0 <= operation["beganMs"] <= operation["beganMs"] + operation["elapsedMs"]
        assert operation["beganMs"] + operation["elapsedMs"] <= told["elapsedMs"] + 0.02
