"""Reads the store, within one transaction that sees one state of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    cast,
    func,
    not_,
    or_,
    select,
    text,
)

from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.service.store.documents import may_refer, read_document
from cimi_cim.service.store.references import rows_of_type, targets_of, without_targets
from cimi_cim.service.store.tables import COLLECTIONS, LINKS, LISTINGS, OVERLAYS, RESOURCES

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
    """What one transaction sees. References to what is gone are nowhere in it (5.10.1)."""

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
        return None if row is None else self._stored([row])[0]

    def find_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        """Return those of the resources that there are, by path."""
        found: dict[str, Resource] = {}
        for some in _chunks(paths):
            query = select(RESOURCES).where(RESOURCES.c.path.in_(some))
            rows = self._connection.execute(query).all()
            found |= {each.resource.path: each.resource for each in self._stored(rows)}
        return found

    def present(self, paths: Iterable[str]) -> set[str]:
        """Return those of the paths at which there is a resource."""
        found: set[str] = set()
        for some in _chunks(paths):
            query = select(RESOURCES.c.path).where(RESOURCES.c.path.in_(some))
            found |= set(self._connection.scalars(query))
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
        query = _page(_in_order(collection), first, last)
        rows = self._connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))
        return (each.resource for some in rows.partitions() for each in self._stored(some))

    def listed(self, collection: str) -> list[Listed]:
        """Return what a collection lists, in the order of insertion."""
        rows = self._connection.execute(_listed_in_order(collection))
        return [Listed(row.member, read_document(row.document)) for row in rows]

    def listed_resources(
        self, collection: str, first: int = 1, last: int | None = None
    ) -> tuple[list[Resource], int]:
        """Return the stored resources that a collection lists, and how many there are in all.

        In the order of insertion; positions are those of `in_collection`.
        """
        is_member = and_(LISTINGS.c.collection == collection, LISTINGS.c.member == RESOURCES.c.path)
        query = select(RESOURCES).where(is_member).order_by(LISTINGS.c.position, LISTINGS.c.member)
        rows = self._connection.execute(_page(query, first, last)).all()
        count = self._connection.scalars(select(func.count()).where(is_member)).one()
        return [each.resource for each in self._stored(rows)], count

    def members(self, collections: Iterable[str]) -> dict[str, list[str]]:
        """Return by collection the paths of what it lists; those that list nothing are left out."""
        found: dict[str, list[str]] = {}
        for some in _chunks(collections):
            query = select(LISTINGS.c.collection, LISTINGS.c.member).where(
                LISTINGS.c.collection.in_(some)
            )
            for row in self._connection.execute(query.order_by(LISTINGS.c.position)):
                found.setdefault(row.collection, []).append(row.member)
        return found

    def count_by(self, collections: Iterable[str], attribute: str) -> dict[tuple[str, str], int]:
        """Return how many resources live in each collection, by the text of an attribute."""
        document = RESOURCES.c.document
        value: ColumnElement[Any] = func.json_extract(document, f"$.{attribute}")
        if self._connection.dialect.name == "postgresql":
            value = cast(document, JSON)[attribute].as_string()
        found: dict[tuple[str, str], int] = {}
        for some in _chunks(collections):
            query = select(RESOURCES.c.collection, value, func.count())
            query = query.where(RESOURCES.c.collection.in_(some)).group_by(
                RESOURCES.c.collection, text("2")
            )
            for collection, said, count in self._connection.execute(query):
                found[collection, str(said)] = count
        return found

    def listings_of(self, members: Iterable[str]) -> dict[str, list[str]]:
        """Return by path of a resource the collections that list it."""
        found: dict[str, list[str]] = {}
        for some in _chunks(members):
            query = select(LISTINGS.c.member, LISTINGS.c.collection).where(
                LISTINGS.c.member.in_(some)
            )
            for row in self._connection.execute(query.order_by(LISTINGS.c.collection)):
                found.setdefault(row.member, []).append(row.collection)
        return found

    def updated(self, collection: str) -> str | None:
        """Return when something was put into a collection, or taken out of it, the last time."""
        query = select(COLLECTIONS.c.updated).where(COLLECTIONS.c.path == collection)
        return self._connection.scalar(query)

    def dependents(self, path: str) -> list[str]:
        """Return what goes with a resource, and does not live below it, in turn.

        These are its children (5.10.2: their `parent` is the resource or one of its
        Collections), what is about it alone (5.17.3), and what goes with these.
        """
        found, waiting = dict.fromkeys([path]), deque([path])
        while waiting:
            sources = self._connection.scalars(_OWNED, place(waiting.popleft()))
            new = [source for source in sources if source not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return list(found)[1:]

    def referring(self, path: str) -> list[str]:
        """Return the paths of what refers to a resource, in order."""
        query = select(LINKS.c.source).where(LINKS.c.target == path).order_by(LINKS.c.source)
        return list(self._connection.scalars(query))

    def kept(self, path: str) -> dict[str, Value]:
        """Return what the store has of a resource, wherever it lives."""
        stored = self.find(path)
        return self.overlay(path) if stored is None else dict(stored.resource.values)

    def overlay(self, path: str) -> dict[str, Value]:
        """Return what is kept of a resource in a WBEM server, `updated` included; may be empty."""
        return self.overlays([path]).get(path, {})

    def overlays(self, paths: Iterable[str]) -> dict[str, dict[str, Value]]:
        """Return what is kept of resources in WBEM servers, by path; those without are left out."""
        found: dict[str, dict[str, Value]] = {}
        for some in _chunks(paths):
            query = select(OVERLAYS).where(OVERLAYS.c.path.in_(some))
            rows = self._connection.execute(query).all()
            for row, values in zip(rows, self._documents(rows, lambda _: None), strict=True):
                updated = {"updated": row.updated} if row.updated else {}
                found[row.path] = {**values, **updated}
        return found

    def _stored(self, rows: Sequence[Any]) -> list[Stored]:
        """Return what rows of `resources` hold; `parent` is the collection unless it says."""
        documents = self._documents(rows, lambda row: row.type)
        return [
            Stored(
                Resource(
                    row.type, row.path,
                    {"parent": Ref(row.collection)} | values
                    | {"created": row.created, "updated": row.updated},
                ),
                row.revision,
            )
            for row, values in zip(rows, documents, strict=True)
        ]  # fmt: skip

    def _documents(self, rows: Sequence[Any], type_of: Any) -> list[dict[str, Value]]:
        """Return the attribute values in rows, without references to what is gone."""
        refer = [row.path for row in rows if may_refer(row.document)]
        there: dict[str, set[str]] = {path: set() for path in refer}
        for some in _chunks(refer):
            query = select(LINKS.c.source, LINKS.c.target).where(LINKS.c.source.in_(some))
            for source, target in self._connection.execute(query):
                there[source].add(target)
        found = []
        for row in rows:
            values = read_document(row.document)
            if row.path in there:
                gone = set(targets_of(values)) - there[row.path]
                if gone:
                    values = without_targets(rows_of_type(type_of(row)), values, gone)
            found.append(values)
        return found


def at_or_below(column: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that a path is a `place`, or below it; told so that an index can be used."""
    is_below = and_(column > bindparam("below"), column < bindparam("beyond"))
    return or_(column == bindparam("at"), is_below)


