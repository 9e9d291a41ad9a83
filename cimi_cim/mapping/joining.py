"""How rows find each other in memory: by equal keys, by paths, by what arrays hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, TypeAlias

from cimi_cim.mapping.compiled import Relation
from cimi_cim.mapping.expressions import LOCAL, Evaluator
from cimi_cim.mapping.numbers import number
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.wbem.values import InstancePath, Row

MutableBinding: TypeAlias = "dict[str, Row | tuple[Row, ...] | None]"
Link: TypeAlias = "tuple[Row, Row | None]"
"""A related row, and the association instance that leads to it where it was read."""

_PROBES = 4  # sources of a class to walk from when an association enumerates to nothing


def index_of(rows: Iterable[Row], relation: Relation) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows of a MATCH by their own side of the equality; arrays by each item."""
    local: tuple[Callable[[Any], Any], ...] = relation.local
    index: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        for key in _each_key([evaluate({LOCAL: row}) for evaluate in local]):
            index.setdefault(tuple(map(_compared, key)), []).append(row)
    return index


def matching(
    index: dict[tuple[Any, ...], list[Row]], relation: Relation, binding: MutableBinding
) -> list[Link]:
    """Return the rows with the keys of a binding; of a source of many, those of each row."""
    found: list[Link] = []
    for key in keys_of(relation, relation.remote, binding):
        found += [(row, None) for row in index.get(tuple(map(_compared, key)), ())]
    return found


def keys_of(
    relation: Relation, evaluators: Iterable[Evaluator], binding: MutableBinding
) -> Iterator[tuple[Any, ...]]:
    """Yield the keys that a binding has: of a source of many for each row, of arrays each item."""
    several = tuple(evaluators)
    for one in _one_by_one(relation.source or "", binding):
        yield from _each_key([evaluate(one) for evaluate in several])


def as_key(evaluate: Evaluator, kind: str) -> Evaluator:
    """Return what gives the values of a key as its declared type has them: numbers, or texts."""
    is_number = kind[1:].startswith("int")

    def one(value: Any) -> Any:
        if is_number and isinstance(value, str):
            return number(value)
        is_text = kind == "string" and isinstance(value, int)
        return str(value) if is_text else value

    def compute(binding: Any) -> Any:
        value = evaluate(binding)
        return [one(v) for v in value] if isinstance(value, tuple | list) else one(value)

    return compute


def _each_key(values: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield every key of these values, of which an array has several; none where one is missing."""
    several = [value if isinstance(value, tuple | list) else (value,) for value in values]
    return (key for key in product(*several) if None not in key)


def _compared(value: Any) -> Any:
    """A value as it is compared: a number equals its own text."""
    return str(value) if isinstance(value, int) else value


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
