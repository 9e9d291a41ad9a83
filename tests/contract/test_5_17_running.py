"""Clauses 4.2.1.7 and 5.17.1: Jobs of what the platform takes time for."""

from __future__ import annotations

import time
from contextlib import ExitStack

from cimi_cim.lab.simulation import Simulation
from tests.contract.provider import MACHINES, Provider, action, ended, operation
from tests.lab.conftest import Clock


def test_4_2_1_7_what_runs_on_is_accepted_with_its_job_and_can_be_stopped() -> None:
    clock = Clock()
    with ExitStack() as stack:
        own = Provider(
            stack, Simulation(MACHINES, pace=1, clock=clock), action_wait_s=0.01, with_jobs=True
        )
        machine = own.machine("STARTED")
        answer = own.send("POST", str(operation(machine, "suspend")), action("suspend"))
        assert answer.status == 202
        job = own.get(answer.headers["cimi-job-uri"])
        assert job["state"] in ("QUEUED", "RUNNING")
        assert job["progress"] < 100
        assert job["targetResource"] == {"href": machine["id"]}
        assert own.get(machine["id"])["state"] == "SUSPENDING"
        assert ended(own, answer, clock)["state"] == "SUCCESS"
        assert own.get(machine["id"])["state"] == "SUSPENDED"
        other = own.machine("STARTED")
        answer = own.send("POST", str(operation(other, "pause")), action("pause"))
        job = own.get(answer.headers["cimi-job-uri"])
        stopped = own.send("POST", str(operation(job, "stop")), action("stop"))
        assert stopped.status in (200, 202), stopped.body
        assert own.get(job["id"])["state"] in ("STOPPING", "STOPPED")
        after = ended(own, answer, clock)
        assert (after["state"], after["progress"]) == ("STOPPED", 100)
        third = own.machine("STARTED")
        answer = own.send("POST", str(operation(third, "suspend")), action("suspend"))
        job = own.get(answer.headers["cimi-job-uri"])
        assert job["state"] == "RUNNING"
        deleted = own.request("DELETE", str(operation(job, "delete")))
        assert deleted.status in (200, 202), deleted.body
        for _ in range(400):  # it is stopped first
            if own.request("GET", job["id"]).status == 404:
                break
            clock.now += 5
            time.sleep(0.02)
        assert own.request("GET", job["id"]).status == 404
