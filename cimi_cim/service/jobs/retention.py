"""Deletes Jobs that have been over for long enough (capability JobRetention)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select

from cimi_cim.service.jobs import ledger
from cimi_cim.service.jobs.records import COLLECTION
from cimi_cim.service.store.job_tables import RUNS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.tables import RESOURCES

AT_ONCE = 10
"""So many are deleted in one transaction, for others want to write, too."""


def delete_old(store: Store, minutes: int, forget: Callable[[Iterable[str]], None]) -> int:
    """Delete the Jobs that were over for so many minutes; returns how many.

    `forget` deletes what is kept of them elsewhere.
    """
    deleted = 0
    while True:
        with store.reading() as reading:
            before = _ago(store.now, minutes)
            found = [*_carried_out(reading, before), *_recorded(reading, before)]
        if not found:
            return deleted
        forget(found)
        with store.writing() as writing:
            for job in found:
                ledger.forget_family(writing, job)
        deleted += len(found)


def _carried_out(reading: Reading, before: str) -> list[str]:
    query = select(RUNS.c.job).where(
        RUNS.c.job == RUNS.c.root, RUNS.c.phase == ledger.OVER, RUNS.c.changed < before
    )
    return list(reading.connection.scalars(query.limit(AT_ONCE)))


def _recorded(reading: Reading, before: str) -> list[str]:
    """Jobs of work that was over at once: no body carried them out."""
    query = select(RESOURCES.c.path).where(
        RESOURCES.c.collection == COLLECTION,
        RESOURCES.c.created < before,
        RESOURCES.c.path.not_in(select(RUNS.c.job)),
    )
    return list(reading.connection.scalars(query.order_by(RESOURCES.c.position).limit(AT_ONCE)))


def _ago(now: str, minutes: int) -> str:
    then = datetime.fromisoformat(now) - timedelta(minutes=minutes)
    return then.isoformat(timespec="milliseconds")
