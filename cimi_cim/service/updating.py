"""What a resource becomes by an update (DSP0263 4.2.1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, ResourceType
from cimi_cim.service.catalog import KEPT_FOR_LIVE
from cimi_cim.service.unseen import Unseen


@dataclass(frozen=True, slots=True)
class Update:
    """An update of a resource of a type, as a client of a version asks for it.

    Args:
        resource: The type.
        unseen: What the version spoken does not show.
        said: The attributes in the document, None for what is null.
        selected: The attributes that are meant (4.2.1.3.1); None for all of them.
    """

    resource: ResourceType
    unseen: Unseen
    said: Mapping[str, Value]
    selected: frozenset[str] | None = None

    @property
    def version(self) -> CimiVersion:
        """The version spoken."""
        return self.unseen.version

    def must_be_selected(self) -> None:
        """Refuse attributes that the selection of a partial update leaves out (4.2.1.3.1)."""
        for name in self.said:
            if self.selected is not None and name not in self.selected:
                form = self.resource.attributes[name].form(self.version)
                said = form.json_name if form is not None else name
                raise BadRequest(
                    f"{said} is in the document, but not in $select; select it, or leave it out",
                    reason="not-selected",
                )

    def of_stored(self, before: Mapping[str, Value]) -> dict[str, Value]:
        """Return the attributes that a resource in the store gets, of those it has.

        What the client cannot see stays.
        """
        wanted = dict(before)
        for row in self.resource.attributes.values():
            if not (self._is_meant(row.name) and _may_change(row, self.version)):
                continue
            value = self.said.get(row.name)
            if value is not None:
                wanted[row.name] = self.unseen.kept(row, before.get(row.name), value)
            elif row.name in self.said or row.access is not Access.WRITE_ONLY:
                wanted.pop(row.name, None)
        return wanted

    def of_live(self, own: Mapping[str, Value], kept: Mapping[str, Value]) -> dict[str, Value]:
        """Return what the store keeps of a resource in a WBEM server, of what it did keep.

        A value that the server has itself is not kept again.
        """
        wanted = dict(kept)
        for name in KEPT_FOR_LIVE:
            row = self.resource.attributes[name]
            if not (self._is_meant(name) and _may_change(row, self.version)):
                continue
            wanted.pop(name, None)
            if self.said.get(name) not in (None, own.get(name)):
                wanted[name] = self.said[name]
        return wanted

    def kept_of(
        self, allowed: Mapping[str, Value], own: Mapping[str, Value], kept: Mapping[str, Value]
    ) -> dict[str, Value]:
        """Return what the store keeps, where not all may become as the client asks for it."""
        others = {name: value for name, value in kept.items() if name not in KEPT_FOR_LIVE}
        return others | {
            name: allowed[name]
            for name in KEPT_FOR_LIVE
            if name in allowed and allowed[name] != own.get(name)
        }

    def of_live_whole(
        self, own: Mapping[str, Value], kept: Mapping[str, Value]
    ) -> dict[str, Value]:
        """Return all attributes that a resource in a WBEM server would have, if all were written.

        `own` are those that the server has, `kept` what the store keeps of it. What is reset
        is absent, whatever the server then shows.
        """
        reset = {
            name
            for name in KEPT_FOR_LIVE
            if self._is_meant(name)
            and _may_change(self.resource.attributes[name], self.version)
            and self.said.get(name) is None
        }
        said = {n: v for n, v in self.said.items() if n not in KEPT_FOR_LIVE and self._is_meant(n)}
        whole = {**own, **self.of_live(own, kept), **said}
        return {name: value for name, value in whole.items() if name not in reset}

    def _is_meant(self, name: str) -> bool:
        return self.selected is None or name in self.selected


def _may_change(row: Attribute, version: CimiVersion) -> bool:
    return (
        row.is_consumer_writable
        and row.is_mutable
        and row.kind is not Kind.COLLECTION
        and row.form(version) is not None
    )
