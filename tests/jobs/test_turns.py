"""Jobs that change the same resource come one after another, as they were submitted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert, select

from cimi_cim.errors import ConflictError
from cimi_cim.service.jobs import turns
from cimi_cim.service.jobs.bodies import JobContext
from cimi_cim.service.store.job_tables import CLAIMS
from tests.jobs.conftest import Bench
from tests.jobs.waiting import LIMIT_S, Gate, until

numbers = itertools.count()


@pytest.fixture
def machine() -> str:
    """A machine of its own for each test."""
    return f"machines/turn:{next(numbers)}"


def none_is_left(bench: Bench) -> bool:
    """Whether no Job holds anything, or waits for it."""
    with bench.store.reading() as reading:
        return reading.connection.execute(select(CLAIMS)).first() is None


def test_a_job_waits_for_the_one_that_has_the_resource(bench: Bench, machine: str) -> None:
    first, second = Gate(), Gate()
    second.may_go.set()
    one = bench.submit(bench.body(first), holds=[machine])
    other = bench.submit(bench.body(second), holds=[machine])
    assert first.began.wait(LIMIT_S)
    assert not second.began.wait(0.2)
    assert bench.values(other)["state"] == "QUEUED"
    assert bench.values(other)["statusMessage"] == f"waits for {one} to be over"
    first.may_go.set()
    assert bench.end(one)["state"] == "SUCCESS"
    assert bench.end(other)["state"] == "SUCCESS"
    assert bench.values(other).get("statusMessage") is None
    assert none_is_left(bench)


def test_jobs_take_turns_in_the_order_of_their_submission(bench: Bench, machine: str) -> None:
    gate, order = Gate(), list[int]()
    jobs = [bench.submit(bench.body(gate), holds=[machine])]
    kind = bench.body(lambda context, arguments: order.append(arguments["n"]))
    jobs += [bench.submit(kind, {"n": n}, holds=[machine]) for n in range(5)]
    gate.may_go.set()
    for job in jobs:
        bench.end(job)
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("held", ["{}", "{}/disks", "{}/disks/1"])
def test_parts_go_with_what_they_are_parts_of(bench: Bench, machine: str, held: str) -> None:
    gate = Gate()
    one = bench.submit(bench.body(gate), holds=[held.format(machine)])
    kind = bench.body(lambda context, arguments: None)
    others = [bench.submit(kind, holds=[path]) for path in (machine, f"{machine}/disks/1")]
    beside = bench.submit(kind, holds=[f"{machine}0"])
    assert bench.end(beside)["state"] == "SUCCESS"
    assert {bench.values(job)["state"] for job in others} == {"QUEUED"}
    gate.may_go.set()
    assert [bench.end(job)["state"] for job in (one, *others)] == ["SUCCESS"] * 3


def test_a_job_that_waits_holds_up_those_behind_it_alone(bench: Bench, machine: str) -> None:
    gate, free = Gate(), f"{machine}-free"
    one = bench.submit(bench.body(gate), holds=[machine])
    kind = bench.body(lambda context, arguments: None)
    both = bench.submit(kind, holds=[machine, free])
    behind = bench.submit(kind, holds=[free])
    beside = bench.submit(kind, holds=[f"{machine}-other"])
    bench.end(beside)
    assert bench.values(behind)["statusMessage"] == f"waits for {both} to be over"
    gate.may_go.set()
    for job in (one, both, behind):
        assert bench.end(job)["state"] == "SUCCESS"


def test_a_job_that_waits_can_be_stopped_and_deleted(bench: Bench, machine: str) -> None:
    gate, ran = Gate(), threading.Event()
    one = bench.submit(bench.body(gate), holds=[machine])
    kind = bench.body(lambda context, arguments: ran.set(), can_stop=False)
    stopped, deleted = (bench.submit(kind, holds=[machine]) for _ in range(2))
    bench.stop(stopped)
    assert bench.end(stopped)["state"] == "STOPPED"
    assert bench.delete(deleted)
    last = bench.submit(bench.body(lambda context, arguments: None), holds=[machine])
    gate.may_go.set()
    bench.end(one)
    bench.end(last)
    assert not ran.is_set()
    assert none_is_left(bench)


def test_what_a_job_made_is_its_own_until_it_is_over(bench: Bench, machine: str) -> None:
    gate = Gate()

    def make(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.affected(machine)
        context.write("kept", lambda writing: None)
        gate(context, arguments)

    maker = bench.submit(bench.body(make))
    assert gate.began.wait(LIMIT_S)
    deleter = bench.submit(bench.body(lambda context, arguments: None), holds=[machine])
    assert bench.values(deleter)["statusMessage"] == f"waits for {maker} to be over"
    gate.may_go.set()
    assert bench.end(maker)["state"] == "SUCCESS"
    assert bench.end(deleter)["state"] == "SUCCESS"


def test_a_job_whose_work_another_one_holds_looks_again_after_it(
    bench: Bench, machine: str
) -> None:
    """Somebody saw the new machine and deletes it before its maker heard of it."""
    gate, seen = Gate(), list[bool]()

    def make(context: JobContext, arguments: Mapping[str, Any]) -> None:
        is_there = not gate.may_go.is_set()
        seen.append(is_there)
        if not is_there:
            raise ConflictError("it is gone")
        context.affected(machine)
        context.write("kept", lambda writing: None)

    deleter = bench.submit(bench.body(gate), holds=[machine])
    assert gate.began.wait(LIMIT_S)
    maker = bench.submit(bench.body(make))
    until(lambda: seen == [True])
    assert bench.values(maker)["state"] in ("QUEUED", "RUNNING")
    gate.may_go.set()
    assert bench.end(deleter)["state"] == "SUCCESS"
    assert bench.end(maker)["state"] == "FAILED"
    assert seen == [True, False]
    assert machine not in [ref.path for ref in bench.values(maker)["affectedResources"]]
    assert none_is_left(bench)


def test_what_undoes_a_job_waits_for_who_has_the_resource(bench: Bench, machine: str) -> None:
    gate, undone = Gate(), list[bool]()

    def make(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.undo("made", undo, {}, "delete it")
        raise ConflictError("it failed")

    def unmake(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.hold([machine])
        undone.append(gate.may_go.is_set())

    undo = bench.body(unmake, can_stop=False)
    other = bench.submit(bench.body(gate), holds=[machine])
    assert gate.began.wait(LIMIT_S)
    job = bench.submit(bench.body(make))
    assert not bench.engine.wait(job, 0.3)
    gate.may_go.set()
    bench.end(other)
    assert bench.end(job)["state"] == "FAILED"
    assert undone == [True]


def test_jobs_that_need_more_of_each_other_do_not_wait_for_ever(bench: Bench, machine: str) -> None:
    """Each holds one, and asks for both others at once."""
    both = [f"{machine}-a", f"{machine}-b"]
    meet = threading.Barrier(2)

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        meet.wait(LIMIT_S)
        context.hold(both)

    kind = bench.body(body)
    jobs = [bench.submit(kind, holds=[f"{machine}-{n}"]) for n in range(2)]
    assert [bench.end(job)["state"] for job in jobs] == ["SUCCESS"] * 2


def test_claims_that_an_older_bridge_left_behind_are_in_nobodys_way(
    bench: Bench, machine: str
) -> None:
    """An older one, which ends Jobs during an upgrade, does not know of turns."""
    kind = bench.body(lambda context, arguments: None)
    over = bench.submit(kind)
    bench.end(over)
    row = {"root": over, "path": machine, "position": 1, "is_held": 1}
    with bench.store.writing() as writing:
        writing.connection.execute(insert(CLAIMS).values(row))
    assert bench.end(bench.submit(kind, holds=[machine]))["state"] == "SUCCESS"
    assert bench.delete(over)
    assert none_is_left(bench)


def test_many_paths_are_compared_as_few_are(bench: Bench, machine: str) -> None:
    gate = Gate()
    many = [f"{machine}/disks/{n}" for n in range(2 * turns.FEW)]
    one = bench.submit(bench.body(gate), holds=[machine])
    kind = bench.body(lambda context, arguments: None)
    beside = bench.submit(kind, holds=[f"{machine}-{n}" for n in range(2 * turns.FEW)])
    other = bench.submit(kind, holds=many)
    bench.end(beside)
    assert bench.values(other)["state"] == "QUEUED"
    gate.may_go.set()
    bench.end(one)
    assert bench.end(other)["state"] == "SUCCESS"
