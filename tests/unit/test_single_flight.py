"""Identical reads at the same time cost one operation, and nobody gets what is too old."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemFailed, WbemTimeout
from cimi_cim.wbem.gateway import MethodOutcome
from cimi_cim.wbem.single_flight import SingleFlight
from cimi_cim.wbem.values import InstancePath, Row

PATH = InstancePath("root/virt", "X", (("Name", "a"),))


class Slow:
    """A gateway that holds every GetInstance until it is let go, and counts."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.answers: list[Any] = []
        self.go_on = threading.Semaphore(0)
        self.reads = 0
        self.lock = threading.Lock()

    def get_instance(self, path: InstancePath, properties: Any, *, deadline: Deadline) -> Row:
        with self.lock:
            self.reads += 1
            number = self.reads
        self.asked.release()
        if not self.go_on.acquire(timeout=min(20, deadline.remaining_s())):
            raise WbemTimeout("too late")
        if self.answers:
            raise self.answers.pop(0)
        return Row(path, {"Number": number})

    def invoke_method(self, *_: Any, **__: Any) -> MethodOutcome:
        return MethodOutcome(0, {})

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was not expected")


def read(gateway: SingleFlight, seconds: float = 20, properties: tuple[str, ...] = ()) -> Any:
    return gateway.get_instance(PATH, properties, deadline=Deadline.after(seconds)).values["Number"]


@pytest.fixture
def slow() -> Slow:
    return Slow()


def test_who_comes_while_a_read_is_in_flight_gets_its_answer(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(read, gateway)
        assert slow.asked.acquire(timeout=20)
        others = [pool.submit(read, gateway) for _ in range(5)]
        another = pool.submit(read, gateway, 20, ("Name",))
        assert slow.asked.acquire(timeout=20)  # other properties are another read
        slow.go_on.release(8)
        found = {job.result() for job in (first, *others)}
        another.result()
    # a follower that came after the answer asked for itself; nobody is left without one
    assert found <= set(range(1, slow.reads + 1))
    assert 1 in found


def test_a_finished_read_is_not_kept(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    slow.go_on.release(2)
    assert [read(gateway), read(gateway)] == [1, 2]


def test_nobody_joins_a_read_that_began_before_a_change(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(read, gateway)
        assert slow.asked.acquire(timeout=20)
        gateway.invoke_method(PATH, "Change", {}, deadline=Deadline.after(20))
        after = pool.submit(read, gateway)
        assert slow.asked.acquire(timeout=20)
        slow.go_on.release(2)
        assert {before.result(), after.result()} == {1, 2}


def test_an_error_is_shared_and_then_forgotten(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    slow.answers.append(WbemFailed(1, "no"))
    slow.go_on.release(2)
    with pytest.raises(WbemFailed):
        read(gateway)
    assert read(gateway) == 2


def test_everyone_waits_only_as_long_as_its_own_deadline(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(read, gateway)
        assert slow.asked.acquire(timeout=20)
        with pytest.raises(WbemTimeout):
            read(gateway, 0.05)
        slow.go_on.release()
        assert patient.result() == 1


def test_who_has_time_left_asks_again_when_the_first_had_none(slow: Slow) -> None:
    gateway = SingleFlight(slow)
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(read, gateway, 0.3)
        assert slow.asked.acquire(timeout=20)
        patient = pool.submit(read, gateway)
        with pytest.raises(WbemTimeout):
            hasty.result()
        assert slow.asked.acquire(timeout=20)
        slow.go_on.release()
        assert patient.result() == 2
