"""Clauses 5.7.1 and 5.8 for what consumers make: times, common attributes, states."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import EVERY, GIVEN, Maker, named
from tests.contract.provider import Provider, action, operation
from tests.contract.test_5_5_serialization import MOMENT

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_5_7_1_every_created_resource_has_the_common_attributes(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make(type_name)
    assert made["id"].startswith(f"{provider.base_url}/")
    assert {name: made[name] for name in GIVEN} == GIVEN
    assert MOMENT.match(made["created"])
    assert made["updated"] >= made["created"]
    if version is V2:
        parent = provider.get(made["parent"]["href"])
        assert made["id"] in str(parent)
    root = provider.get_xml(made["id"])
    for name in ("id", "name", "description", "created", "updated"):
        assert root.findtext(f"{{{version.namespace}}}{name}") == made[name]


@pytest.mark.parametrize("type_name", ["MachineConfiguration", "Credential", "System"])
def test_5_7_1_created_stays_and_updated_moves(makers: Makers, type_name: str) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make(type_name)
    edit = str(operation(made, "edit"))
    assert provider.send("PUT", edit, made).status == 200
    assert provider.get(made["id"])["updated"] == made["updated"]  # nothing was changed
    updated = made["updated"]
    for number in range(200):  # the clock of the store goes on
        part = {"name": f"number {number}"}
        assert provider.send("PUT", edit, part, ("$select", "name")).status == 200
        updated = provider.get(made["id"])["updated"]
        if updated > made["updated"]:
            break
    assert updated > made["updated"]
    assert provider.get(made["id"])["created"] == made["created"]


def test_5_7_1_an_action_leaves_updated_as_it_was(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    segment = maker.make("ProtocolSegment")
    machine = provider.machine("STARTED")
    edit = str(operation(machine, "edit"))
    assert (
        provider.send("PUT", edit, {"description": "x"}, ("$select", "description")).status == 200
    )
    machine = provider.get(machine["id"])
    for resource, name, back in (
        (segment, "stop" if segment["state"] == "STARTED" else "start", ""),
        (machine, "pause", "start"),
    ):
        for word in filter(None, (name, back)):
            href = operation(provider.get(resource["id"]), word)
            assert provider.send("POST", str(href), action(word)).status == 200
            after = provider.get(resource["id"])
            assert after["updated"] == resource["updated"], word
            assert (after["state"] == resource["state"]) == (word == back)


def test_5_8_a_state_cannot_be_written(makers: Makers, provider: Provider) -> None:
    maker = makers[V2]
    resources = [
        provider.machine("STARTED"),
        provider.get(str(maker.example("Network"))),
        provider.get(str(maker.example("Volume"))),
        *(maker.make(name) for name in ("System", "ProtocolSegment", "MachineImage")),
    ]
    for resource in resources:
        edit = str(operation(resource, "edit"))
        other = {**resource, "state": "ERROR"}
        assert provider.send("PUT", edit, other).status == 200
        selected = ("$select", "state")
        assert provider.send("PUT", edit, {"state": "ERROR"}, selected).status == 200
        assert provider.get(resource["id"])["state"] == resource["state"]
