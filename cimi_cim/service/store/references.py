"""References inside of attribute values: which there are, and what is left when some vanish."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, Kind

Rows = Mapping[str, Attribute]

_NO_ROWS: Rows = {}


def rows_of_type(type_name: str | None) -> Rows:
    """Return the rows of a neutral type by name, none for None."""
    return _NO_ROWS if type_name is None else load_model()[type_name].attributes


def targets_of(value: Value) -> Iterator[str]:
    """Yield the paths that a value refers to, however deep."""
    if isinstance(value, Ref):
        if value.url is None:
            yield value.path
        yield from targets_of(dict(value.values))
    elif isinstance(value, dict):
        for inside in value.values():
            yield from targets_of(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from targets_of(inside)


def owners_of(rows: Rows, values: Mapping[str, Value]) -> set[str]:
    """Return the paths that a resource goes with when they are deleted.

    These are its `parent` (DSP0263 5.10.2), and what a Meter or an EventLog is about (5.17.3).
    """
    about = rows.get("targetResource")
    is_attached = about is not None and about.access is Access.CREATE_ONLY
    owners = [values.get("parent"), values.get("targetResource") if is_attached else None]
    return {ref.path for ref in owners if isinstance(ref, Ref) and ref.url is None}


def without_targets(
    rows: Rows, values: Mapping[str, Value], gone: Collection[str]
) -> dict[str, Value]:
    """Return attribute values without references to some paths (5.10.1).

    A structure in an array goes as a whole if it cannot be without the reference: a Volume to
    connect, without the Volume.
    """
    kept = {name: _kept(rows.get(name), value, gone) for name, value in values.items()}
    # a None that was there before means something: it erases what a template says
    return {n: value for n, value in kept.items() if value is not None or values[n] is None}


def _kept(row: Attribute | None, value: Value, gone: Collection[str]) -> Value:
    inside = _rows_inside(row)
    if isinstance(value, Ref):
        if value.url is None and value.path in gone:
            return None
        said = without_targets(inside, value.values, gone) if value.values else {}
        return Ref(value.path, value.url, said)
    if isinstance(value, dict):
        return without_targets(inside, value, gone)
    if not isinstance(value, list | tuple):
        return value
    items = [(item, _kept(row, item, gone)) for item in value]
    return [left for item, left in items if left is not None and not _is_crippled(row, item, left)]


def _rows_inside(row: Attribute | None) -> Rows:
    if row is None:
        return _NO_ROWS
    if row.fields:
        return {field.name: field for field in row.fields}
    return rows_of_type(row.target) if row.target in load_model().types else _NO_ROWS


def _is_crippled(row: Attribute | None, before: Value, after: Value) -> bool:
    if row is None or row.kind is not Kind.STRUCT or not isinstance(before, dict):
        return False
    needed = {field.name for field in row.fields if field.minimum or field.choice}
    return any(name in before and name not in after for name in needed)
