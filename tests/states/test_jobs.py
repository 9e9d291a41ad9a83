"""Whatever happens to Jobs that make Machines, the model, the bridge and the lab agree.

The lab takes its time here. What a Machine is called decides what becomes of it there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from cimi_cim.lab.simulation import Simulation
from tests.clouds import LIMIT_S, Cloud, action
from tests.states.running import run

FAILURES = [
    'DefineSystem:name=broken-*:job-error="the disk is broken"',
    "DefineSystem:name=hangs-*:job-hang",
    "DefineSystem:name=refused-*:cim=1",
    "DefineSystem:name=lost-*:drop-reply",
]
BECOMES = {"made": "SUCCESS", "lost": "SUCCESS", "broken": "FAILED", "refused": "FAILED"}
FOLLOWS = {
    "QUEUED": {"RUNNING", "STOPPING", "STOPPED"},
    "RUNNING": {"SUCCESS", "FAILED", "STOPPING"},
    "STOPPING": {"STOPPED", "SUCCESS", "FAILED"},
}
OVER = {"SUCCESS", "FAILED", "STOPPED"}
MIB = 1048576
numbers = count()


@dataclass
class Known:
    """A Job, what it is to make, and how it stood when it was last seen."""

    name: str
    key: str
    body: dict[str, Any]
    state: str = "QUEUED"
    was_stopped: bool = False

    @property
    def fate(self) -> str:
        return self.name.partition("-")[0]


class Jobs(RuleBasedStateMachine):
    """Clients that make Machines, and change their minds."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.known: dict[str, Known] = {}
        self.gone: set[str] = set()
        self.made: dict[str, int] = {}
        self.volumes = len(self.cloud.lab.EnumerateInstanceNames("CIM_StorageVolume"))

    @rule(
        target=jobs,
        fate=st.sampled_from(["made", "lost", "broken", "refused", "hangs"]),
        with_volume=st.booleans(),
    )
    def submit(self, fate: str, with_volume: bool) -> str:
        name = f"{fate}-{next(numbers)}"
        template: dict[str, Any] = {"machineConfig": {"cpu": 1, "memory": 262144}}
        if with_volume:
            volume = {"volumeTemplate": {"volumeConfig": {"capacity": MIB}}}
            template["volumeTemplates"] = [volume]
        known = Known(name, f"key-{name}", {"name": name, "machineTemplate": template})
        job = self.ask(known)
        self.known[job] = known
        return job

    def ask(self, known: Known) -> str:
        answer = self.cloud.ask("POST", "machines", known.body, Idempotency_Key=known.key)
        return str(answer.headers["CIMI-Job-URI"])

    @rule(job=jobs)
    def ask_again(self, job: str) -> None:
        if job not in self.gone:
            assert self.ask(self.known[job]) == job

    @rule(job=jobs)
    def wait(self, job: str) -> None:
        known = self.known[job]
        if job in self.gone or (known.fate == "hangs" and not known.was_stopped):
            return
        self.until_over(job)

    def until_over(self, job: str) -> dict[str, Any]:
        limit = time.monotonic() + LIMIT_S
        while True:
            now = self.cloud.get(job)
            if now["state"] in OVER:
                return now
            assert time.monotonic() < limit, now
            time.sleep(0.02)

    @rule(job=jobs)
    def stop(self, job: str) -> None:
        if job in self.gone:
            return
        answer = self.cloud.ask("POST", f"{job}/stop", action("stop"))
        if answer.status_code == 409:
            known = self.known[job]
            assert known.was_stopped or known.fate != "hangs"
        else:
            assert answer.status_code in (200, 202), answer.text
            self.known[job].was_stopped = True

    @rule(job=consumes(jobs))
    def delete(self, job: str) -> None:
        if job in self.gone:
            return
        known = self.known[job]
        before = self.cloud.get(job)["state"]
        answer = self.cloud.ask("DELETE", job)
        if answer.status_code == 409:
            assert before not in OVER
            return
        assert answer.status_code in (200, 202), answer.text
        limit = time.monotonic() + LIMIT_S
        while self.cloud.ask("GET", job).status_code != 404:
            assert time.monotonic() < limit, self.cloud.get(job)
            time.sleep(0.02)
        self.gone.add(job)
        is_there = self.systems().get(known.name, 0) == 1
        if before == "SUCCESS":
            assert is_there
        elif before in OVER:
            assert not is_there
        self.note_made(known, is_made=is_there)

    def note_made(self, known: Known, *, is_made: bool) -> None:
        if is_made:
            wanted = known.body["machineTemplate"].get("volumeTemplates", [])
            self.made[known.name] = len(wanted)

    def systems(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for system in self.cloud.lab.EnumerateInstances("CIM_ComputerSystem"):
            found[system["ElementName"]] = found.get(system["ElementName"], 0) + 1
        return found

    @invariant()
    def states_follow_one_another(self) -> None:
        for job, known in self.known.items():
            if job in self.gone or known.state in OVER:
                continue
            now = self.cloud.get(job)
            state = now["state"]
            assert state == known.state or _leads_to(known.state, state), (known, state)
            known.state = state
            assert (now["progress"] == 100) == (state in OVER)
            assert ("returnCode" in now) == (state in OVER)
            if state in OVER:
                self._ended_well(known, now)

    def _ended_well(self, known: Known, now: dict[str, Any]) -> None:
        """It ended as it had to, and the lab has what it tells."""
        if not known.was_stopped:
            assert now["state"] == BECOMES[known.fate], now
        is_there = self.systems().get(known.name, 0)
        assert is_there == (1 if now["state"] == "SUCCESS" else 0), now
        self.note_made(known, is_made=bool(is_there))

    def teardown(self) -> None:
        for job, known in self.known.items():
            if job not in self.gone and known.fate == "hangs" and known.state not in OVER:
                self.cloud.ask("POST", f"{job}/stop", action("stop"))
                known.was_stopped = True
        for job in self.known.keys() - self.gone:
            self.until_over(job)
        self.states_follow_one_another()
        for name in self.made:
            (machine,) = self.cloud.get(f"machines?$filter=name='{name}'")["machines"]
            self.cloud.done("DELETE", machine["id"])
        found = len(self.cloud.lab.EnumerateInstanceNames("CIM_StorageVolume"))
        assert found == self.volumes + sum(self.made.values())


def _leads_to(before: str, after: str) -> bool:
    """Whether a state follows another one, at once or over others that nobody saw."""
    next_ones = FOLLOWS.get(before, set())
    return after in next_ones or any(_leads_to(each, after) for each in next_ones)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack, Simulation(1, pace=0.01, failures=FAILURES))


def test_jobs_are_what_their_model_is(cloud: Cloud) -> None:
    run(lambda: Jobs(cloud))
