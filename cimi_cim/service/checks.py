"""Holds what a client says against the model tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, CimiVersion, Kind, ResourceType

MAX_PROPERTY_ITEMS = 256
"""How many properties a resource may have at most (5.11.1, MaxPropertyItems)."""

_REFERENCES = frozenset({Kind.REF, Kind.REF_OR_VALUE})


def check_values(
    resource: ResourceType, version: CimiVersion, values: Mapping[str, Value], *, is_whole: bool
) -> None:
    """Refuse values that the table of a type does not allow. Raises `BadRequest`.

    `is_whole` says that what the table wants at least must be there.
    """
    if len(values.get("properties") or ()) > MAX_PROPERTY_ITEMS:
        raise BadRequest(
            f"properties: a resource has {MAX_PROPERTY_ITEMS} at most", reason="too-many-properties"
        )
    rows = [row for row in resource.attributes.values() if row.form(version) is not None]
    _check(rows, values, version, "", is_whole=is_whole)


def _check(
    rows: Iterable[Attribute],
    values: Mapping[str, Value],
    version: CimiVersion,
    where: str,
    *,
    is_whole: bool,
) -> None:
    chosen: dict[str, list[str]] = {}
    for row in rows:
        form = row.form(version)
        if form is None:
            continue
        place = f"{where}{form.json_name}"
        value = values.get(row.name)
        if row.choice is not None:
            chosen.setdefault(row.choice, []).extend([place] if value is not None else [])
        if value is None:
            if is_whole and row.is_required_on_create and row.default is None:
                raise BadRequest(f"{place} is missing; it is mandatory", reason="missing-attribute")
            continue
        for item in value if row.is_array else [value]:
            _check_one(row, item, version, place, is_whole=is_whole)
    for choice, places in chosen.items():
        if len(places) != 1 and (places or is_whole):
            said = " and ".join(places) or "none"
            raise BadRequest(f"{where}: exactly one {choice} must be given, not {said}",
                             reason="bad-choice")  # fmt: skip


def _check_one(
    row: Attribute, value: Value, version: CimiVersion, place: str, *, is_whole: bool
) -> None:
    if row.values and not row.is_open and value not in row.values:
        form = row.form(version)
        words = form.words if form is not None else {}
        allowed = ", ".join(words.get(word, word) for word in row.values)
        raise BadRequest(f"{place} is {str(value)[:60]!r}; allowed are {allowed}",
                         reason="bad-value")  # fmt: skip
    if row.kind is Kind.INTEGER and row.unit is not None and value < 0:
        raise BadRequest(f"{place} is {value}; it counts {row.unit} and cannot be negative",
                         reason="bad-value")  # fmt: skip
    if row.kind is Kind.STRUCT:
        _check(row.fields, value, version, f"{place}.", is_whole=is_whole)


def references(row: Attribute, value: Value) -> Iterable[tuple[str, Ref]]:
    """Yield (neutral type expected there, reference) for every reference in a value.

    The type is "" where any will do.
    """
    if value is None:
        return
    if row.is_array:
        for item in value:
            yield from _references(row, item)
    else:
        yield from _references(row, value)


def _references(row: Attribute, value: Value) -> Iterable[tuple[str, Ref]]:
    if row.kind in _REFERENCES and isinstance(value, Ref):
        yield row.target or "", value
    elif row.kind is Kind.STRUCT:
        for field in row.fields:
            yield from references(field, value.get(field.name))
