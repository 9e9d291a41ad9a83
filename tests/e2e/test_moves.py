"""A machine that moves between WBEM servers keeps its URI, and what the store keeps of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import pywbem

from cimi_cim.config import BreakerConfig
from cimi_cim.lab.backend import IntrinsicCall, Reply
from cimi_cim.lab.simulation import Simulation
from tests.fleets import Fleet, Server, serving, until

STOPPED = 3
RARE = BreakerConfig(failures=1, probe_s=3600, longest_probe_s=3600)


def lab() -> Simulation:
    """The same machines each time, by name and by UUID."""
    return Simulation(3, seed=1, pace=0)


class Counted(Simulation):
    """Counts what it is asked."""

    asked = 0

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        self.asked += 1
        return super().intrinsic(call)


class Site:
    """What an operator of a virtualization platform does to it directly."""

    def __init__(self, stack: ExitStack, server: Server) -> None:
        self._wbem = pywbem.WBEMConnection(server.url, default_namespace="root/virt")
        stack.callback(self._wbem.close)

    def _path(self, machine: str) -> pywbem.CIMInstanceName:
        for system in self._wbem.EnumerateInstances("CIM_ComputerSystem"):
            if machine in (system.get("OtherIdentifyingInfo") or ()):
                return system.path
        raise LookupError(machine)

    def request(self, machine: str, state: int) -> None:
        state_code = pywbem.Uint16(state)
        done = self._wbem.InvokeMethod(
            "RequestStateChange", self._path(machine), RequestedState=state_code
        )
        assert done[0] == 0

    def destroy(self, machine: str) -> None:
        (service,) = self._wbem.EnumerateInstanceNames("CIM_VirtualSystemManagementService")
        done = self._wbem.InvokeMethod("DestroySystem", service, AffectedSystem=self._path(machine))
        assert done[0] == 0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def token_of(machine: dict[str, str]) -> str:
    return machine["id"].rpartition("/")[2]


def home_of(fleet: Fleet, token: str) -> str:
    fleet.get("machines")
    known = fleet.engine.identities.find("Machine", token)
    assert known is not None
    return known[0]


def test_a_machine_keeps_its_uri_and_what_the_store_keeps_when_it_moves(stack: ExitStack) -> None:
    a, b = stack.enter_context(serving(lab(), Simulation(0, seed=9, pace=0)))
    fleet = Fleet(stack, {"a": a, "b": b})
    machine = next(m for m in fleet.get("machines")["machines"] if m["state"] == "STARTED")
    sent = {**machine, "description": "mine", "properties": {"owner": "me"}}
    fleet.done("PUT", machine["id"], sent)
    site = Site(stack, a)
    site.request(token_of(machine), STOPPED)
    site.destroy(token_of(machine))
    assert fleet.ask("GET", machine["id"]).status_code == 404
    b.simulation = lab()
    b.rise()
    for _ in range(2):  # once it is looked for, then it is known
        found = fleet.get(machine["id"])
        assert (found["id"], found["name"]) == (machine["id"], machine["name"])
        assert (found["description"], found["properties"]) == ("mine", {"owner": "me"})
    assert home_of(fleet, token_of(machine)) == "b"
    assert fleet.get("machines")["count"] == 3


def test_a_machine_whose_server_died_is_found_where_it_was_taken(stack: ExitStack) -> None:
    a, b = stack.enter_context(serving(lab(), Simulation(0, seed=9, pace=0)))
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False)
    (machine, *_) = fleet.get("machines")["machines"]
    a.die()
    b.simulation = lab()
    b.rise()
    until(lambda: fleet.ask("GET", machine["id"]).status_code == 200)
    assert fleet.get(machine["id"])["name"] == machine["name"]


def test_what_is_on_a_server_that_is_down_is_not_looked_for_elsewhere_again_and_again(
    stack: ExitStack,
) -> None:
    counted = Counted(0, seed=9, pace=0)
    a, b = stack.enter_context(serving(lab(), counted))
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False, breaker=RARE)
    (machine, *_) = fleet.get("machines")["machines"]
    a.die()
    fleet.get("machines")
    before = counted.asked
    for _ in range(20):
        assert fleet.ask("GET", machine["id"]).status_code == 503
    assert 0 < counted.asked - before < 20


def test_what_two_servers_have_is_where_it_runs(
    stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = stack.enter_context(serving(lab(), lab()))
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False)
    sites = {"a": Site(stack, a), "b": Site(stack, b)}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            machines = fleet.get("machines")["machines"]
    assert len(machines) == 3
    disputes = [record for record in caplog.messages if "run on several targets (a, b)" in record]
    assert len(disputes) == 1  # said once, not per request
    token = next(token_of(machine) for machine in machines if machine["state"] == "STARTED")
    assert home_of(fleet, token) == "a"
    sites["a"].request(token, STOPPED)
    assert home_of(fleet, token) == "b"
    assert fleet.get(f"machines/{token}")["state"] == "STARTED"
    sites["a"].request(token, 2)
    assert home_of(fleet, token) == "b"  # both run: it stays where it was
    for site in sites.values():
        site.request(token, STOPPED)
    assert home_of(fleet, token) == "b"  # neither runs: so it does
    assert fleet.get(f"machines/{token}")["state"] == "STOPPED"
