"""Changes the store, within one transaction: all of it happens, or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.store.documents import read_document, write_document
from cimi_cim.service.store.reading import Reading, Stored, at_or_below, place
from cimi_cim.service.store.references import owners_of, rows_of_type, targets_of
from cimi_cim.service.store.secrets import Secrets
from cimi_cim.service.store.tables import COLLECTIONS, LINKS, LISTINGS, OVERLAYS, RESOURCES

OWN = frozenset({"id", "created", "updated"})
"""What the store itself gives a resource; not part of its document."""


def system_clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def as_datetime(moment: datetime) -> str:
    """Return a moment as an xs:dateTime in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


class Writing(Reading):
    """A transaction that may change things; it sees its own changes.

    There is one at a time: what it has read stays true until it ends.
    """

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
        """Return the resource at a path, which stays as it is: nobody else writes meanwhile."""
        return self.find(path)

    def add(
        self, type_name: str, collection: str, values: Mapping[str, Value], token: str | None = None
    ) -> Stored:
        """Create a resource in a collection (a neutral path), under a new token if none is given.

        What is None among the values is left out, and secrets among them are sealed.
        """
        return self._found(self.enter(type_name, collection, values, token))

    def enter(
        self, type_name: str, collection: str, values: Mapping[str, Value], token: str | None = None
    ) -> str:
        """Create a resource as `add` does, and return its path alone, at less cost."""
        values = self._secrets.sealed(type_name, values)
        path = f"{collection}/{token or new_token()}"
        now = self.now
        row = {
            "path": path, "type": type_name, "collection": collection,
            "position": self._next(RESOURCES, collection),
            "document": write_document(_kept(path, values)),
            "created": now, "updated": now, "revision": 1,
        }  # fmt: skip
        self._connection.execute(insert(RESOURCES).values(row))
        rows = link_rows(path, type_name, values)
        if rows:
            self._connection.execute(_LINK, rows)
        self._touch(collection)
        return path

    def replace(
        self, path: str, values: Mapping[str, Value], *, updated: str | None = None
    ) -> Stored:
        """Give a resource that is there other attributes; secrets among them are sealed.

        It is updated now unless `updated` says otherwise.
        """
        type_name = self._found(path).resource.type
        values = self._secrets.sealed(type_name, values)
        self._connection.execute(
            update(RESOURCES)
            .where(RESOURCES.c.path == path)
            .values(
                document=write_document(_kept(path, values)),
                updated=updated or self.now,
                revision=RESOURCES.c.revision + 1,
            )
        )
        self._link(path, type_name, values)
        return self._found(path)

    def set_plain(self, path: str, values: Mapping[str, str | int | None]) -> bool:
        """Change attributes in which there are neither references nor secrets, at little cost.

        Returns False, and changes nothing, if there is no such resource.
        """
        here = RESOURCES.c.path == path
        document = self._connection.scalar(select(RESOURCES.c.document).where(here))
        if document is None:
            return False
        changed = write_document({**read_document(document), **values})
        self._connection.execute(
            update(RESOURCES)
            .where(here)
            .values(document=changed, updated=self.now, revision=RESOURCES.c.revision + 1)
        )
        return True

    def extend(
        self, path: str, name: str, refs: Iterable[Ref], values: Mapping[str, str | int | None]
    ) -> None:
        """Append references to a list of references, and change plain attributes, at little cost.

        What is in the list stays once. Changes nothing if there is no such resource.
        """
        here = RESOURCES.c.path == path
        document = self._connection.scalar(select(RESOURCES.c.document).where(here))
        if document is None:
            return
        before = read_document(document)
        new = [ref for ref in dict.fromkeys(refs) if ref not in before.get(name, ())]
        changed = {**before, **values, name: [*before.get(name, ()), *new]}
        self._connection.execute(
            update(RESOURCES)
            .where(here)
            .values(
                document=write_document(_kept(path, changed)),
                updated=self.now,
                revision=RESOURCES.c.revision + 1,
            )
        )
        if new:
            rows = [{"source": path, "target": ref.path, "owns": False} for ref in new]
            self._connection.execute(_LINK, rows)

    def remove(self, *paths: str) -> None:
        """Delete resources with everything below them; references to them vanish everywhere.

        Of a resource that lives elsewhere, what is kept here of it goes.
        """
        places = [place(path) for path in paths]
        changed = {path.rpartition("/")[0] for path in paths}
        for at in places:
            changed |= set(self._connection.scalars(_LISTING, at))
        self._touch(*changed)
        for deletion in _DELETIONS:
            self._connection.execute(deletion, places)

    def remove_with_dependents(self, path: str) -> None:
        """Delete a resource with what goes with it, wherever that lives (`dependents`)."""
        self.remove(*self.dependents(path), path)

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
        self._touch(collection)
        return True

    def unlist(self, collection: str, member: str) -> bool:
        """Take a resource off a collection's list; returns whether it was there."""
        done = self._connection.execute(
            delete(LISTINGS).where(LISTINGS.c.collection == collection, LISTINGS.c.member == member)
        )
        if done.rowcount:
            self._touch(collection)
        return done.rowcount > 0

    def set_overlay(
        self, path: str, values: Mapping[str, Value], *, updated: str | None = None
    ) -> None:
        """Keep these attributes, and no others, of a resource in a WBEM server.

        It is updated now unless it says: empty for what no consumer updated yet.
        """
        self._connection.execute(delete(OVERLAYS).where(OVERLAYS.c.path == path))
        row = {
            "path": path, "document": write_document(_kept(path, values)),
            "updated": self.now if updated is None else updated,
        }  # fmt: skip
        self._connection.execute(insert(OVERLAYS).values(row))
        self._link(path, None, values)

    def amend(self, path: str, values: Mapping[str, Value]) -> None:
        """Set attributes of a resource, wherever it lives; None takes one away.

        No consumer changes them: `updated` stays (Table 5).
        """
        stored = self.find(path)
        if stored is not None:
            before = stored.resource.values
            self.replace(path, {**before, **values}, updated=before["updated"])
        else:
            kept = self.overlay(path)
            self.set_overlay(path, {**kept, **values}, updated=kept.get("updated", ""))

    def _link(self, path: str, type_name: str | None, values: Mapping[str, Value]) -> None:
        self._connection.execute(delete(LINKS).where(LINKS.c.source == path))
        rows = link_rows(path, type_name, values)
        if rows:
            self._connection.execute(insert(LINKS), rows)

    def _touch(self, *collections: str) -> None:
        now = self.now
        said = [{"path": collection, "updated": now} for collection in sorted(collections)]
        self._connection.execute(_TOUCH, said)

    def _next(self, table: Any, collection: str) -> int:
        query = select(func.max(table.c.position)).where(table.c.collection == collection)
        return (self._connection.scalar(query) or 0) + 1

    def _found(self, path: str) -> Stored:
        found = self.find(path)
        if found is None:
            raise LookupError(path)
        return found


