"""The store: transactions that read, and transactions that change things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy import Connection

from cimi_cim.model.resources import Value
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.reading import Reading, Stored
from cimi_cim.service.store.secrets import Secrets
from cimi_cim.service.store.writing import OWN, Writing, as_datetime, system_clock


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
            writing = self._here.writing = self._new_writing(connection)
            try:
                yield writing
            finally:
                self._here.writing = None
        for call in writing.after_commit:
            call()

    def _new_writing(self, connection: Connection) -> Writing:
        return Writing(connection, self._secrets, self._clock)


class _Undone(Exception):
    """Ends a transaction of a trial; nothing of it stays."""


class TrialStore(Store):
    """Lets changes be made and checked, and undoes each at the end of its block.

    `changes` tells them, a line each, without values.
    """

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        super().__init__(database, secrets, clock)
        self.changes: list[str] = []

    def _new_writing(self, connection: Connection) -> Writing:
        return _TrialWriting(connection, self._secrets, self._clock, self.changes)

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


class _TrialWriting(Writing):
    """A transaction that tells what it changes."""

    def __init__(
        self,
        connection: Connection,
        secrets: Secrets,
        clock: Callable[[], datetime],
        changes: list[str],
    ) -> None:
        super().__init__(connection, secrets, clock)
        self._changes = changes

    def add(
        self, type_name: str, collection: str, values: Mapping[str, Value], token: str | None = None
    ) -> Stored:
        """See `Writing.add`."""
        stored = super().add(type_name, collection, values, token)
        self._changes.append(f"make the {type_name} {stored.resource.path}")
        return stored

    def replace(
        self, path: str, values: Mapping[str, Value], *, updated: str | None = None
    ) -> Stored:
        """See `Writing.replace`."""
        before = self.find(path)
        old = before.resource.values if before is not None else {}
        names = {n for n in {**old, **values} if n not in OWN and old.get(n) != values.get(n)}
        self._changes.append(f"change {path}: {', '.join(sorted(names)) or 'nothing'}")
        return super().replace(path, values, updated=updated)

    def remove(self, *paths: str) -> None:
        """See `Writing.remove`."""
        self._changes += [f"forget {path}" for path in dict.fromkeys(paths)]
        super().remove(*paths)

    def list_in(
        self, collection: str, member: str, values: Mapping[str, Value] | None = None
    ) -> bool:
        """See `Writing.list_in`."""
        is_new = super().list_in(collection, member, values)
        if is_new:
            self._changes.append(f"list {member} in {collection}")
        return is_new

    def unlist(self, collection: str, member: str) -> bool:
        """See `Writing.unlist`."""
        was_there = super().unlist(collection, member)
        if was_there:
            self._changes.append(f"take {member} off {collection}")
        return was_there

    def set_overlay(
        self, path: str, values: Mapping[str, Value], *, updated: str | None = None
    ) -> None:
        """See `Writing.set_overlay`."""
        self._changes.append(f"keep of {path}: {', '.join(sorted(values)) or 'nothing'}")
        super().set_overlay(path, values, updated=updated)
