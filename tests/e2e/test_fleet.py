"""Servers that die, hang, come back and hand their machines over, behind one bridge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from cimi_cim.config import BreakerConfig
from cimi_cim.lab.personality import Personality, load_personality
from cimi_cim.lab.simulation import Simulation
from tests.clouds import action
from tests.fleets import Fleet, Server, serving, until


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def servers(stack: ExitStack) -> list[Server]:
    labs = [Simulation(3, seed=seed, pace=0) for seed in (1, 2)]
    return stack.enter_context(serving(*labs))


def elsewhere() -> Personality:
    """A platform in another namespace than the lab's."""
    return replace(load_personality(), implementation="root/cimv2")


def left_out(fleet: Fleet, url: str = "machines") -> str | None:
    answer = fleet.ask("GET", url)
    assert answer.status_code == 200, answer.text
    found: str | None = answer.headers.get("X-CIMI-Incomplete")
    return found


def test_a_server_may_come_after_the_bridge_go_and_come_again(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    b.die()
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False)
    assert (left_out(fleet), fleet.get("machines")["count"]) == ("b", 3)
    b.rise()
    until(lambda: left_out(fleet) is None)
    assert fleet.get("machines")["count"] == 6
    b.die()
    assert (left_out(fleet), fleet.get("machines")["count"]) == ("b", 3)
    b.rise()
    until(lambda: left_out(fleet) is None)


def test_an_outage_is_an_event_when_it_begins_and_another_when_it_ends(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False)
    for _ in range(2):
        b.die()
        for _ in range(5):
            left_out(fleet)
        b.rise()
        until(lambda: left_out(fleet) is None)
    until(lambda: fleet.get("eventLogs")["count"] == 1)
    (log,) = fleet.get("eventLogs")["eventLogs"]
    assert log["targetResource"]["href"] == fleet.get("cloudEntryPoint")["id"]
    until(lambda: fleet.get(log["events"]["href"])["count"] == 4)
    events = fleet.get(log["events"]["href"])["events"]
    assert [event["outcome"] for event in events] == ["Failure", "Success"] * 2
    assert [event["severity"] for event in events] == ["high", "low"] * 2
    content = events[0]["content"]
    assert (content["resName"], content["code"]) == ("b", "wbem-unreachable")
    assert content["detail"].startswith("target b: the WBEM server cannot be reached")
    assert "127.0.0.1" not in str(events)
    assert fleet.get(log["id"])["summary"] == {"low": 2, "medium": 0, "high": 2, "critical": 0}
    assert fleet.ask("GET", f"{log['events']['href']}?$format=xml").status_code == 200


def test_a_server_that_hangs_costs_one_request_its_deadline_and_the_next_ones_nothing(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    slow = BreakerConfig(failures=3, probe_s=3600, longest_probe_s=3600)
    fleet = Fleet(stack, {"a": a, "b": b}, deadline_s=3, breaker=slow, with_jobs=False)
    assert fleet.get("machines")["count"] == 6
    b.hang()
    began = time.monotonic()
    assert (left_out(fleet), fleet.get("machines")["count"]) == ("b", 3)
    assert time.monotonic() - began < 3 + 1
    assert fleet.engine.targets["b"].is_down
    assert not fleet.engine.targets["a"].is_down


def test_a_target_may_be_given_more_patience_than_the_others(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    once = BreakerConfig(failures=1, probe_s=3600, longest_probe_s=3600)
    fleet = Fleet(
        stack, {"a": a, "b": b}, breaker=once, breakers={"b": {"failures": 3}}, with_jobs=False
    )
    a.die()
    b.die()
    assert fleet.ask("GET", "machines").status_code == 503
    assert [fleet.engine.targets[alias].is_down for alias in "ab"] == [True, False]
    for _ in range(2):
        fleet.ask("GET", "machines")
    assert fleet.engine.targets["b"].is_down


def test_a_resource_of_a_dead_server_is_a_503_that_says_why_and_when_to_come_again(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    slow = BreakerConfig(failures=1, probe_s=1000, longest_probe_s=3600)
    fleet = Fleet(stack, {"a": a, "b": b}, breaker=slow)
    machine = next(m for m in fleet.get("machines")["machines"] if fleet.get(m["id"]))
    at = {m["id"] for m in fleet.get("machines")["machines"]}
    b.die()
    lost = at - {m["id"] for m in fleet.get("machines")["machines"]}
    assert len(lost) == 3
    url = lost.pop()
    for answer in (
        fleet.ask("GET", url),
        fleet.ask("DELETE", url),
        fleet.ask("POST", f"{url}/start", action("start")),
    ):
        assert answer.status_code == 503, answer.text
        assert 1 <= int(answer.headers["Retry-After"]) <= 1000
        assert "cannot be reached" in answer.json["statusMessage"]
    unknown = fleet.ask("GET", "machines/6d0d9ac6-0000-4000-8000-000000000000")
    assert unknown.status_code == 503
    assert "target b is left out" in unknown.json["statusMessage"]
    assert 1 <= int(unknown.headers["Retry-After"]) <= 1000
    assert fleet.ask("GET", machine["id"]).status_code in (200, 503)


def test_a_system_shows_the_machines_it_can_and_says_what_is_left_out(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    fleet = Fleet(stack, {"a": a, "b": b})
    everything = fleet.get("machines")["machines"]
    system = fleet.made("systems", {
        "resourceURI": "http://schemas.dmtf.org/cimi/2/SystemCreate",
        "systemTemplate": {"componentDescriptors": []},
    })["id"]  # fmt: skip
    for machine in everything:
        put = action("insert", machine={"href": machine["id"]})
        fleet.done("POST", f"{system}/machines", put)
    assert fleet.get(f"{system}/machines")["count"] == 6
    b.die()
    assert left_out(fleet, f"{system}/machines") == "b"
    assert fleet.get(f"{system}/machines")["count"] == 3
    assert left_out(fleet, system) == "b"
    refused = fleet.ask("POST", f"{system}/stop", action("stop"))
    assert refused.status_code == 503, refused.text


def test_a_server_that_was_upgraded_while_it_was_down_is_learned_anew(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, b = servers
    fleet = Fleet(stack, {"a": a, "b": b}, with_jobs=False)
    assert fleet.get("machines")["count"] == 6
    b.die()
    left_out(fleet)
    b.simulation = Simulation(5, seed=7, personality=elsewhere())
    b.rise()
    until(lambda: left_out(fleet) is None)
    assert fleet.get("machines")["count"] == 8


def test_a_namespace_that_moves_under_a_living_server_is_found_again(
    stack: ExitStack, servers: list[Server]
) -> None:
    a, _ = servers
    fleet = Fleet(stack, {"a": a}, with_jobs=False)
    assert fleet.get("machines")["count"] == 3
    a.simulation = Simulation(5, seed=7, personality=elsewhere())
    a.rise()
    assert fleet.get("machines")["count"] == 5
