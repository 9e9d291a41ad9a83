"""Signs of life: which bridges are there, and whose Jobs are nobody's any more."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Select,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from cimi_cim.service.jobs import ledger
from cimi_cim.service.jobs.bodies import Kinds
from cimi_cim.service.store.job_tables import BRIDGES, RUNS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store

_END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = :session AND usename = current_user"
)


class Pulse:
    """The sign of life of one bridge, and what it sees of the others.

    A bridge is dead once it gave none for `lease_s` seconds, by the clock of the database.
    One that is alone by the nature of its store has no others; all that were are dead.
    """

    def __init__(
        self, store: Store, executor: str, kinds: Kinds, lease_s: float, *, is_alone: bool
    ) -> None:
        self.executor = executor
        self._store = store
        self._known = kinds
        self._lease_s = lease_s
        self._is_alone = is_alone
        self._last = float("-inf")
        self._lock = threading.Lock()

    @property
    def _kinds(self) -> frozenset[str]:
        return self._known.names

    def beat(self) -> None:
        """Give a sign of life."""
        at = time.monotonic()
        with self._store.apart() as connection:
            row = {"beat": _now(connection), "kinds": json.dumps(sorted(self._kinds))}
            mine = BRIDGES.c.executor == self.executor
            if not connection.execute(update(BRIDGES).where(mine).values(row)).rowcount:
                connection.execute(insert(BRIDGES).values(executor=self.executor, **row))
        self._last = at

    def be_fresh(self) -> None:
        """Give a sign of life if the last one is so old that others could soon doubt it."""
        if self._is_alone or time.monotonic() - self._last < self._lease_s / 2:
            return
        with self._lock:
            if time.monotonic() - self._last >= self._lease_s / 2:
                self.beat()

    def leave(self) -> None:
        """Say that this bridge ends: what it was carrying out is anybody's."""
        with self._store.writing() as writing:
            mine = update(RUNS).where(RUNS.c.owner == self.executor, RUNS.c.phase != ledger.OVER)
            writing.connection.execute(mine.values(owner=None))
            writing.connection.execute(delete(BRIDGES).where(BRIDGES.c.executor == self.executor))

    def take_over(self, most: int) -> list[str]:
        """Take Jobs that nobody alive carries out, the oldest first; returns those taken.

        Jobs of a kind that this bridge does not know are left to one that does.
        """
        with self._store.reading() as reading:
            query = (
                self._orphans(reading)
                .where(RUNS.c.kind.in_(sorted(self._kinds)))
                .order_by(RUNS.c.changed)
                .limit(most)
            )
            found = list(reading.connection.scalars(query))
        return [job for job in found if self.take(job)]

    def unknown(self) -> list[str]:
        """Return the Jobs that no bridge alive knows how to carry out."""
        with self._store.reading() as reading:
            known = {kind for row in self._living(reading) for kind in json.loads(row.kinds)}
            strange = RUNS.c.kind.not_in(sorted(known | self._kinds))
            return list(reading.connection.scalars(self._orphans(reading).where(strange)))

    def mine(self, *also: ColumnElement[bool]) -> list[str]:
        """Return the open Jobs that this bridge carries out, for which something holds, too."""
        query = select(RUNS.c.job).where(
            RUNS.c.job == RUNS.c.root, RUNS.c.phase != ledger.OVER, RUNS.c.owner == self.executor
        )
        with self._store.reading() as reading:
            return list(reading.connection.scalars(query.where(*also)))

    def bury(self) -> None:
        """Forget the bridges that are dead, and end what they may still hold in the database.

        One that only stands still may do so in the middle of a transaction, for ever.
        """
        with self._store.reading() as reading:
            living = {row.executor for row in self._living(reading)} | {self.executor}
            every = set(reading.connection.scalars(select(BRIDGES.c.executor)))
        for executor in sorted(every - living):
            with self._store.apart() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(_END_SESSIONS, {"session": executor})
                connection.execute(delete(BRIDGES).where(BRIDGES.c.executor == executor))

    def take(self, job: str) -> bool:
        """Take a Job that nobody alive carries out; returns whether it was one."""
        with self._store.writing() as writing:
            still = self._orphans(writing).where(RUNS.c.job == job)
            if writing.connection.execute(still).first() is None:
                return False
            mine = update(RUNS).where(RUNS.c.job == job).values(owner=self.executor)
            writing.connection.execute(mine)
            return True

    def _orphans(self, reading: Reading) -> Select[str]:
        living = [row.executor for row in self._living(reading)]
        return select(RUNS.c.job).where(
            RUNS.c.job == RUNS.c.root,
            RUNS.c.phase != ledger.OVER,
            or_(RUNS.c.owner.is_(None), RUNS.c.owner.not_in([*living, self.executor])),
        )

    def _living(self, reading: Reading) -> list[Any]:
        query = select(BRIDGES)
        if self._is_alone:
            query = query.where(BRIDGES.c.executor == self.executor)
        else:
            query = query.where(BRIDGES.c.beat >= _now(reading.connection) - self._lease_s)
        return list(reading.connection.execute(query))


def _now(connection: Connection) -> ColumnElement[float]:
    """The time in seconds, by the clock that all bridges of the store share."""
    if connection.dialect.name == "postgresql":
        return func.extract("epoch", func.clock_timestamp()).cast(Float)
    return literal(time.time(), Float)
