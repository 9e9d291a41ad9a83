"""The `$...` parameters of a URI as a `Query` (DSP0263 4.1.6).

Names are those of the version spoken; names that are not there are ignored in $select
and $expand, as the standard says, and are a 400 in $filter and $orderby, where ignoring
them would give another answer than the one asked for. Unknown parameters are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cimi_cim.errors import BadRequest
from cimi_cim.model.filters import Filter, FilterError, parse_filter
from cimi_cim.model.paths import Location, wire_path
from cimi_cim.model.types import Access, CimiVersion, Model, ResourceType
from cimi_cim.service.query import SORTABLE, OrderKey, Query

MOST_FILTERS = 64
MOST_NAMES = 256
COLLECTION_ATTRIBUTES = {
    CimiVersion.V1: frozenset({"id", "count", "operations"}),
    CimiVersion.V2: frozenset({"id", "updated", "parent", "count", "operations"}),
}
"""What a Collection has besides its items (5.5.12)."""
_REFERENCES = ("ref", "collection", "ref-or-value")


def parse_query(
    parameters: Sequence[tuple[str, str]], location: Location, model: Model, version: CimiVersion
) -> Query:
    """Return what the decoded query parameters ask for. Raises `BadRequest`."""
    said: dict[str, list[str]] = {}
    for name, value in parameters:
        said.setdefault(name, []).append(value)
    resource = model[location.type]
    expanded = _expanded(said.get("$expand"), resource, version)
    if not location.is_collection:
        names = _names(said.get("$select"))
        return Query(selected=_selected(names, resource, version), expanded=expanded)
    own, items = _collection_selection(_names(said.get("$select")), location, model, version)
    return Query(
        filters=_filters(said.get("$filter", []), resource, version),
        order=tuple(_order(said.get("$orderby", []), resource, version)),
        first=_position(said, "$first"),
        last=_position(said, "$last"),
        selected=own,
        selected_items=items,
        expanded=expanded,
    )


def parse_selection(
    parameters: Sequence[tuple[str, str]], location: Location, model: Model, version: CimiVersion
) -> frozenset[str] | None:
    """Return which attributes a partial update means (4.2.1.3.1), None for a full one."""
    said = [value for name, value in parameters if name == "$select"]
    return _selected(_names(said or None), model[location.type], version)


def _names(values: Iterable[str] | None) -> list[str] | None:
    if values is None:
        return None
    names = [name.strip() for value in values for name in value.split(",")]
    if len(names) > MOST_NAMES:
        raise BadRequest(f"at most {MOST_NAMES} attributes can be named", reason="too-many-names")
    return [name for name in names if name]


def _neutral(resource: ResourceType, version: CimiVersion) -> dict[str, str]:
    """Wire name -> neutral name of the attributes that the version has."""
    found = {"operations": "operations"}
    for row in resource.attributes.values():
        form = row.form(version)
        if form is not None:
            found[form.json_name] = row.name
    return found


def _selected(
    names: list[str] | None, resource: ResourceType, version: CimiVersion
) -> frozenset[str] | None:
    if names is None or "*" in names:
        return None
    known = _neutral(resource, version)
    return frozenset(known[name] for name in names if name in known)


def _collection_selection(
    names: list[str] | None, location: Location, model: Model, version: CimiVersion
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """What is selected of the Collection itself, and of its items (4.1.6.3).

    A name of the Collection's own selects there, another one in the items; `disks/name`
    always means the items, and `disks` all of them, whole. With names of both kinds both
    are subsets; with names of the Collection alone its items are left out.
    """
    form = model[location.type].form(version)
    if names is None or "*" in names or form is None:
        return None, None
    lists = {form.json_array, wire_path(model, version, location.path).rpartition("/")[2]}
    known = _neutral(model[location.type], version)
    own = {name for name in names if name in COLLECTION_ATTRIBUTES[version]}
    inner = {_within(name, lists) for name in names if name not in own}
    if "*" in inner:
        return (frozenset(own | {"items"}), None)
    items = frozenset(known[name] for name in inner if name in known)
    if own and items:
        own.add("items")
    return (frozenset(own) if own else None), items


def _within(name: str, lists: Iterable[str]) -> str:
    """Return the name that a path means in the items, * for the list itself."""
    for said in lists:
        if name == said:
            return "*"
        if name.startswith(f"{said}/"):
            return name.removeprefix(f"{said}/")
    return name


def _expanded(
    values: list[str] | None, resource: ResourceType, version: CimiVersion
) -> frozenset[str]:
    names = _names(values)
    if names is None:
        return frozenset()
    known = _neutral(resource, version)
    references = {row.name for row in resource.attributes.values() if row.kind.value in _REFERENCES}
    if not names or "*" in names:
        return frozenset(references)
    return frozenset(known[n] for n in names if n in known) & references


def _filters(texts: list[str], resource: ResourceType, version: CimiVersion) -> tuple[Filter, ...]:
    if len(texts) > MOST_FILTERS:
        raise BadRequest(f"at most {MOST_FILTERS} $filter are taken", reason="too-many-filters")
    try:
        return tuple(parse_filter(text, resource, version) for text in texts)
    except FilterError as exc:
        raise BadRequest(f"$filter: {exc}", reason="bad-filter") from exc


def _order(values: list[str], resource: ResourceType, version: CimiVersion) -> Iterable[OrderKey]:
    known = _neutral(resource, version)
    for text in _names(values) or []:
        name, _, direction = text.partition(":")
        row = resource.attributes.get(known.get(name, ""))
        is_secret = row is not None and row.access is Access.WRITE_ONLY
        if row is None or row.kind not in SORTABLE or row.is_array or is_secret:
            what = "is none of its attributes" if row is None else "cannot be sorted by"
            raise BadRequest(f"$orderby: {name[:60]!r} {what}", reason="bad-orderby")
        if direction not in ("", "asc", "desc"):
            raise BadRequest(
                f"$orderby: after {name!r} comes :asc or :desc, not {direction[:20]!r}",
                reason="bad-orderby",
            )
        yield OrderKey(row, direction == "desc")


def _position(said: dict[str, list[str]], name: str) -> int | None:
    """A position; the first of several counts. Beyond any Collection is no mistake (4.1.6.2)."""
    if name not in said:
        return None
    text = said[name][0].strip()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit()):
        raise BadRequest(f"{name} must be a number, not {text[:40]!r}", reason="bad-position")
    return sign * int(digits[:18])
