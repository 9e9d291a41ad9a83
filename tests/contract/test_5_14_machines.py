"""Clauses 5.14 to 5.16 as far as the platform has a part in them: Machines, Volumes, Networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cimi_cim.lab.simulation import Simulation
from cimi_cim.model.types import CimiVersion
from tests.contract.provider import (
    JSON,
    MACHINES,
    XML,
    Provider,
    action,
    action_xml,
    operation,
    references,
)
from tests.contract.values import items
from tests.lab.conftest import Clock

TO = {"start": "STARTED", "stop": "STOPPED", "restart": "STARTED", "pause": "PAUSED",
      "suspend": "SUSPENDED"}  # fmt: skip
# What DSP1052 calls the states that are requested of a platform.
ENABLED, DISABLED, SHUT_DOWN, OFFLINE, QUIESCE, REBOOT, RESET = 2, 3, 4, 6, 9, 10, 11


@pytest.fixture
def own() -> Iterator[Provider]:
    """A provider for one test, whose calls to the platform can be counted."""
    with ExitStack() as stack:
        yield Provider(stack)


@pytest.mark.parametrize("version", list(CimiVersion), ids=lambda v: f"{v.value}.x")
@pytest.mark.parametrize("media", [JSON, XML])
def test_5_14_1_2_an_operation_brings_a_machine_to_its_state(
    own: Provider, media: str, version: CimiVersion
) -> None:
    make = action if media == JSON else action_xml
    for name, state in TO.items():
        machine = own.machine("STOPPED" if name == "start" else "STARTED", version)
        href = operation(machine, name)
        assert href is not None, name
        assert own.send("POST", href, make(name, version)).status == 200
        assert own.get(machine["id"])["state"] == state


@pytest.mark.parametrize("state", ["PAUSED", "SUSPENDED"])
def test_5_14_1_2_a_held_machine_is_resumed(own: Provider, state: str) -> None:
    machine = own.machine(state)
    assert own.send("POST", str(operation(machine, "start")), action("start")).status == 200
    assert own.get(machine["id"])["state"] == "STARTED"
    assert own.backend.requested == [ENABLED]


def test_5_14_1_2_a_stopped_machine_is_restarted_by_a_start(own: Provider) -> None:
    machine = own.machine("STOPPED")
    assert own.send("POST", str(operation(machine, "restart")), action("restart")).status == 200
    assert own.get(machine["id"])["state"] == "STARTED"
    assert own.backend.requested == [ENABLED]


@pytest.mark.parametrize(
    ("name", "force", "requested"),
    [("start", None, ENABLED), ("stop", True, DISABLED), ("stop", False, SHUT_DOWN),
     ("restart", True, RESET), ("restart", False, REBOOT), ("pause", None, QUIESCE),
     ("suspend", None, OFFLINE)],
)  # fmt: skip
def test_5_14_1_2_the_platform_is_asked_for_what_the_operation_means(
    own: Provider, name: str, force: bool | None, requested: int
) -> None:
    machine = own.machine("STOPPED" if name == "start" else "STARTED")
    parameters = {} if force is None else {"force": force}
    document = action(name, CimiVersion.V2, **parameters)
    assert own.send("POST", str(operation(machine, name)), document).status == 200
    assert own.backend.requested == [requested]


def test_5_14_1_2_the_provider_never_adds_force_by_itself() -> None:
    clock = Clock()
    with ExitStack() as stack:
        own = Provider(stack, Simulation(MACHINES, pace=1, clock=clock), action_wait_s=0.01)
        machine = own.machine("STARTED")
        assert own.send("POST", str(operation(machine, "stop")), action("stop")).status == 202
        assert own.get(machine["id"])["state"] == "STOPPING"
        clock.now += 600
        assert own.get(machine["id"])["state"] == "STOPPED"
        assert own.backend.requested == [SHUT_DOWN]


@pytest.mark.parametrize("name", ["pause", "suspend"])
def test_5_14_1_2_a_held_machine_keeps_its_resources(own: Provider, name: str) -> None:
    machine = own.machine("STARTED")
    kept = ("cpu", "memory", "disks", "interfaces", "volumes", "name")
    disks = own.get(machine["disks"]["href"])
    assert own.send("POST", str(operation(machine, name)), action(name)).status == 200
    after = own.get(machine["id"])
    assert {key: after[key] for key in kept} == {key: machine[key] for key in kept}
    assert own.get(machine["disks"]["href"]) == disks


def test_5_15_1_volumes_of_the_platform_are_mapped(provider: Provider) -> None:
    for version in CimiVersion:
        volumes = items(provider.get(provider.collection("volumes", version)))
        assert volumes
        assert {volume["type"] for volume in volumes} == {f"{version.namespace}/mapped"}


def test_5_16_1_the_networks_of_the_platform_are_listed(provider: Provider) -> None:
    networks = items(provider.get(provider.collection("networks")))
    assert networks
    assert all(network["state"] == "STARTED" for network in networks)
    assert references(networks)


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_16_1_2_an_operation_brings_a_network_to_its_state(own: Provider, media: str) -> None:
    make = action if media == JSON else action_xml
    network = items(own.get(own.collection("networks")))[0]
    for name, state in (("stop", "STOPPED"), ("start", "STARTED")):
        href = operation(own.get(network["id"]), name)
        assert href is not None
        assert own.send("POST", href, make(name)).status == 200
        assert own.get(network["id"])["state"] == state
