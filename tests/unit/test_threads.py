"""Threads that targets share: context, limits, and tasks that hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from contextvars import ContextVar

import pytest

from cimi_cim.mapping.threads import Crew

request: ContextVar[str] = ContextVar("request", default="none")

LONG_ENOUGH_S = 30.0


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew("test", usual=4, most=40, long_s=0.02)
    yield crew
    crew.close()


def test_a_task_sees_the_context_of_who_submits_it_and_keeps_nothing_of_another(
    crew: Crew,
) -> None:
    lane = crew.lane(1)
    token = request.set("first")
    first = lane.submit(request.get)
    mapped = lane.map(lambda _: request.get(), range(3))
    assert list(mapped) == ["first"] * 3
    request.reset(token)
    assert lane.submit(request.get).result() == "none"
    assert first.result() == "first"
    lane.submit(request.set, "changed").result()
    assert lane.submit(request.get).result() == "none"


def test_a_lane_never_runs_more_than_its_limit(crew: Crew) -> None:
    lane, lock = crew.lane(3), threading.Lock()
    running, most = 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1

    list(lane.map(work, range(50)))
    assert most == 3


def test_lanes_whose_tasks_hang_do_not_hold_up_the_others(crew: Crew) -> None:
    """Far more hang than there usually are threads; every other lane goes on."""
    end = threading.Event()
    hanging = [crew.lane(2).submit(end.wait, LONG_ENOUGH_S) for _ in range(30)]
    living = [crew.lane(2).submit(int, "7") for _ in range(100)]
    assert {task.result(timeout=LONG_ENOUGH_S) for task in living} == {7}
    assert not any(task.done() for task in hanging)
    assert crew.size <= 40
    end.set()
    assert all(task.result(timeout=LONG_ENOUGH_S) for task in hanging)


def test_a_hanging_lane_holds_as_many_threads_as_its_limit_says(crew: Crew) -> None:
    end, lane = threading.Event(), crew.lane(2)
    for _ in range(100):
        lane.submit(end.wait, LONG_ENOUGH_S)
    assert crew.lane(1).submit(int, "7").result(timeout=LONG_ENOUGH_S) == 7
    assert crew.size <= 4
    end.set()


def test_where_too_much_hangs_tasks_wait_and_threads_stay_bounded() -> None:
    crew, end = Crew("test", usual=2, most=5, long_s=0.02), threading.Event()
    hanging = [crew.lane(1).submit(end.wait, LONG_ENOUGH_S) for _ in range(5)]
    last = crew.lane(1).submit(int, "7")
    assert not wait([last], timeout=0.5).done
    assert crew.size == 5
    end.set()
    assert last.result(timeout=LONG_ENOUGH_S) == 7
    assert all(task.result(timeout=LONG_ENOUGH_S) for task in hanging)
    crew.close()


def test_a_failure_is_its_tasks_own_and_the_rest_of_a_map_is_not_begun(crew: Crew) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return 1 // number

    lane = crew.lane(1)
    with pytest.raises(ZeroDivisionError):
        list(lane.map(work, range(1000)))
    assert len(begun) < 1000
    assert lane.submit(int, "7").result() == 7


def test_what_waits_when_the_crew_is_closed_is_cancelled() -> None:
    crew, begun, end = Crew("test"), threading.Event(), threading.Event()
    lane = crew.lane(1)

    def work() -> None:
        begun.set()
        end.wait(LONG_ENOUGH_S)

    running, waiting = lane.submit(work), lane.submit(int, "7")
    begun.wait(LONG_ENOUGH_S)
    crew.close(wait_s=0)
    for task in (waiting, lane.submit(int, "7")):
        with pytest.raises(CancelledError):
            task.result(timeout=LONG_ENOUGH_S)
    end.set()
    running.result(timeout=LONG_ENOUGH_S)


def test_threads_go_when_there_is_no_work(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimi_cim.mapping.threads.IDLE_S", 0.01)
    list(crew.lane(4).map(int, "12345678"))
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(LONG_ENOUGH_S)
    assert crew.size == 0
    assert crew.lane(1).submit(int, "7").result(timeout=LONG_ENOUGH_S) == 7