def place(path: str) -> dict[str, str]:
    """Return what a condition of `at_or_below` is asked with."""
    return {"at": path, "below": f"{path}/", "beyond": f"{path}0"}  # 0 comes right behind /


_OWNED = (
    select(LINKS.c.source)
    .where(
        LINKS.c.owns,
        at_or_below(LINKS.c.target),
        not_(and_(LINKS.c.source > bindparam("below"), LINKS.c.source < bindparam("beyond"))),
    )
    .order_by(LINKS.c.source)
)


def _chunks(paths: Iterable[str]) -> Iterator[Sequence[str]]:
    wanted = list(paths)
    return (wanted[at : at + ROWS_AT_ONCE] for at in range(0, len(wanted), ROWS_AT_ONCE))


def _page(query: Select[Any], first: int, last: int | None) -> Select[Any]:
    query = query.offset(first - 1)
    return query if last is None else query.limit(max(0, last - first + 1))


def _in_order(collection: str) -> Select[Any]:
    return (
        select(RESOURCES)
        .where(RESOURCES.c.collection == collection)
        .order_by(RESOURCES.c.position, RESOURCES.c.path)
    )


def _listed_in_order(collection: str) -> Select[Any]:
    return (
        select(LISTINGS)
        .where(LISTINGS.c.collection == collection)
        .order_by(LISTINGS.c.position, LISTINGS.c.member)
    )