_LINK = text(
    "INSERT INTO links (source, target, owns) VALUES (:source, :target, :owns)"
    " ON CONFLICT (source, target) DO NOTHING"
)
_TOUCH = text(
    "INSERT INTO collections (path, updated) VALUES (:path, :updated)"
    " ON CONFLICT (path) DO UPDATE SET updated = excluded.updated"
)


_LISTING = select(LISTINGS.c.collection).where(at_or_below(LISTINGS.c.member))
_DELETIONS = [
    delete(column.table).where(at_or_below(column))
    for column in (
        RESOURCES.c.path, OVERLAYS.c.path, COLLECTIONS.c.path, LINKS.c.source, LINKS.c.target,
        LISTINGS.c.member, LISTINGS.c.collection,
    )
]  # fmt: skip
"""What deletes all that the store has of a place, and every reference to it."""


def new_token() -> str:
    """Return the last part of the path of something new."""
    return str(uuid.uuid4())


def link_rows(
    path: str, type_name: str | None, values: Mapping[str, Value]
) -> list[dict[str, Value]]:
    """Return the rows of `links` for the attributes of a resource.

    The type is None for what lives in a WBEM server.
    """
    kept = _kept(path, values)
    owners = owners_of(rows_of_type(type_name), kept)
    return [
        {"source": path, "target": target, "owns": target in owners}
        for target in sorted(set(targets_of(kept)))
    ]


def _kept(path: str, values: Mapping[str, Value]) -> dict[str, Value]:
    kept = {name: value for name, value in values.items() if name not in OWN}
    if kept.get("parent") == Ref(path.rpartition("/")[0]):
        del kept["parent"]  # goes without saying
    return kept
