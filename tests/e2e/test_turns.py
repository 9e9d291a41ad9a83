"""What is done to a machine while a Job is at work on it waits, and nothing is sent twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.lab.backend import MethodCall, Reply
from cimi_cim.lab.simulation import Simulation
from tests.clouds import LIMIT_S, Cloud, action


class Held(Simulation):
    """A lab that keeps back its answers to one method until it is let go."""

    def __init__(self) -> None:
        super().__init__(1, pace=0)
        self.holds = ""
        self.has_done = threading.Event()
        self.may_answer = threading.Event()

    def hold(self, method: str) -> None:
        """Keep back the answers to a method; what it does is done."""
        self.has_done.clear()
        self.may_answer.clear()
        self.holds = method

    def method(self, call: MethodCall) -> Reply:
        """Answer, later perhaps."""
        try:
            return super().method(call)
        finally:
            if call.method == self.holds:
                self.has_done.set()
                self.may_answer.wait(LIMIT_S)

    def sent(self, since: int) -> Counter[str]:
        """How often each method was called after so many calls."""
        return Counter(call.method for call in self.calls[since:])


class Fixture:
    """A cloud over such a lab."""

    def __init__(self, stack: ExitStack) -> None:
        self.lab = Held()
        self.cloud = Cloud(stack, self.lab)
        stack.callback(self.lab.may_answer.set)

    def begin(self, method: str, url: str, body: Any, *, until: str) -> Any:
        """Ask for something, and wait until the lab has done what it is to keep back."""
        self.lab.hold(until)
        answer = self.cloud.ask(method, url, body)
        assert answer.status_code == 202, answer.text
        assert self.lab.has_done.wait(LIMIT_S)
        return answer

    def job(self, answer: Any) -> dict[str, Any]:
        """The Job of an answer as it is now."""
        return self.cloud.get(answer.headers["CIMI-Job-URI"])

    def machine(self, name: str) -> str:
        """The URI of the machine of a name."""
        (found,) = self.cloud.get(f"machines?$filter=name='{name}'")["machines"]
        return str(found["id"])

    def exists(self, name: str) -> bool:
        """Whether there is a machine of a name."""
        return bool(self.cloud.get(f"machines?$filter=name='{name}'")["count"])


@pytest.fixture(scope="module")
def fixture() -> Iterator[Fixture]:
    with ExitStack() as stack:
        yield Fixture(stack)


STARTED = {"machineConfig": {"cpu": 1, "memory": 262144}, "initialState": "STARTED"}


def test_a_machine_is_deleted_after_the_job_that_makes_it(fixture: Fixture) -> None:
    cloud, lab, since = fixture.cloud, fixture.lab, len(fixture.lab.calls)
    body = {"name": "early", "machineTemplate": STARTED}
    making = fixture.begin("POST", "machines", body, until="RequestStateChange")
    machine = fixture.machine("early")
    deleting = cloud.ask("DELETE", machine)
    assert deleting.status_code == 202
    waits = fixture.job(deleting)
    assert waits["state"] == "QUEUED"
    assert waits["statusMessage"].startswith("waits for jobs/")
    assert cloud.get(machine)["state"] == "DELETING"
    lab.may_answer.set()
    assert cloud.job(making)["state"] == "SUCCESS"
    assert cloud.job(deleting)["state"] == "SUCCESS"
    assert not fixture.exists("early")
    calls = Counter(DefineSystem=1, RequestStateChange=2, DestroySystem=1)  # started, stopped
    assert lab.sent(since) == calls


def test_a_machine_that_is_undone_while_its_deletion_waits_is_destroyed_once(
    fixture: Fixture,
) -> None:
    cloud, lab, since = fixture.cloud, fixture.lab, len(fixture.lab.calls)
    body = {"name": "undone", "machineTemplate": STARTED}
    lab.failures.add("RequestStateChange:times=1:cim=1")
    making = fixture.begin("POST", "machines", body, until="RequestStateChange")
    deleting = cloud.ask("DELETE", fixture.machine("undone"))
    lab.may_answer.set()
    job = cloud.job(making)
    assert job["state"] == "FAILED"
    assert job["statusMessage"].endswith("what it had done was undone")
    assert cloud.job(deleting)["state"] == "SUCCESS"
    assert not fixture.exists("undone")
    assert lab.sent(since)["DestroySystem"] == 1


def test_a_machine_that_is_deleted_before_its_job_knows_it_is_destroyed_once(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lists the machines sees it before the answer of DefineSystem has come."""
    monkeypatch.setattr("cimi_cim.mapping.engine._SEEN_WITHIN_S", 0.1)
    cloud, lab, since = fixture.cloud, fixture.lab, len(fixture.lab.calls)
    body = {"name": "unknown", "machineTemplate": STARTED}
    making = fixture.begin("POST", "machines", body, until="DefineSystem")
    assert cloud.done("DELETE", fixture.machine("unknown"))["state"] == "SUCCESS"
    lab.may_answer.set()
    job = cloud.job(making)
    assert job["state"] == "FAILED"
    assert not fixture.exists("unknown")
    assert lab.sent(since) == Counter(DefineSystem=1, DestroySystem=1)


