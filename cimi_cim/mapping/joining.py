"""How rows find each other in memory: by equal keys, by paths, by what arrays hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from cimi_cim.mapping.compiled import Relation
from cimi_cim.mapping.expressions import LOCAL
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.wbem.values import InstancePath, Row

MutableBinding: TypeAlias = "dict[str, Row | tuple[Row, ...] | None]"
Link: TypeAlias = "tuple[Row, Row | None]"
"""A related row, and the association instance that leads to it where it was read."""

_PROBES = 4  # sources of a class to walk from when an association enumerates to nothing


def index_of(rows: Iterable[Row], relation: Relation) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows of a MATCH by their own side of the equality."""
    local: tuple[Callable[[Any], Any], ...] = relation.local
    index: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = tuple(evaluate({LOCAL: row}) for evaluate in local)
        if None not in key:
            index.setdefault(key, []).append(row)
    return index


def matching(
    index: dict[tuple[Any, ...], list[Row]], relation: Relation, binding: MutableBinding
) -> list[Link]:
    """Return the rows with the keys of a binding; of a source of many, those of each row."""
    source = relation.source or ""
    found: list[Link] = []
    for one in _one_by_one(source, binding):
        key = tuple(evaluate(one) for evaluate in relation.remote)
        found += [(row, None) for row in index.get(key, ())]
    return found


def _one_by_one(alias: str, binding: MutableBinding) -> Iterator[MutableBinding]:
    """Yield the binding with each single row of an alias."""
    bound = binding.get(alias)
    if not isinstance(bound, tuple):
        yield binding
        return
    for row in bound:
        yield {**binding, alias: row}


def items_of(relation: Relation, row: Row) -> Iterator[Row]:
    """Yield a row per item of the arrays of a row; the longest array says how many."""
    values = {name: evaluate({relation.source or "": row}) for name, evaluate in relation.items}
    columns = {
        name: tuple(value) if isinstance(value, tuple | list) else () if value is None else (value,)
        for name, value in values.items()
    }
    for index in range(max(map(len, columns.values()), default=0)):
        item: dict[str, Any] = {"index": index}
        item |= {name: found[index] for name, found in columns.items() if index < len(found)}
        yield Row(row.path, item)


def paths_at(relation: Relation, binding: MutableBinding, namespace: str) -> list[InstancePath]:
    """Return the paths that the property of an AT holds."""
    value = relation.at(binding) if relation.at is not None else None
    several = value if isinstance(value, tuple | list) else (value,)
    paths = [as_path(item, namespace) for item in several]
    return [path for path in paths if path is not None]


def some_of_each_class(paths: Iterable[InstancePath]) -> Iterator[InstancePath]:
    """Yield at most `_PROBES` paths of each class, from all over."""
    by_class: dict[str, list[InstancePath]] = {}
    for path in paths:
        by_class.setdefault(path.classname.lower(), []).append(path)
    for found in by_class.values():
        yield from found[:: -(-len(found) // _PROBES)]
