"""Jobs that ask for more while they hold something never wait for each other for ever."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from cimi_cim.errors import ConflictError
from cimi_cim.service.jobs.bodies import Child, JobContext
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.job_tables import CLAIMS
from tests.jobs.conftest import Bench
from tests.jobs.waiting import LIMIT_S, Gate, until
from tests.jobs.work import TARGET

numbers = itertools.count()
REASON = "jobs-wait-for-each-other"


@pytest.fixture
def paths() -> tuple[str, str]:
    """Two resources of their own for each test."""
    number = next(numbers)
    return f"machines/circle:{number}-a", f"machines/circle:{number}-b"


def none_is_left(bench: Bench) -> bool:
    """Whether no Job holds anything, or waits for it."""
    with bench.store.reading() as reading:
        return reading.connection.execute(select(CLAIMS)).first() is None


class Meeting:
    """A body that meets another one, both holding something, and then wants what that one has."""

    def __init__(self, parties: int = 2) -> None:
        self.barrier = threading.Barrier(parties)
        self.began: list[str] = []

    def __call__(self, context: JobContext, arguments: Mapping[str, Any]) -> None:
        """Arguments: `more`; `first`, whether nothing was done so far."""
        if context.job not in self.began:
            self.began.append(context.job)
            self.barrier.wait(LIMIT_S)
        if arguments.get("first"):
            context.hold_first("more", lambda: [arguments["more"]])
        else:
            context.hold([arguments["more"]])


def test_of_two_that_need_what_the_other_has_one_fails_and_says_so(
    bench: Bench, paths: tuple[str, str]
) -> None:
    a, b = paths
    kind = bench.body(Meeting())
    jobs = [
        bench.submit(kind, {"more": b}, holds=[a]),
        bench.submit(kind, {"more": a}, holds=[b]),
    ]
    ended = {bench.end(job)["state"]: job for job in jobs}
    assert ended.keys() == {"SUCCESS", "FAILED"}
    failure = bench.failure(ended["FAILED"])
    assert failure is not None
    assert failure.reason == REASON
    assert ended["SUCCESS"] in failure.message
    assert bench.values(ended["SUCCESS"]).get("statusMessage") is None
    assert none_is_left(bench)


def test_a_circle_of_three_costs_one_of_them(bench: Bench, paths: tuple[str, str]) -> None:
    three = [f"{paths[0]}{n}" for n in range(3)]
    kind = bench.body(Meeting(parties=3))
    jobs = [
        bench.submit(kind, {"more": f"{three[(n + 1) % 3]}/disks"}, holds=[three[n]])
        for n in range(3)
    ]
    assert sorted(str(bench.end(job)["state"]) for job in jobs) == ["FAILED", "SUCCESS", "SUCCESS"]
    assert none_is_left(bench)


@pytest.mark.parametrize("both", [False, True], ids=["one", "both"])
def test_what_did_nothing_yet_gives_way_without_failing(
    bench: Bench, paths: tuple[str, str], both: bool
) -> None:
    a, b = paths
    kind = bench.body(Meeting())
    jobs = [
        bench.submit(kind, {"more": b, "first": True}, holds=[a]),
        bench.submit(kind, {"more": a, "first": both}, holds=[b]),
    ]
    assert [bench.end(job)["state"] for job in jobs] == ["SUCCESS"] * 2
    assert none_is_left(bench)


def test_what_gave_way_looks_again_at_what_it_needs(bench: Bench, paths: tuple[str, str]) -> None:
    a, b = paths
    meet, looks = threading.Barrier(2), list[str]()

    def patient(context: JobContext, arguments: Mapping[str, Any]) -> None:
        def look() -> list[str]:
            looks.append(b)
            return [b] if len(looks) == 1 else []

        meet.wait(LIMIT_S)
        assert context.hold_first("more", look) == []
        assert context.hold_first("more", look) == []

    def greedy(context: JobContext, arguments: Mapping[str, Any]) -> None:
        meet.wait(LIMIT_S)
        context.hold([a])

    jobs = [
        bench.submit(bench.body(patient), holds=[a]),
        bench.submit(bench.body(greedy), holds=[b]),
    ]
    assert [bench.end(job)["state"] for job in jobs] == ["SUCCESS"] * 2
    assert len(looks) == 2


def test_who_undoes_goes_before_who_is_at_work(bench: Bench, paths: tuple[str, str]) -> None:
    """What would be left over is worse than what is not done."""
    a, b = paths
    meet = threading.Barrier(2)

    def unmake(context: JobContext, arguments: Mapping[str, Any]) -> None:
        meet.wait(LIMIT_S)
        context.hold([a])

    undo = bench.body(unmake, can_stop=False)

    def fails(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.undo("made", undo, {}, "delete it")
        raise ConflictError("it failed")

    failing = bench.submit(bench.body(fails), holds=[b])
    other = bench.submit(bench.body(Meeting(parties=1)), {"more": b}, holds=[a])
    # The other one begins to wait before the undoing does.
    until(lambda: "waits for" in str(bench.values(other).get("statusMessage")))
    meet.wait(LIMIT_S)
    assert str(bench.end(failing)["statusMessage"]).endswith("what it had done was undone")
    failure = bench.failure(other) if bench.end(other)["state"] == "FAILED" else None
    assert failure is not None
    assert failure.reason == REASON


def test_a_nested_job_can_be_the_one_that_waits(bench: Bench, paths: tuple[str, str]) -> None:
    a, b = paths
    inner = bench.body(Meeting())

    def outer(context: JobContext, arguments: Mapping[str, Any]) -> None:
        kind = arguments["kind"]
        context.nested([Child("in", kind, Work("start", TARGET), {"more": arguments["more"]})])

    kind = bench.body(outer)
    jobs = [
        bench.submit(kind, {"more": more, "kind": inner}, holds=[held])
        for held, more in ((a, b), (b, a))
    ]
    assert sorted(str(bench.end(job)["state"]) for job in jobs) == ["FAILED", "SUCCESS"]
    assert none_is_left(bench)


def test_what_another_one_made_its_own_counts_as_waiting(
    bench: Bench, paths: tuple[str, str]
) -> None:
    """Somebody deletes what a Job made before that tells of it, and waits for that Job."""
    a, made = paths
    meet = threading.Barrier(2)

    def maker(context: JobContext, arguments: Mapping[str, Any]) -> None:
        if not meet.broken and context.recall("met") is None:
            meet.wait(LIMIT_S)
            context.note("met", True)
        context.affected(made)
        context.write("kept", lambda writing: None)

    def deleter(context: JobContext, arguments: Mapping[str, Any]) -> None:
        meet.wait(LIMIT_S)
        context.hold_first("live", lambda: [a])

    jobs = [
        bench.submit(bench.body(maker), holds=[a]),
        bench.submit(bench.body(deleter, can_stop=False), holds=[made]),
    ]
    assert [bench.end(job)["state"] for job in jobs] == ["SUCCESS"] * 2
    assert none_is_left(bench)


def test_a_job_that_waits_for_more_is_not_passed_by(bench: Bench, paths: tuple[str, str]) -> None:
    a, b = paths
    gate, order = Gate(), list[str]()
    first = bench.submit(bench.body(gate), holds=[b])
    assert gate.began.wait(LIMIT_S)

    def late(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.hold([b])
        order.append("late")

    waiting = bench.submit(bench.body(late), holds=[a])
    until(lambda: bench.values(waiting).get("statusMessage") == f"waits for {first} to be over")
    behind = bench.submit(bench.body(lambda context, arguments: order.append("behind")), holds=[b])
    gate.may_go.set()
    for job in (first, waiting, behind):
        assert bench.end(job)["state"] == "SUCCESS"
    assert order == ["late", "behind"]


def test_a_job_that_is_stopped_while_it_waits_is_in_nobodys_way(
    bench: Bench, paths: tuple[str, str]
) -> None:
    a, b = paths
    gate = Gate()
    holder = bench.submit(bench.body(gate), holds=[b])
    assert gate.began.wait(LIMIT_S)
    waiting = bench.submit(bench.body(Meeting(parties=1)), {"more": b}, holds=[a])
    until(lambda: "waits for" in str(bench.values(waiting).get("statusMessage")))
    bench.stop(waiting)
    assert bench.end(waiting)["state"] == "STOPPED"
    gate.may_go.set()
    assert bench.end(holder)["state"] == "SUCCESS"
    assert none_is_left(bench)
