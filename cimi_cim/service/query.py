"""Queries on representations (DSP0263 4.1.6): which items, in which order, and how much of each.

The order of work is that of the standard: filter, sort, range, then expansion and
selection. `count` is the number of items after the filter and before the range.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cimi_cim.model.filters import Filter, Text, read_instant
from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import Attribute, Kind

SORTABLE = (Kind.BOOLEAN, Kind.DATETIME, Kind.DURATION, Kind.INTEGER, Kind.STRING)

_DURATION = re.compile(
    r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?"
    r"(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z"
)
# xs:duration does not say how long a month is; these are only to compare with.
_DURATION_S = (Decimal(31556952), Decimal(2629746), Decimal(86400), Decimal(3600), Decimal(60))


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One attribute to sort by."""

    attribute: Attribute
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks of a representation; all names are neutral.

    Args:
        filters: All of them must hold.
        order: The first key decides, then the next.
        first, last: 1-based positions, both included; None for the end.
        selected: Attributes of the resource or the Collection itself ("operations" may be
            among them), None for all.
        selected_items: The same for each item of a Collection.
        expanded: References whose targets are put in; "*" stands for all.
    """

    filters: tuple[Filter, ...] = ()
    order: tuple[OrderKey, ...] = ()
    first: int | None = None
    last: int | None = None
    selected: frozenset[str] | None = None
    selected_items: frozenset[str] | None = None
    expanded: frozenset[str] = frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """The attributes that filtering and sorting read."""
        found = frozenset(key.attribute.name for key in self.order)
        return found.union(*(filter_.needs for filter_ in self.filters))

    @property
    def is_ranged(self) -> bool:
        """Whether positions matter."""
        return self.first is not None or self.last is not None

    def holds(self, item: Resource, href: Text) -> bool:
        """Whether an item passes all filters."""
        return all(filter_.holds(_values(item), href) for filter_ in self.filters)

    def pick(self, items: Sequence[Resource], href: Text) -> tuple[list[Resource], int]:
        """Return the items asked for, in order, and how many passed the filters."""
        found = [item for item in items if self.holds(item, href)]
        count = len(found)
        if self.is_ranged or self.order:
            # positions must be the same in the next request, whatever a server's order is
            found.sort(key=lambda item: item.path)
        for key in reversed(self.order):
            found.sort(key=lambda item, key=key: _sort_key(item, key.attribute),  # type: ignore[misc]
                       reverse=key.is_descending)  # fmt: skip
        first = max(1, self.first or 1)
        return found[first - 1 : self.last if self.last is None else max(0, self.last)], count


def _values(item: Resource) -> dict[str, Any]:
    return {"id": Ref(item.path), **item.values}


def _sort_key(item: Resource, attribute: Attribute) -> tuple[bool, Any]:
    """What has no value comes first; strings compare in Normalization Form KD (4.1.6.6)."""
    value = _values(item).get(attribute.name)
    if attribute.kind is Kind.DATETIME and value is not None:
        value = read_instant(str(value))
    elif attribute.kind is Kind.DURATION and value is not None:
        value = _seconds(str(value))
    elif attribute.kind is Kind.STRING and value is not None:
        value = unicodedata.normalize("NFKD", str(value)).encode("utf-8", "surrogatepass")
    return (value is not None, 0 if value is None else value)


def _seconds(text: str) -> Decimal | None:
    match = _DURATION.match(text)
    if match is None:
        return None
    sign, *parts, seconds = match.groups()
    total = sum(
        (Decimal(part or 0) * unit for part, unit in zip(parts, _DURATION_S, strict=True)),
        Decimal(seconds or 0),
    )
    return -total if sign else total
