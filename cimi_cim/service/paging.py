"""Pages of stored Collections, in memory that does not follow their length."""

from __future__ import annotations

from dataclasses import replace

from cimi_cim.model.filters import Text
from cimi_cim.model.resources import Resource
from cimi_cim.service.query import Query
from cimi_cim.service.store.reading import Reading


def page_of(
    reading: Reading, collection: str, query: Query, href: Text
) -> tuple[list[Resource], int]:
    """Return the resources of a collection that a query asks for, and how many passed its filters.

    Without filter and order only the rows of the page are read. Otherwise all rows are, one
    after the other, and of each only what the query compares is kept.
    """
    if not query.filters and not query.order:
        first = max(1, query.first or 1)
        return list(reading.in_collection(collection, first, query.last)), reading.count(collection)
    compared = [
        replace(item, values={name: item.values.get(name) for name in query.needs})
        for item in reading.in_collection(collection)
        if query.holds(item, href)
    ]
    picked, count = query.pick(compared, href)
    found = reading.find_many(item.path for item in picked)
    return [found[item.path] for item in picked], count
