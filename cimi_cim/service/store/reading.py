"""Reads the store, within one transaction that sees one state of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.service.store.documents import read_document
from cimi_cim.service.store.tables import LINKS, LISTINGS, OVERLAYS, RESOURCES

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource with the number of its last change."""

    resource: Resource
    revision: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource that a Collection lists: its path, and its accessory attributes there."""

    member: str
    values: Mapping[str, Value]


class Reading:
    """What one transaction sees."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> Connection:
        """The transaction itself, for tables that are not of resources."""
        return self._connection

    def find(self, path: str) -> Stored | None:
        """Return the resource at a neutral path, None if there is none."""
        query = select(RESOURCES).where(RESOURCES.c.path == path)
        row = self._connection.execute(query).first()
        return None if row is None else stored_of(row)

    def find_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        """Return those of the resources that there are, by path."""
        found: dict[str, Resource] = {}
        for some in _chunks(paths):
            query = select(RESOURCES).where(RESOURCES.c.path.in_(some))
            found |= {row.path: stored_of(row).resource for row in self._connection.execute(query)}
        return found

    def count(self, collection: str) -> int:
        """Return how many resources live in a collection."""
        query = select(func.count()).where(RESOURCES.c.collection == collection)
        return self._connection.scalars(query).one()

    def in_collection(
        self, collection: str, first: int = 1, last: int | None = None
    ) -> Iterator[Resource]:
        """Yield the resources that live in a collection, oldest first, without holding all.

        Positions count from 1, and both are included.
        """
        query = _in_order(collection).offset(first - 1)
        if last is not None:
            query = query.limit(max(0, last - first + 1))
        rows = self._connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        return (stored_of(row).resource for row in rows)

    def listed(self, collection: str) -> list[Listed]:
        """Return what a collection lists, in the order of insertion."""
        query = (
            select(LISTINGS)
            .where(LISTINGS.c.collection == collection)
            .order_by(LISTINGS.c.position, LISTINGS.c.member)
        )
        rows = self._connection.execute(query)
        return [Listed(row.member, read_document(row.document)) for row in rows]

    def listings_of(self, member: str) -> list[str]:
        """Return the collections that list a resource."""
        query = select(LISTINGS.c.collection).where(LISTINGS.c.member == member)
        return list(self._connection.scalars(query.order_by(LISTINGS.c.collection)))

    def dependents(self, path: str, about: Collection[str]) -> list[str]:
        """Return what goes with a resource: its children (5.10.2), and what is about it alone.

        A child's `parent` is the resource or one of its Collections; resources of the types
        `about` have it as their `targetResource`. What lives below it is not among them.
        """
        links = select(LINKS).where(
            or_(LINKS.c.target == path, LINKS.c.target.startswith(f"{path}/", autoescape=True))
        )
        found = []
        for row in self._connection.execute(links.order_by(LINKS.c.source)).all():
            if row.source.startswith(f"{path}/"):
                continue
            stored = self.find(row.source)
            values = self.overlay(row.source) if stored is None else stored.resource.values
            depends = [values.get("parent")]
            if stored is not None and stored.resource.type in about:
                depends.append(values.get("targetResource"))
            if Ref(row.target) in depends:
                found.append(row.source)
        return list(dict.fromkeys(found))

    def overlay(self, path: str) -> dict[str, Value]:
        """Return what is kept of a resource in a WBEM server, `updated` included; may be empty."""
        row = self._connection.execute(select(OVERLAYS).where(OVERLAYS.c.path == path)).first()
        return {} if row is None else _overlay_of(row)

    def overlays(self, paths: Iterable[str]) -> dict[str, dict[str, Value]]:
        """Return what is kept of resources in WBEM servers, by path; those without are left out."""
        found: dict[str, dict[str, Value]] = {}
        for some in _chunks(paths):
            query = select(OVERLAYS).where(OVERLAYS.c.path.in_(some))
            found |= {row.path: _overlay_of(row) for row in self._connection.execute(query)}
        return found


def _chunks(paths: Iterable[str]) -> Iterator[Sequence[str]]:
    wanted = list(paths)
    return (wanted[at : at + ROWS_AT_ONCE] for at in range(0, len(wanted), ROWS_AT_ONCE))


def stored_of(row: Any) -> Stored:
    """Return what a row of `resources` holds; `parent` is its collection unless it says."""
    values = {"parent": Ref(row.collection)} | read_document(row.document)
    values |= {"created": row.created, "updated": row.updated}
    return Stored(Resource(row.type, row.path, values), row.revision)


def _in_order(collection: str) -> Select[Any]:
    return (
        select(RESOURCES)
        .where(RESOURCES.c.collection == collection)
        .order_by(RESOURCES.c.position, RESOURCES.c.path)
    )


def _overlay_of(row: Any) -> dict[str, Value]:
    return {**read_document(row.document), "updated": row.updated}
