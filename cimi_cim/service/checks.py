"""Holds what a client says against the model tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cimi_cim.errors import BadRequest
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, CimiVersion, Kind, Model, ResourceType

MAX_PROPERTY_ITEMS = 256
"""How many properties a resource may have at most (5.11.1, MaxPropertyItems)."""

_REFERENCES = frozenset({Kind.REF, Kind.REF_OR_VALUE})


@dataclass(frozen=True, slots=True)
class Referred:
    """A reference in a value: where it stands, as the version calls it, and what may be there.

    `types` are neutral; none where any type will do.
    """

    place: str
    types: frozenset[str]
    ref: Ref


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one version."""

    model: Model
    version: CimiVersion

    def check(self, type_name: str, values: Mapping[str, Value], *, is_whole: bool) -> None:
        """Refuse values that the table of a type does not allow. Raises `BadRequest`.

        However deep they are. `is_whole` says that what the table wants at least must be
        there; of what stands inline in a template only a part is.
        """
        _Check(self, "", is_whole).rows(self._rows(type_name), values)

    def check_kept(
        self, type_name: str, before: Mapping[str, Value], after: Mapping[str, Value]
    ) -> None:
        """Refuse that an update takes away what must be there. Raises `BadRequest`."""
        for row in self._rows(type_name):
            if row.name in before and row.name not in after:
                self.check_given(row, self.said(row))
            had, has = before.get(row.name) or (), after.get(row.name) or ()
            for key in self.keys(row, after):
                if key.name in had and key.name not in has:
                    self.check_given(key, f"{self.said(row)}.{self.said(key)}")

    @staticmethod
    def keys(row: Attribute, values: Mapping[str, Value]) -> tuple[Attribute, ...]:
        """The keys that the standard defines for a map, by the attribute that it depends on."""
        return row.keys.get(str(values.get(row.keyed_by or "")), ())

    def check_given(self, row: Attribute, place: str) -> None:
        """Refuse that a value is not given, if the table wants one. Raises `BadRequest`."""
        if row.is_required_on_create and row.default is None:
            raise BadRequest(f"{place} is missing; it is mandatory", reason="missing-attribute")

    def references(self, type_name: str, values: Mapping[str, Value]) -> Iterator[Referred]:
        """Yield every reference in the attributes of a type, however deep."""
        yield from self._references(self._rows(type_name), values, "")

    def said(self, row: Attribute) -> str:
        """What the version calls an attribute."""
        form = row.form(self.version)
        return form.json_name if form is not None else row.name

    def inside(self, row: Attribute) -> list[Attribute]:
        """The rows of what stands inline in a value: a structure, or a resource of a type."""
        target = row.target_in(self.version) if row.kind is Kind.REF_OR_VALUE else None
        rows = row.fields if row.kind is Kind.STRUCT else ()
        return [*self._of_version(rows), *(self._rows(target) if target else ())]

    def _rows(self, type_name: str) -> list[Attribute]:
        return self._of_version(self.model[type_name].attributes.values())

    def _of_version(self, rows: Iterable[Attribute]) -> list[Attribute]:
        return [row for row in rows if row.form(self.version) is not None]

    def _references(
        self, rows: Iterable[Attribute], values: Mapping[str, Value], where: str
    ) -> Iterator[Referred]:
        for row in rows:
            value = values.get(row.name)
            for place, item in items_of(row, value, f"{where}{self.said(row)}"):
                if row.kind in _REFERENCES and isinstance(item, Ref):
                    yield Referred(place, self._expected(row), item)
                yield from self._references(self.inside(row), _inline(item), f"{place}.")

    def _expected(self, row: Attribute) -> frozenset[str]:
        return frozenset(name for name in (row.target, row.target_in(self.version)) if name)


def check_values(
    resource: ResourceType, version: CimiVersion, values: Mapping[str, Value], *, is_whole: bool
) -> None:
    """Refuse values that the table of a type does not allow; see `Tables.check`."""
    Tables(load_model(), version).check(resource.name, values, is_whole=is_whole)


def items_of(row: Attribute, value: Value, place: str) -> Iterator[tuple[str, Value]]:
    """Yield the items of an array, or the value itself, with their places; nothing for None."""
    if value is None:
        return
    if not row.is_array:
        yield place, value
        return
    for index, item in enumerate(value):
        yield f"{place}[{index}]", item


def _inline(value: Value) -> Mapping[str, Value]:
    """What stands in a value, or beside a reference."""
    said = value.values if isinstance(value, Ref) else value
    return said if isinstance(said, Mapping) else {}


@dataclass(frozen=True, slots=True)
class _Check:
    tables: Tables
    where: str
    is_whole: bool

    def rows(self, rows: Iterable[Attribute], values: Mapping[str, Value]) -> None:
        chosen: dict[str, list[str]] = {}
        for row in rows:
            place, value = f"{self.where}{self.tables.said(row)}", values.get(row.name)
            if row.choice is not None:
                chosen.setdefault(row.choice, []).extend([place] if value is not None else [])
            if self.is_whole:
                self._given(row, values, place)
            for at, item in items_of(row, value, place):
                self._one(row, item, at)
        for choice, places in chosen.items():
            if len(places) != 1 and (places or self.is_whole):
                said = " and ".join(places) or "none"
                raise BadRequest(
                    f"{self.where.rstrip('.')}: exactly one {choice} must be given, not {said}",
                    reason="bad-choice",
                )

    def _given(self, row: Attribute, values: Mapping[str, Value], place: str) -> None:
        """Refuse that something is missing: the attribute, or what another one makes mandatory."""
        value = values.get(row.name)
        if value is None:
            self.tables.check_given(row, place)
        for key in self.tables.keys(row, values):
            if key.name not in (value or ()):
                self.tables.check_given(key, f"{place}.{self.tables.said(key)}")

    def _one(self, row: Attribute, value: Value, place: str) -> None:
        if row.values and not row.is_open and value not in row.values:
            form = row.form(self.tables.version)
            words = form.words if form is not None else {}
            allowed = ", ".join(words.get(word, word) for word in row.values)
            raise BadRequest(f"{place} is {str(value)[:60]!r}; allowed are {allowed}",
                             reason="bad-value")  # fmt: skip
        if row.kind is Kind.INTEGER and row.unit is not None and value < 0:
            raise BadRequest(f"{place} is {value}; it counts {row.unit} and cannot be negative",
                             reason="bad-value")  # fmt: skip
        if row.name == "properties" and len(value) > MAX_PROPERTY_ITEMS:
            raise BadRequest(f"{place}: a resource has {MAX_PROPERTY_ITEMS} at most",
                             reason="too-many-properties")  # fmt: skip
        # a structure is given as a whole, however little there is around it
        inner = replace(self, where=f"{place}.", is_whole=row.kind is Kind.STRUCT)
        inner.rows(self.tables.inside(row), _inline(value))
