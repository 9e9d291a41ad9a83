"""What a Job keeps together, and how many commits it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select

from cimi_cim.errors import ConflictError, StoreUnavailable
from cimi_cim.service.jobs.bodies import JobContext
from cimi_cim.service.store.job_tables import CALLS, NOTES, UNDOS
from cimi_cim.service.store.writing import Writing
from tests.jobs.conftest import Bench
from tests.jobs.recorder import Recorder
from tests.jobs.work import call


def nothing(context: JobContext, arguments: Mapping[str, Any]) -> None:
    """Do nothing."""


@contextmanager
def commits(bench: Bench) -> Iterator[list[str]]:
    """Note the statements of each transaction of the store that changed something."""
    found: list[str] = []
    running: dict[int, list[str]] = {}

    def sent(connection: Connection, _: Any, statement: str, *rest: Any) -> None:
        running.setdefault(id(connection), []).append(statement.split("(")[0].strip())

    def committed(connection: Connection) -> None:
        made = running.pop(id(connection), [])
        changes = [each for each in made if each.startswith(("INSERT", "UPDATE", "DELETE"))]
        if changes and "dbos" not in changes[0] and "workflow" not in changes[0]:
            found.append("; ".join(changes))

    listeners: list[tuple[str, Any]] = [("before_cursor_execute", sent), ("commit", committed)]
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield found
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def test_a_job_of_a_call_costs_four_commits_and_waits_for_three(
    bench: Bench, recorder: Recorder
) -> None:
    """The Job, the intent with what undoes it, the outcome, the end with the last change."""
    undo = bench.body(nothing, can_stop=False)

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.undo("a", undo, {}, "undo it")
        context.seen("b", lambda: 1)
        call(context, recorder.port, "+a")
        context.affected("machines/commits:1")
        context.also("c", lambda writing: None)

    kind = bench.body(body)
    with commits(bench) as made:
        job = bench.submit(kind)
        assert bench.end(job)["state"] == "SUCCESS"
    mine = [each for each in made if "job_" in each]
    assert [each for each in mine if "INSERT INTO job_runs" in each] == mine[:1]
    (intent,) = [each for each in mine if "INSERT INTO job_calls" in each]
    assert "INSERT INTO job_undos" in intent
    assert "INSERT INTO job_notes" in intent
    assert "UPDATE job_runs" in mine[-1]
    assert "INSERT INTO job_notes" in mine[-1]
    assert len(mine) <= 4  # the outcome goes with the end if that is faster


def test_what_a_job_changes_also_is_kept_with_its_end(bench: Bench) -> None:
    seen: list[bool] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        def change(writing: Writing) -> None:
            writing.set_overlay("machines/also:1", {"name": "x"})

        context.also("it", change)
        with bench.store.reading() as reading:
            seen.append(bool(reading.overlay("machines/also:1")))

    assert bench.run(bench.body(body))["state"] == "SUCCESS"
    with bench.store.reading() as reading:
        seen.append(bool(reading.overlay("machines/also:1")))
    assert seen == [False, True]


def test_what_a_job_that_fails_would_have_changed_also_is_not_changed(bench: Bench) -> None:
    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.also("it", lambda writing: writing.set_overlay("machines/also:2", {"name": "x"}))
        raise ConflictError("too late")

    assert bench.run(bench.body(body))["state"] == "FAILED"
    with bench.store.reading() as reading:
        assert not reading.overlay("machines/also:2")


def test_a_last_change_that_is_refused_fails_the_job_and_is_undone(bench: Bench) -> None:
    undone: list[str] = []
    undo = bench.body(lambda context, arguments: undone.append(context.job), can_stop=False)

    def refuse(writing: Writing) -> None:
        raise ConflictError("it cannot be listed there", reason="full")

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.undo("made", undo, {}, "delete it")
        context.also("it", refuse)

    job = bench.submit(bench.body(body))
    ended = bench.end(job)
    assert ended["state"] == "FAILED"
    assert ended["statusMessage"] == (
        "it cannot be listed there (full); what it had done was undone"
    )
    assert undone == [job]


def test_what_was_seen_first_is_seen_by_a_body_that_runs_again(bench: Bench) -> None:
    runs: list[int] = []

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        runs.append(context.seen("n", lambda: len(runs)))
        if len(runs) == 1:
            raise StoreUnavailable("away for a moment")

    assert bench.run(bench.body(body))["state"] == "SUCCESS"
    assert runs == [0, 0]


def test_secure_keeps_what_was_said_before_a_deed_of_ones_own(bench: Bench) -> None:
    kept: list[int] = []
    undo = bench.body(nothing, can_stop=False)

    def count(job: str) -> int:
        with bench.store.reading() as reading:
            tables = (UNDOS, NOTES)
            rows = [select(t.c.key).where(t.c.job == job) for t in tables]
            return sum(len(reading.connection.execute(each).all()) for each in rows)

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        context.undo("a", undo, {}, "undo it")
        context.seen("b", lambda: 1)
        kept.append(count(context.job))
        context.secure()
        kept.append(count(context.job))

    assert bench.run(bench.body(body))["state"] == "SUCCESS"
    assert kept == [0, 2]


@pytest.mark.parametrize("line", ["+told", "+refused"])
def test_the_outcome_of_a_call_is_kept_by_the_end(
    bench: Bench, recorder: Recorder, line: str
) -> None:
    recorder.refuses.add("+refused")

    def body(context: JobContext, arguments: Mapping[str, Any]) -> None:
        call(context, recorder.port, line)

    job = bench.submit(bench.body(body))
    bench.end(job)
    with bench.store.reading() as reading:
        (row,) = reading.connection.execute(select(CALLS).where(CALLS.c.job == job)).all()
    assert (row.outcome is None) == (line == "+refused")
    assert (row.failure is None) == (line == "+told")
