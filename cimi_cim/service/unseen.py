"""What a client cannot see inside of values that stand inline is never lost by that.

A representation that a client reads, changes and sends back lacks secrets (the password of
the credential in a template), and what the version that it speaks does not have: what it
cannot say of these stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, Model


@dataclass(frozen=True, slots=True)
class Unseen:
    """Knows what a version does not show."""

    model: Model
    version: CimiVersion

    def kept(self, row: Attribute, before: Value, now: Value) -> Value:
        """Return a new value of an attribute with what the old one has and it cannot say.

        An item of an array keeps it as long as the item is otherwise unchanged.
        """
        if not row.is_array:
            return self._one(row, before, now)
        if not isinstance(before, Sequence) or not isinstance(now, Sequence):
            return now
        left = list(before)
        return [self._one(row, self._taken(row, left, item), item) for item in now]

    def _taken(self, row: Attribute, left: list[Value], item: Value) -> Value:
        """Take the old item out of those left that shows as a new one does; None for none."""
        for old in left:
            if self._shown(row, old) == item:
                left.remove(old)
                return old
        return None

    def _one(self, row: Attribute, before: Value, now: Value) -> Value:
        if isinstance(before, Ref) and isinstance(now, Ref):
            if (before.path, before.url) != (now.path, now.url):
                return now
            return replace(now, values=self._merged(row, before.values, now.values))
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            return self._merged(row, before, now)
        return now

    def _merged(
        self, row: Attribute, before: Mapping[str, Value], now: Mapping[str, Value]
    ) -> dict[str, Value]:
        found = dict(now)
        for inner in self._rows(row):
            if inner.name in before and self._is_hidden(inner):
                found.setdefault(inner.name, before[inner.name])
            elif inner.name in before and inner.name in now:
                found[inner.name] = self.kept(inner, before[inner.name], now[inner.name])
        return found

    def _shown(self, row: Attribute, value: Value) -> Value:
        """An item as the client sees it."""
        if isinstance(value, Ref):
            return replace(value, values=self._without(row, value.values))
        return self._without(row, value) if isinstance(value, Mapping) else value

    def _without(self, row: Attribute, values: Mapping[str, Value]) -> dict[str, Value]:
        rows = {inner.name: inner for inner in self._rows(row)}
        found = {}
        for name, value in values.items():
            inner = rows.get(name)
            if inner is None:
                found[name] = value
            elif not self._is_hidden(inner):
                found[name] = (
                    [self._shown(inner, item) for item in value]
                    if inner.is_array
                    else self._shown(inner, value)
                )
        return found

    def _is_hidden(self, row: Attribute) -> bool:
        return row.access is Access.WRITE_ONLY or row.form(self.version) is None

    def _rows(self, row: Attribute) -> Iterable[Attribute]:
        """The rows of what stands inline; a map has none."""
        target = self.model.types.get(row.target or "")
        if row.kind in (Kind.REF, Kind.REF_OR_VALUE) and target is not None:
            return target.attributes.values()
        return row.fields if row.kind is Kind.STRUCT else ()
