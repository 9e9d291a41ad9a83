"""Resources that live in the store: created, read, changed, deleted, each in a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.documents import (
    read_document,
    targets_of,
    without_target,
    write_document,
)
from cimi_cim.service.store.tables import LINKS, RESOURCES

OWN = frozenset({"id", "parent", "created", "updated"})
"""What the store itself gives a resource; not part of its document."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource with the number of its last change."""

    resource: Resource
    revision: int


class StoredResources:
    """The resources of all stored types; safe to use from several threads."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    def add(self, type_name: str, collection: str, values: Mapping[str, Value]) -> Stored:
        """Create a resource in a collection (a neutral path); its token is new."""
        path = f"{collection}/{uuid.uuid4()}"
        now = self._now()
        with self._database.transaction() as connection:
            last = connection.scalar(
                select(func.max(RESOURCES.c.position)).where(RESOURCES.c.collection == collection)
            )
            connection.execute(
                insert(RESOURCES).values(
                    path=path, type=type_name, collection=collection, position=(last or 0) + 1,
                    document=write_document(_kept(values)), created=now, updated=now, revision=1,
                )
            )  # fmt: skip
            _link(connection, path, values)
            return _found(connection, path)

    def find(self, path: str) -> Stored | None:
        """Return the resource at a neutral path, None if there is none."""
        with self._database.transaction() as connection:
            row = connection.execute(select(RESOURCES).where(RESOURCES.c.path == path)).first()
            return None if row is None else _stored(row)

    def in_collection(self, collection: str) -> list[Resource]:
        """Return the resources of a collection, oldest first."""
        query = (
            select(RESOURCES)
            .where(RESOURCES.c.collection == collection)
            .order_by(RESOURCES.c.position, RESOURCES.c.path)
        )
        with self._database.transaction() as connection:
            return [_stored(row).resource for row in connection.execute(query)]

    def change(self, path: str, make: Callable[[Stored], Mapping[str, Value]]) -> Stored | None:
        """Replace a resource's attributes by what `make` says of the present ones.

        Nobody else changes it in between; what `make` raises changes nothing. None if
        there is no such resource.
        """
        with self._database.transaction() as connection:
            query = select(RESOURCES).where(RESOURCES.c.path == path).with_for_update()
            row = connection.execute(query).first()
            if row is None:
                return None
            _replace(connection, path, make(_stored(row)), self._now())
            return _found(connection, path)

    def remove(self, path: str, check: Callable[[Stored], None] | None = None) -> bool:
        """Delete a resource with everything below it; references to them vanish everywhere.

        `check` may raise to keep it. Returns whether it was there.
        """
        with self._database.transaction() as connection:
            query = select(RESOURCES).where(RESOURCES.c.path == path).with_for_update()
            row = connection.execute(query).first()
            if row is None:
                return False
            if check is not None:
                check(_stored(row))
            below = RESOURCES.c.path.startswith(f"{path}/", autoescape=True)
            gone = [path, *connection.scalars(select(RESOURCES.c.path).where(below))]
            connection.execute(delete(RESOURCES).where(RESOURCES.c.path.in_(gone)))
            connection.execute(delete(LINKS).where(LINKS.c.source.in_(gone)))
            for target in gone:
                self._drop_references(connection, target)
            return True

    def forget_target(self, path: str) -> None:
        """Let references to a resource vanish that lived elsewhere and is gone."""
        with self._database.transaction() as connection:
            self._drop_references(connection, path)

    def _drop_references(self, connection: Connection, target: str) -> None:
        sources = select(LINKS.c.source).where(LINKS.c.target == target)
        for source in connection.scalars(sources).all():
            row = connection.execute(
                select(RESOURCES).where(RESOURCES.c.path == source).with_for_update()
            ).first()
            if row is not None:
                values = without_target(read_document(row.document), target)
                _replace(connection, source, values, self._now())

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")


def _kept(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in OWN}


def _replace(connection: Connection, path: str, values: Mapping[str, Value], now: str) -> None:
    connection.execute(
        update(RESOURCES)
        .where(RESOURCES.c.path == path)
        .values(
            document=write_document(_kept(values)),
            updated=now,
            revision=RESOURCES.c.revision + 1,
        )
    )
    connection.execute(delete(LINKS).where(LINKS.c.source == path))
    _link(connection, path, values)


def _link(connection: Connection, path: str, values: Mapping[str, Value]) -> None:
    targets: Iterable[str] = sorted(set(targets_of(_kept(values))))
    rows = [{"source": path, "target": target} for target in targets]
    if rows:
        connection.execute(insert(LINKS), rows)


def _found(connection: Connection, path: str) -> Stored:
    return _stored(connection.execute(select(RESOURCES).where(RESOURCES.c.path == path)).one())


def _stored(row: Any) -> Stored:
    values = read_document(row.document)
    values |= {"created": row.created, "updated": row.updated, "parent": Ref(row.collection)}
    return Stored(Resource(row.type, row.path, values), row.revision)
