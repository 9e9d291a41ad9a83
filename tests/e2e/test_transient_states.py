"""What a resource shows while a Job of the bridge works on it (DSP0263 5.14.1, 5.15.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.dialects import BASE, JSON, LIMIT_S, Answer, Cloud, Document, Speaker

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack)


@pytest.fixture
def speaker(cloud: Cloud) -> Speaker:
    return Speaker(cloud, 2, JSON)


@contextmanager
def failing(cloud: Cloud, said: str) -> Iterator[None]:
    """Let calls on the server go wrong for as long as the context lasts."""
    cloud.simulation.failures.add(said)
    try:
        yield
    finally:
        cloud.simulation.failures.clear()


def machine(speaker: Speaker, name: str) -> Document:
    return speaker.add(
        speaker.collection("machines"), "MachineCreate",
        {"name": name, "machineTemplate": {"machineConfig": {"cpu": 1, "memory": MIB}}},
    )  # fmt: skip


def ask(speaker: Speaker, made: Document, name: str, **parameters: Any) -> Answer:
    action = {"action": f"{speaker.namespace}/action/{name}", **parameters}
    return speaker.ask("POST", f"{made['id']}/{name}", "Action", action)


def offered(one: Document) -> set[str]:
    return {str(o["rel"]).rpartition("/")[2] for o in one["operations"]}


def eventually(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.02)


def stopped(speaker: Speaker, answer: Answer) -> None:
    """Stop the Job of an answer, and wait until it is."""
    job = speaker.get(answer.headers["CIMI-Job-URI"])
    said = ask(speaker, job, "stop")
    assert said.status in (200, 202), said
    speaker.job(answer, "STOPPED")


def test_a_machine_that_is_being_started_says_so_and_takes_no_second_start(
    cloud: Cloud, speaker: Speaker
) -> None:
    made = machine(speaker, "starting")
    assert "start" in offered(made)
    with failing(cloud, "RequestStateChange:times=1:job-hang"):
        answer = ask(speaker, made, "start")
        assert answer.status == 202, answer
        now = speaker.get(made["id"])
        assert now["state"] == "STARTING"
        assert "start" not in offered(now)
        listed = speaker.items(f"{speaker.collection('machines')}?$filter=state='STARTING'")
        assert made["id"] in [item["id"] for item in listed]
        again = ask(speaker, made, "start")
        assert again.status == 409, again
        assert "STARTING" in again.body["statusMessage"]
        stopped(speaker, answer)
    assert speaker.get(made["id"])["state"] == "STOPPED"


def test_a_machine_is_capturing_while_its_snapshot_is_taken(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "capturing")
    with failing(cloud, "CreateSnapshot:job-hang"):
        answer = speaker.ask(
            "POST", speaker.collection("machineImages"), "MachineImage",
            {"name": "never", "type": "SNAPSHOT", "imageLocation": made["id"]},
        )  # fmt: skip
        assert answer.status == 202, answer
        assert speaker.get(made["id"])["state"] == "CAPTURING"
        stopped(speaker, answer)
    assert speaker.get(made["id"])["state"] == "STOPPED"


def test_a_volume_is_capturing_while_its_image_is_made(cloud: Cloud, speaker: Speaker) -> None:
    made = speaker.add(
        speaker.collection("volumes"), "VolumeCreate",
        {"name": "busy", "volumeTemplate": {"volumeConfig": {"capacity": MIB}}},
    )  # fmt: skip
    with failing(cloud, "CreateElementReplica:job-hang"):
        answer = speaker.ask(
            "POST", speaker.collection("volumeImages"), "VolumeImage",
            {"name": "never", "imageLocation": made["id"]},
        )  # fmt: skip
        assert answer.status == 202, answer
        assert speaker.get(made["id"])["state"] == "CAPTURING"
        stopped(speaker, answer)
    assert speaker.get(made["id"])["state"] == "AVAILABLE"


def test_a_machine_that_is_being_made_is_creating_until_it_is_as_ordered(
    cloud: Cloud, speaker: Speaker
) -> None:
    with failing(cloud, "RequestStateChange:times=1:job-hang"):
        answer = speaker.ask(
            "POST", speaker.collection("machines"), "MachineCreate",
            {"name": "creating", "machineTemplate": {"initialState": "STARTED"}},
        )  # fmt: skip
        assert answer.status == 202, answer

        def states() -> list[str]:
            found = speaker.items(f"{speaker.collection('machines')}?$filter=name='creating'")
            return [str(item["state"]) for item in found]

        eventually(lambda: states() == ["CREATING"])
        stopped(speaker, answer)
    assert states() == []


def test_a_machine_that_is_being_deleted_says_so(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "deleting")
    with failing(cloud, "DestroySystem:delay=2"):
        answer = speaker.ask("DELETE", made["id"])
        assert answer.status == 202, answer
        assert speaker.get(made["id"])["state"] == "DELETING"
        speaker.job(answer)
    assert speaker.ask("GET", made["id"]).status == 404
    assert made["id"].startswith(BASE)
