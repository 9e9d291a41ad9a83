"""Changes the store, within one transaction: all of it happens, or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, text, update

from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.store.documents import (
    read_document,
    targets_of,
    without_target,
    write_document,
)
from cimi_cim.service.store.reading import Reading, Stored, stored_of
from cimi_cim.service.store.secrets import Secrets
from cimi_cim.service.store.tables import LINKS, LISTINGS, OVERLAYS, RESOURCES

OWN = frozenset({"id", "created", "updated"})
"""What the store itself gives a resource; not part of its document."""


def system_clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def as_datetime(moment: datetime) -> str:
    """Return a moment as an xs:dateTime in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


class Writing(Reading):
    """A transaction that may change things; it sees its own changes."""

    def __init__(
        self,
        connection: Connection,
        secrets: Secrets,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        super().__init__(connection)
        self._secrets = secrets
        self._clock = clock
        self.after_commit: list[Callable[[], None]] = []
        """Called in order once all of it has happened; not at all if nothing has."""

    @property
    def now(self) -> str:
        """The time now as an xs:dateTime."""
        return as_datetime(self._clock())

    def lock(self, path: str) -> Stored | None:
        """Return the resource at a path; nobody else who locks it goes on before the end.

        On SQLite there is only one who writes anyway.
        """
        if self._connection.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:path, 0))")
            self._connection.execute(lock, {"path": path})
        query = select(RESOURCES).where(RESOURCES.c.path == path).with_for_update()
        row = self._connection.execute(query).first()
        return None if row is None else stored_of(row)

    def add(
        self, type_name: str, collection: str, values: Mapping[str, Value], token: str | None = None
    ) -> Stored:
        """Create a resource in a collection (a neutral path), under a new token if none is given.

        What is None among the values is left out, and secrets among them are sealed.
        """
        values = self._secrets.sealed(type_name, values)
        path = f"{collection}/{token or uuid.uuid4()}"
        now = self.now
        row = {
            "path": path, "type": type_name, "collection": collection,
            "position": self._next(RESOURCES, collection),
            "document": write_document(_kept(path, values)),
            "created": now, "updated": now, "revision": 1,
        }  # fmt: skip
        self._connection.execute(insert(RESOURCES).values(row))
        self._link(path, values)
        return self._found(path)

    def replace(
        self, path: str, values: Mapping[str, Value], *, updated: str | None = None
    ) -> Stored:
        """Give a resource that is there other attributes; secrets among them are sealed.

        It is updated now unless `updated` says otherwise.
        """
        values = self._secrets.sealed(self._found(path).resource.type, values)
        self._connection.execute(
            update(RESOURCES)
            .where(RESOURCES.c.path == path)
            .values(
                document=write_document(_kept(path, values)),
                updated=updated or self.now,
                revision=RESOURCES.c.revision + 1,
            )
        )
        self._link(path, values)
        return self._found(path)

    def remove(self, path: str) -> None:
        """Delete a resource with everything below it; references to them vanish everywhere.

        Of a resource that lives elsewhere, what is kept here of it goes.
        """
        below = RESOURCES.c.path.startswith(f"{path}/", autoescape=True)
        inside = select(RESOURCES.c.path).where(below)
        gone = [path, *self._connection.scalars(inside)]
        of_path = f"{path}/"
        self._connection.execute(delete(RESOURCES).where(RESOURCES.c.path.in_(gone)))
        self._connection.execute(delete(OVERLAYS).where(OVERLAYS.c.path.in_(gone)))
        self._connection.execute(delete(LINKS).where(LINKS.c.source.in_(gone)))
        self._connection.execute(
            delete(LISTINGS).where(
                or_(
                    LISTINGS.c.member.in_(gone),
                    LISTINGS.c.collection.startswith(of_path, autoescape=True),
                )
            )
        )
        for target in gone:
            self._drop_references(target)

    def list_in(
        self, collection: str, member: str, values: Mapping[str, Value] | None = None
    ) -> bool:
        """List a resource in a collection; returns False, and changes nothing, if it was."""
        query = select(LISTINGS.c.member).where(
            LISTINGS.c.collection == collection, LISTINGS.c.member == member
        )
        if self._connection.execute(query).first() is not None:
            return False
        row = {
            "collection": collection, "member": member,
            "position": self._next(LISTINGS, collection), "document": write_document(values or {}),
        }  # fmt: skip
        self._connection.execute(insert(LISTINGS).values(row))
        return True

    def unlist(self, collection: str, member: str) -> bool:
        """Take a resource off a collection's list; returns whether it was there."""
        done = self._connection.execute(
            delete(LISTINGS).where(LISTINGS.c.collection == collection, LISTINGS.c.member == member)
        )
        return done.rowcount > 0

    def set_overlay(self, path: str, values: Mapping[str, Value]) -> None:
        """Keep these attributes, and no others, of a resource in a WBEM server."""
        self._connection.execute(delete(OVERLAYS).where(OVERLAYS.c.path == path))
        row = {
            "path": path, "document": write_document(_kept(path, values)), "updated": self.now,
        }  # fmt: skip
        self._connection.execute(insert(OVERLAYS).values(row))
        self._link(path, values)

    def _drop_references(self, target: str) -> None:
        sources = select(LINKS.c.source).where(LINKS.c.target == target)
        for source in self._connection.scalars(sources).all():
            for table, put in ((RESOURCES, self.replace), (OVERLAYS, self.set_overlay)):
                query = select(table.c.document).where(table.c.path == source).with_for_update()
                row = self._connection.execute(query).first()
                if row is not None:
                    put(source, without_target(read_document(row.document), target))

    def _link(self, path: str, values: Mapping[str, Value]) -> None:
        self._connection.execute(delete(LINKS).where(LINKS.c.source == path))
        targets: Iterable[str] = sorted(set(targets_of(_kept(path, values))))
        rows = [{"source": path, "target": target} for target in targets]
        if rows:
            self._connection.execute(insert(LINKS), rows)

    def _next(self, table: Any, collection: str) -> int:
        query = select(func.max(table.c.position)).where(table.c.collection == collection)
        return (self._connection.scalar(query) or 0) + 1

    def _found(self, path: str) -> Stored:
        found = self.find(path)
        if found is None:
            raise LookupError(path)
        return found


def _kept(path: str, values: Mapping[str, Value]) -> dict[str, Value]:
    kept = {name: value for name, value in values.items() if name not in OWN}
    if kept.get("parent") == Ref(path.rpartition("/")[0]):
        del kept["parent"]  # goes without saying
    return kept
