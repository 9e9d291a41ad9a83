"""Undoes what a failed or stopped Job had done: the last deed first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from cimi_cim.service.jobs.context import Context
from cimi_cim.service.jobs.failures import Failure, failure_of
from cimi_cim.service.store.job_tables import CALLS, UNDOS
from cimi_cim.service.store.reading import Reading

if TYPE_CHECKING:
    from cimi_cim.service.jobs.family import Family

MOST_TEXT = 4000


def undo_all(family: Family, context: Context, failure: Failure) -> Failure:
    """Undo the deeds of a Job and of its nested Jobs; returns the failure, with what became of it.

    One that cannot be undone keeps nothing else from being undone. Goes on where an earlier
    run ended.
    """
    _let_settle(context)
    for row in context.read(lambda reading: _deeds(family, reading, context.job, ("open",))):
        state, message = "done", None
        undoer = Context(family, context.job, context.principal, undoes=row.position)
        try:
            family.run_body(undoer, row.kind, json.loads(row.arguments))
        except Exception as exc:
            undoer.unsay()
            state, message = "failed", failure_of(exc, context.job).message
        _end(undoer, row, state, message)
    rows = context.read(lambda reading: _deeds(family, reading, context.job, ("done", "failed")))
    return replace(failure, undone=_told(rows)[:MOST_TEXT])


def _end(context: Context, row: Any, state: str, message: str | None) -> None:
    where = UNDOS.c.root == row.root, UNDOS.c.position == row.position
    ended = update(UNDOS).where(*where).values(state=state, message=message)
    context.change(lambda writing: writing.connection.execute(ended), may_stop=False)


def _deeds(family: Family, reading: Reading, job: str, states: tuple[str, ...]) -> list[Any]:
    mine = sorted(entry.job for entry in family.below(reading, job))
    query = (
        select(UNDOS)
        .where(UNDOS.c.root == family.fence.root)
        .where(UNDOS.c.job.in_(mine), UNDOS.c.state.in_(states))
        .order_by(UNDOS.c.position.desc())
    )
    return list(reading.connection.execute(query))


def _let_settle(context: Context) -> None:
    """Wait until a call without a known outcome has taken effect if it ever will."""
    query = select(func.max(CALLS.c.began)).where(
        CALLS.c.job == context.job, CALLS.c.outcome.is_(None), CALLS.c.failure.is_(None)
    )
    began = context.read(lambda reading: reading.connection.scalar(query))
    left = 0.0 if began is None else began + context.settle_s - context.now()
    if left > 0:
        context.rest(left)


def _told(rows: list[Any]) -> str:
    failed = [f"could not {row.what}: {row.message}" for row in rows if row.state == "failed"]
    if failed:
        return f"; it was not undone in full: {'; '.join(failed)}"
    return "; what it had done was undone" if rows else ""
