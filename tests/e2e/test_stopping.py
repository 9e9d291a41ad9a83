"""A Job that is stopped while the server is at work for it leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.lab.simulation import Simulation
from tests.clouds import LIMIT_S, Cloud, action

FAILURES = ["DefineSystem:name=hangs:job-hang", "CreateSnapshot:name=hangs:job-hang"]
RUNNING, TERMINATED = 4, 8


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack, Simulation(1, pace=0.01, failures=FAILURES))


def job_states(cloud: Cloud) -> list[int]:
    """The states of the lab's own jobs."""
    return [job["JobState"] for job in cloud.lab.EnumerateInstances("CIM_ConcreteJob")]


def stopped(cloud: Cloud, answer: Any) -> dict[str, Any]:
    """Stop a Job as soon as the lab is at work for it; returns the Job when it is over."""
    assert answer.status_code == 202, answer.text
    limit = time.monotonic() + LIMIT_S
    while RUNNING not in job_states(cloud):
        assert time.monotonic() < limit
        time.sleep(0.02)
    job = answer.headers["CIMI-Job-URI"]
    assert cloud.ask("POST", f"{job}/stop", action("stop")).status_code in (200, 202)
    return cloud.job(answer)


def test_a_machine_whose_job_is_stopped_is_never_made(cloud: Cloud) -> None:
    before = cloud.get("volumes").get("count")
    template = {"volumeTemplates": [{"volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}]}
    answer = cloud.ask("POST", "machines", {"name": "hangs", "machineTemplate": template})
    job = stopped(cloud, answer)
    assert job["state"] == "STOPPED"
    assert job["statusMessage"].endswith("what it had done was undone")
    assert RUNNING not in job_states(cloud)
    assert TERMINATED in job_states(cloud)
    assert cloud.get("machines?$filter=name='hangs'").get("count", 0) == 0
    assert cloud.get("volumes").get("count") == before


def test_a_snapshot_whose_job_is_stopped_is_never_taken(cloud: Cloud) -> None:
    machine = cloud.made("machines", {"name": "m", "machineTemplate": {}})
    body = {"name": "hangs", "imageLocation": machine["id"], "type": "SNAPSHOT"}
    assert stopped(cloud, cloud.ask("POST", "machineImages", body))["state"] == "STOPPED"
    assert RUNNING not in job_states(cloud)
    assert cloud.get(machine["snapshots"]["href"])["count"] == 0
    cloud.done("POST", "machineImages", {**body, "name": "taken"})
    assert cloud.get(machine["snapshots"]["href"])["count"] == 1


def test_an_answer_that_tells_of_a_failure_names_the_job(cloud: Cloud) -> None:
    """DSP0263 4.2.1.6."""
    template = {"machineConfig": {"cpu": 65}}
    answer = cloud.ask("POST", "machines", {"name": "huge", "machineTemplate": template})
    assert cloud.get(answer.headers["CIMI-Job-URI"])["state"] in ("RUNNING", "FAILED")