def test_two_deletions_destroy_a_machine_once(fixture: Fixture) -> None:
    cloud, lab = fixture.cloud, fixture.lab
    machine = cloud.made("machines", {"name": "twice", "machineTemplate": {}})["id"]
    since = len(lab.calls)
    first = fixture.begin("DELETE", machine, None, until="DestroySystem")
    second = cloud.ask("DELETE", machine)
    assert second.status_code in (202, 404)  # in the lab it is gone by now
    lab.may_answer.set()
    assert cloud.job(first)["state"] == "SUCCESS"
    assert lab.sent(since) == Counter(DestroySystem=1)


def test_a_change_waits_for_the_action_that_is_under_way(fixture: Fixture) -> None:
    cloud, lab = fixture.cloud, fixture.lab
    template = {"machineConfig": {"cpu": 1, "memory": 262144}, "initialState": "STOPPED"}
    machine = cloud.made("machines", {"name": "busy", "machineTemplate": template})["id"]
    starting = fixture.begin(
        "POST", f"{machine}/start", action("start"), until="RequestStateChange"
    )
    changing = cloud.ask("PUT", f"{machine}?$select=memory", {"memory": 524288})
    assert fixture.job(changing)["state"] == "QUEUED"
    description = {"description": "is kept here"}
    assert cloud.ask("PUT", f"{machine}?$select=description", description).status_code == 200
    lab.may_answer.set()
    assert cloud.job(starting)["state"] == "SUCCESS"
    assert cloud.job(changing)["state"] == "SUCCESS"
    assert (cloud.get(machine)["memory"], cloud.get(machine)["state"]) == (524288, "STARTED")


def test_a_system_is_deleted_with_what_was_made_while_its_deletion_waited(
    fixture: Fixture,
) -> None:
    cloud, lab, since = fixture.cloud, fixture.lab, len(fixture.lab.calls)
    component = {
        "type": "http://schemas.dmtf.org/cimi/2/Machine",
        "machineTemplate": STARTED,
        "name": "member",
    }
    body = {"name": "whole", "systemTemplate": {"componentDescriptors": [component]}}
    making = fixture.begin("POST", "systems", body, until="DefineSystem")
    (system,) = [s["id"] for s in cloud.get("systems")["systems"] if s["name"] == "whole"]
    deleting = cloud.ask("DELETE", system)
    assert fixture.job(deleting)["state"] == "QUEUED"
    lab.may_answer.set()
    assert cloud.job(making)["state"] == "SUCCESS"
    assert cloud.job(deleting)["state"] == "SUCCESS"
    assert not fixture.exists("member")
    assert cloud.ask("GET", system).status_code == 404
    assert lab.sent(since)["DestroySystem"] == 1


def test_no_deletion_waits_for_machines_that_others_make(fixture: Fixture) -> None:
    cloud = fixture.cloud
    machine = cloud.made("machines", {"name": "old", "machineTemplate": {}})["id"]
    body = {"name": "new", "machineTemplate": STARTED}
    making = fixture.begin("POST", "machines", body, until="DefineSystem")
    began = time.monotonic()
    cloud.done("DELETE", machine)
    assert time.monotonic() - began < LIMIT_S / 2
    fixture.lab.may_answer.set()
    cloud.job(making)
