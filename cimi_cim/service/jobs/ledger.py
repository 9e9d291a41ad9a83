"""The books of Jobs at work: who carries out which, how far it is, what it is given.

A Job with its nested Jobs is a family. The run that carries it out holds the family before it
changes anything of it: a bridge that lost the family to another one finds that out there. As
transactions that write take turns, what is held stays held until the end of its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.jobs import turns
from cimi_cim.service.jobs.bodies import Json
from cimi_cim.service.jobs.failures import Failure, read_failure, write_failure
from cimi_cim.service.jobs.records import COLLECTION, Work, described
from cimi_cim.service.store import job_tables
from cimi_cim.service.store.job_tables import CALLS, KEYS, NOTES, RUNS, UNDOS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

WAITING, WORKING, UNDOING, OVER = "waiting", "working", "undoing", job_tables.OVER


class LeavesJob(BaseException):
    """Ends a run of a body without ending its Job; no `except Exception` holds it up."""


class Fenced(LeavesJob):
    """Another bridge carries out this family by now."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What only the run that carries out a family now holds."""

    root: str
    executor: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A Job at work; see the table `job_runs`."""

    job: str
    root: str
    parent: str | None
    key: str
    kind: str
    arguments: Mapping[str, Json]
    principal: str | None
    phase: str
    owner: str | None
    attempt: int
    can_stop: bool
    is_stopping: bool
    is_doomed: bool
    failure: Failure | None

    @property
    def is_root(self) -> bool:
        """Whether it is part of no other Job."""
        return self.job == self.root

    @property
    def may_stop(self) -> bool:
        """Whether it can be asked to stop now: what has not begun can always be."""
        is_early = self.phase == WAITING or (self.phase == WORKING and self.can_stop)
        return is_early and not self.is_stopping


@dataclass(frozen=True, slots=True)
class New:
    """A Job that is to be entered."""

    kind: str
    work: Work
    arguments: Mapping[str, Json]
    can_stop: bool
    principal: str | None = None
    key: str = ""


def enter(writing: Writing, new: New, owner: str, *, begins: bool = False) -> Entry:
    """Keep a new Job of its own; returns its entry, as it was before its run if that `begins`."""
    job = _enter(writing, new, None, owner, begins=begins)
    given = json.loads(json.dumps(new.arguments))
    return Entry(
        job, job, None, new.key, new.kind, given, new.principal, WAITING, owner, int(begins),
        new.can_stop, is_stopping=False, is_doomed=False, failure=None,
    )  # fmt: skip


def enter_nested(writing: Writing, new: Sequence[New], parent: Entry) -> list[str]:
    """Keep new Jobs within another one, which is told in both; returns their paths."""
    paths = [_enter(writing, each, parent, None) for each in new]
    stored = writing.find(parent.job)
    if stored is not None and paths:
        before = stored.resource.values
        nested = [*_refs(before.get("nestedJobs")), *(Ref(path) for path in paths)]
        writing.replace(parent.job, {**before, "nestedJobs": nested})
    return paths


def find(reading: Reading, job: str) -> Entry | None:
    """Return a Job at work, or one that was; None for a Job that never was."""
    row = reading.connection.execute(select(RUNS).where(RUNS.c.job == job)).first()
    return None if row is None else _entry(row)


def family(reading: Reading, root: str) -> dict[str, Entry]:
    """Return a root and all that is nested in it, by path."""
    rows = reading.connection.execute(select(RUNS).where(RUNS.c.root == root))
    return {row.job: _entry(row) for row in rows}


def below(entries: Mapping[str, Entry], job: str) -> Iterator[Entry]:
    """Yield a Job and what is nested in it, however deep."""
    for entry in entries.values():
        at: Entry | None = entry
        while at is not None and at.job != job:
            at = entries.get(at.parent or "")
        if at is not None:
            yield entry


def hold(writing: Writing, fence: Fence) -> Entry:
    """Hold a family for this transaction; returns its root. Raises `Fenced`."""
    root = find(writing, fence.root)
    if root is None or (root.owner, root.attempt) != (fence.executor, fence.attempt):
        raise Fenced
    return root


def begin_attempt(writing: Writing, root: Entry) -> None:
    """Count a run of a root that this bridge owns; what ran it before is fenced off.

    What that one waited for this one asks for itself, if it gets there.
    """
    _set(writing, root.job, attempt=root.attempt + 1)
    if root.attempt:
        turns.stop_waiting(writing, root.job)


def set_phase(writing: Writing, job: str, phase: str, failure: Failure | None = None) -> None:
    """Enter how far a Job is, and why it is being undone."""
    kept = {} if failure is None else {"failure": write_failure(failure)}
    _set(writing, job, phase=phase, changed=writing.now, **kept)


def ask_to_stop(writing: Writing, job: str) -> None:
    """Enter that somebody wants a Job to stop."""
    _set(writing, job, is_stopping=1)


def doom(writing: Writing, job: str) -> None:
    """Enter that a Job is to be deleted once it is over."""
    _set(writing, job, is_doomed=1)


def change(
    writing: Writing, job: str, values: Mapping[str, str | int | None], affected: Iterable[str] = ()
) -> None:
    """Change attributes of a Job resource, and list resources among those it changed or made.

    One that was deleted stays so.
    """
    if "state" in values:
        values = {**values, "timeOfStatusChange": writing.now}
    if not affected:
        writing.set_plain(job, values)
        return
    writing.extend(job, "affectedResources", [Ref(path) for path in affected], values)


def end(writing: Writing, job: str, how: Failure) -> None:
    """Enter how a Job ended; a root that is to be deleted then goes with its family."""
    entry = find(writing, job)
    if entry is None:
        return
    message = how.told
    if how.state == "SUCCESS" and entry.is_stopping:
        message = "it had ended before it could be stopped"
    set_phase(writing, job, OVER, None if how.state == "SUCCESS" else how)
    values: dict[str, str | int | None] = {
        "state": how.state, "returnCode": how.code, "progress": 100,
        "statusMessage": message or None,
    }  # fmt: skip
    change(writing, job, values)
    if entry.is_root:
        turns.leave(writing, job)
    if entry.is_root and entry.is_doomed:
        forget_family(writing, job)


def forget(writing: Writing, job: str) -> None:
    """Delete a Job with all that is kept of it."""
    for table in (RUNS, CALLS, NOTES, UNDOS, KEYS):
        writing.connection.execute(delete(table).where(table.c.job == job))
    turns.leave(writing, job)
    writing.remove(job)


def forget_family(writing: Writing, root: str) -> None:
    """Delete a Job with all that is nested in it."""
    for job in family(writing, root) or (root,):
        forget(writing, job)


def _enter(
    writing: Writing, new: New, parent: Entry | None, owner: str | None, *, begins: bool = False
) -> str:
    values = described(new.work) | {
        "state": "RUNNING" if begins else "QUEUED",
        "progress": 0,
        "timeOfStatusChange": writing.now,
    }
    if parent is not None:
        values["parentJob"] = Ref(parent.job)
    path = writing.enter("Job", COLLECTION, values)
    row = {
        "job": path, "root": path if parent is None else parent.root,
        "parent": None if parent is None else parent.job, "key": new.key,
        "kind": new.kind, "arguments": json.dumps(new.arguments), "principal": new.principal,
        "phase": WORKING if begins else WAITING, "owner": owner, "attempt": int(begins),
        "can_stop": int(new.can_stop),
        "is_stopping": 0, "is_doomed": 0, "changed": writing.now,
    }  # fmt: skip
    writing.connection.execute(insert(RUNS).values(row))
    return path


def _set(writing: Writing, job: str, **values: Any) -> None:
    writing.connection.execute(update(RUNS).where(RUNS.c.job == job).values(values))


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.job, row.root, row.parent, row.key, row.kind, json.loads(row.arguments),
        row.principal, row.phase, row.owner, row.attempt, bool(row.can_stop),
        bool(row.is_stopping), bool(row.is_doomed),
        None if row.failure is None else read_failure(row.failure),
    )  # fmt: skip


def _refs(value: Value) -> list[Ref]:
    return [each for each in value or () if isinstance(each, Ref)]
