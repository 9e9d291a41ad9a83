"""Attributes of stored resources that sum up what is elsewhere, made anew for each answer.

For a page of resources at a time, so that a thousand of them cost what one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cimi_cim.mapping.results import is_wanted
from cimi_cim.model.resources import Resource, Value
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.wbem.deadline import Deadline

States = Callable[[Sequence[str], Deadline], Mapping[str, str]]
"""Returns the states of Machines, by path; those that are gone are left out."""

_SUMMED_UP = {"System": "state", "EventLog": "summary", "ProtocolEndpoint": "protocol"}
_SEVERITIES = ("low", "medium", "high", "critical")


class Summaries:
    """Sums up; one per bridge."""

    def __init__(self, store: Store, states: States) -> None:
        self._store = store
        self._states = states

    @staticmethod
    def attributes(type_name: str) -> frozenset[str]:
        """The attributes of a stored type that are summed up."""
        return frozenset({_SUMMED_UP[type_name]}) if type_name in _SUMMED_UP else frozenset()

    def of(
        self, items: Sequence[Resource], wanted: frozenset[str] | None, deadline: Deadline
    ) -> dict[str, dict[str, Value]]:
        """Return by path what is summed up of each of the resources, of one type."""
        type_name = items[0].type if items else ""
        attribute = _SUMMED_UP.get(type_name)
        if attribute is None or not is_wanted(attribute, wanted):
            return {}
        paths = [item.path for item in items]
        if type_name == "System":
            found = self._common_states(paths, deadline)
        else:
            with self._store.reading() as reading:
                sum_up = _counts if type_name == "EventLog" else _protocols
                found = sum_up(reading, paths)
        return {path: {attribute: value} for path, value in found.items()}

    def machines(self, system: str) -> set[str]:
        """Return the paths of the Machines in a System, and in the Systems in it."""
        with self._store.reading() as reading:
            return _machines(reading, [system])[system]

    def _common_states(self, systems: Sequence[str], deadline: Deadline) -> dict[str, Value]:
        """The state that all Machines of a System share, MIXED else (Table 9)."""
        with self._store.reading() as reading:
            machines = _machines(reading, systems)
        every = sorted({path for paths in machines.values() for path in paths})
        states = self._states(every, deadline) if every else {}
        found: dict[str, Value] = {}
        for system, paths in machines.items():
            shared = {states[path] for path in paths if path in states}
            found[system] = shared.pop() if len(shared) == 1 else "MIXED"
        return found


def _machines(reading: Reading, systems: Sequence[str]) -> dict[str, set[str]]:
    """Return by System the Machines in it, and in the Systems in it.

    Systems that list each other in a ring are looked at once.
    """
    inner: dict[str, list[str]] = {}
    own: dict[str, list[str]] = {}
    waiting: Iterable[str] = systems
    while waiting:
        listed = reading.members(f"{s}/{a}" for s in waiting for a in ("machines", "systems"))
        for system in waiting:
            own[system] = listed.get(f"{system}/machines", [])
            inner[system] = listed.get(f"{system}/systems", [])
        waiting = {each for system in waiting for each in inner[system]} - own.keys()
    return {system: {m for each in _within(system, inner) for m in own[each]} for system in systems}


def _within(system: str, inner: Mapping[str, Sequence[str]]) -> set[str]:
    found, waiting = {system}, [system]
    while waiting:
        new = set(inner[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _counts(reading: Reading, logs: Sequence[str]) -> dict[str, Value]:
    """How many Events of each severity there are in a log (5.17.8)."""
    counted = reading.count_by([f"{log}/events" for log in logs], "severity")
    return {
        log: {each: counted.get((f"{log}/events", each), 0) for each in _SEVERITIES} for log in logs
    }


def _protocols(reading: Reading, endpoints: Sequence[str]) -> dict[str, Value]:
    """The protocol of the segment that an endpoint is on (Table 37).

    One that is on segments of several protocols has none.
    """
    on = {
        endpoint: {
            each.removesuffix("/endpoints") for each in listings if each.startswith("segments/")
        }
        for endpoint, listings in reading.listings_of(endpoints).items()
    }
    segments = reading.find_many(set().union(*on.values()))
    found: dict[str, Value] = {}
    for endpoint, paths in on.items():
        protocols = {segments[path].values.get("protocol") for path in paths & segments.keys()}
        if len(protocols) == 1:
            found[endpoint] = protocols.pop()
    return found
