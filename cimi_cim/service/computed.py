"""What is kept nowhere, and made anew for each answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from cimi_cim.errors import NotFound
from cimi_cim.mapping.results import is_wanted
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT, Catalog
from cimi_cim.service.metadata import Metadata
from cimi_cim.wbem.deadline import Deadline

_STATE = frozenset({"state"})
_NOTHING: frozenset[str] = frozenset()
_SEVERITIES = ("low", "medium", "high", "critical")


class Inside(Protocol):
    """What can be asked about what is inside a resource."""

    def severities(self, collection: str) -> Iterator[str]:
        """Yield the severity of every Event that lives in a collection and has one."""

    def members(
        self, location: Location, wanted: frozenset[str], deadline: Deadline
    ) -> Sequence[Resource]:
        """Return what the Collection at a location lists."""


class Computed:
    """The CloudEntryPoint, and attributes that sum up what is inside."""

    def __init__(self, catalog: Catalog, metadata: Metadata, inside: Inside) -> None:
        self._catalog = catalog
        self._metadata = metadata
        self._inside = inside

    def entry_point(self, version: CimiVersion, kept: Mapping[str, Value]) -> Resource:
        """The CloudEntryPoint (DSP0263 5.12): a Collection is there exactly when it is served."""
        values: dict[str, Value] = {"name": "cimi-cim", **kept}
        for attribute, _ in self._catalog.collections_of(ENTRY_POINT, version).values():
            values[attribute] = Ref(attribute)
        return Resource(ENTRY_POINT, "", values, (OperationOffer("edit", ""),))

    def metadata(self, location: Location, version: CimiVersion) -> Resource:
        """The metadata of a resource type. Raises `NotFound`."""
        found = self._metadata.of(location.tokens[-1], version)
        if found is None:
            raise NotFound(f"there are no metadata {location.path!r}")
        return found

    def all_metadata(self, version: CimiVersion) -> list[Resource]:
        """The metadata of every resource type that is served."""
        return self._metadata.all(version)

    def attributes(self, type_name: str) -> frozenset[str]:
        """The attributes of a stored type that are computed."""
        return {"System": frozenset({"state"}), "EventLog": frozenset({"summary"})}.get(
            type_name, frozenset()
        )

    def values(
        self,
        resource: Resource,
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> dict[str, Value]:
        """What is computed of a stored resource."""
        if resource.type == "EventLog" and is_wanted("summary", wanted):
            return {"summary": self._summary(resource.path)}
        if resource.type == "System" and is_wanted("state", wanted):
            return {"state": _common(set(self._states(resource.path, deadline)))}
        return {}

    def _summary(self, path: str) -> dict[str, Value]:
        """How many Events of each severity there are (5.17.8)."""
        found = Counter(self._inside.severities(f"{path}/events"))
        return {severity: found[severity] for severity in _SEVERITIES}

    def _states(self, path: str, deadline: Deadline) -> Iterator[str]:
        """The states of the Machines of a System, and of those of the Systems in it.

        Systems may list each other in a ring: each is looked at once.
        """
        waiting, seen = [path], {path}
        while waiting:
            token = waiting.pop().rpartition("/")[2]
            for item in self._listed("Machine", token, "machines", _STATE, deadline):
                if item.values.get("state"):
                    yield str(item.values["state"])
            for item in self._listed("System", token, "systems", _NOTHING, deadline):
                if item.path not in seen:
                    seen.add(item.path)
                    waiting.append(item.path)

    def _listed(
        self,
        type_name: str,
        system: str,
        attribute: str,
        wanted: frozenset[str],
        deadline: Deadline,
    ) -> Sequence[Resource]:
        if not self._catalog.serves(type_name, CimiVersion.V2):
            return ()
        at = Location(type_name, (("systems", system), (attribute, None)))
        return self._inside.members(at, wanted, deadline)


def _common(states: set[str]) -> str:
    """The state that all have; MIXED where they differ, or there are none (Table 9)."""
    return states.pop() if len(states) == 1 else "MIXED"
