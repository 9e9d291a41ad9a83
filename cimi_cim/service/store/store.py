"""The store: transactions that read, and transactions that change things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy import Connection

from cimi_cim.service.store.database import Database
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.secrets import Secrets
from cimi_cim.service.store.writing import Writing, as_datetime, system_clock


class Store:
    """What no WBEM server holds; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._here = threading.local()

    def trial(self) -> TrialStore:
        """Return a view of this store that changes nothing."""
        return TrialStore(self._database, self._secrets, self._clock)

    @property
    def now(self) -> str:
        """The time now as an xs:dateTime."""
        return as_datetime(self._clock())

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read one state of the store, without waiting for anybody.

        Within a block of this thread that writes, its own changes are seen; a connection of
        its own would wait for one while holding another.
        """
        writing: Writing | None = getattr(self._here, "writing", None)
        if writing is not None:
            yield writing
            return
        with self._database.transaction(writes=False) as connection:
            yield Reading(connection)

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """Change rows that no other process does, without waiting for those that write."""
        with self._database.transaction(apart=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Change the store; what the block raises undoes all of it.

        Raises `RuntimeError` within such a block: they do not nest.
        """
        if getattr(self._here, "writing", None) is not None:
            raise RuntimeError("the store is being changed by this thread already")
        with self._database.transaction() as connection:
            writing = self._here.writing = Writing(connection, self._secrets, self._clock)
            try:
                yield writing
            finally:
                self._here.writing = None
        for call in writing.after_commit:
            call()


class _Undone(Exception):
    """Ends a transaction of a trial; nothing of it stays."""


class TrialStore(Store):
    """Lets changes be made and checked, and undoes each at the end of its block."""

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """See `Store.apart`; nothing of it stays."""
        with suppress(_Undone), super().apart() as connection:
            yield connection
            raise _Undone

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """See `Store.writing`; nothing of it stays."""
        with suppress(_Undone), super().writing() as writing:
            yield writing
            raise _Undone
