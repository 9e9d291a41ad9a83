"""The subscriptions of one bridge on one WBEM server (DSP1054): made, found again, removed.

Its instances are known by their names, which begin with `PREFIX` and the name of the bridge:
what an earlier process left behind is taken over or removed, what others made is not touched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cimi_cim.errors import OutcomeUnknown
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound, WbemStatus
from cimi_cim.wbem.gateway import Gateway, TypedValue
from cimi_cim.wbem.values import InstancePath, Row

log = logging.getLogger(__name__)

PREFIX = "cimi-cim:"
SERVICE, DESTINATION = "CIM_IndicationService", "CIM_ListenerDestinationCIMXML"
FILTER, SUBSCRIPTION = "CIM_IndicationFilter", "CIM_IndicationSubscription"
COLLECTION, COLLECTED = "CIM_FilterCollection", "CIM_FilterCollectionSubscription"
MEMBER = "CIM_MemberOfCollection"
_ALREADY_EXISTS = 11
_PERMANENT, _ENABLED = 2, 2


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted: the text in any of some languages, of the instances of a namespace."""

    name: str
    text: str
    languages: tuple[str, ...]
    namespace: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of the wish to be told: the queries that are answered, and why others are not.

    `made` says how many subscriptions were not there before.
    """

    told: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    made: int = 0


@dataclass(slots=True)
class _There:
    """What is on the server; `systems` are keys that its own service has."""

    destinations: list[Row]
    filters: list[Row]
    subscriptions: list[Row]
    systems: dict[str, str]


class Subscriber:
    """Keeps the subscriptions of `owner`, told at `url`, in the namespace `interop`."""

    def __init__(self, gateway: Gateway, interop: str, owner: str, url: str) -> None:
        self._gateway = gateway
        self._interop = interop
        self._mine = f"{PREFIX}{owner}:"
        self._url = url

    def ensure(self, queries: Sequence[Query], deadline: Deadline) -> Standing:
        """Have every query answered, as far as the server lets it; nothing is made twice.

        Raises the errors of the gateway where the server takes no listener at all.
        """
        there = self._look(deadline)
        handler, is_new = self._destination(there, deadline)
        wanted = {f"{self._mine}{query.name}": query for query in queries}
        for row in there.filters:
            if self._is_mine(row) and not _asks(row, wanted.get(str(row.get("Name")))):
                self._drop(row.path, there, deadline)
        told, refused, made = set[str](), dict[str, str](), int(is_new)
        collected: set[InstancePath] = set()
        for name, query in wanted.items():
            try:
                made += self._subscribe(name, query, handler, there, collected, deadline)
                told.add(query.name)
            except (WbemStatus, OutcomeUnknown) as exc:
                refused[query.name] = exc.message
        return Standing(frozenset(told), refused, made)

    def remove(self, deadline: Deadline) -> None:
        """Remove all that is there of this bridge; what cannot be removed is left."""
        there = self._look(deadline)
        for row in (*there.filters, *there.destinations):
            if self._is_mine(row):
                self._drop(row.path, there, deadline)

    def _look(self, deadline: Deadline) -> _There:
        service = self._rows(SERVICE, ("SystemCreationClassName", "SystemName"), deadline)
        systems = {"SystemCreationClassName": "CIM_ComputerSystem", "SystemName": "cimi-cim"}
        for name in systems if service else ():
            systems[name] = str(service[0].get(name) or systems[name])
        return _There(
            self._read(DESTINATION, ("Name", "Destination"), deadline),
            self._rows(FILTER, ("Name", "Query", "QueryLanguage", "SourceNamespaces"), deadline),
            self._rows(SUBSCRIPTION, ("Filter", "Handler"), deadline)
            + self._rows(COLLECTED, ("Filter", "Handler"), deadline),
            systems,
        )

    def _read(self, classname: str, properties: tuple[str, ...], deadline: Deadline) -> list[Row]:
        return self._gateway.enumerate_instances(
            classname, self._interop, properties, deadline=deadline
        )

    def _rows(self, classname: str, properties: tuple[str, ...], deadline: Deadline) -> list[Row]:
        """The instances of a class that a server need not have."""
        try:
            return self._read(classname, properties, deadline)
        except WbemStatus:
            return []

    def _is_mine(self, row: Row) -> bool:
        return str(row.get("Name") or "").startswith(self._mine)

    def _destination(self, there: _There, deadline: Deadline) -> tuple[InstancePath, bool]:
        """The path of the listener's address on the server, and whether it was made now."""
        found: InstancePath | None = None
        for row in there.destinations:
            if not self._is_mine(row):
                continue
            if found is None and row.get("Destination") == self._url:
                found = row.path
            else:  # an earlier process listened there
                self._drop(row.path, there, deadline)
        if found is not None:
            return found, False
        return self._make(DESTINATION, {
            **self._keys(DESTINATION, f"{self._mine}listener", there),
            "Destination": TypedValue("string", self._url),
            "PersistenceType": TypedValue("uint16", _PERMANENT),
        }, deadline), True  # fmt: skip

    def _keys(self, classname: str, name: str, there: _There) -> dict[str, TypedValue]:
        keys = {**there.systems, "CreationClassName": classname, "Name": name}
        return {key: TypedValue("string", value) for key, value in keys.items()}

    def _make(
        self, classname: str, values: Mapping[str, TypedValue], deadline: Deadline
    ) -> InstancePath:
        return self._gateway.create_instance(classname, self._interop, values, deadline=deadline)

    def _subscribe(
        self,
        name: str,
        query: Query,
        handler: InstancePath,
        there: _There,
        collected: set[InstancePath],
        deadline: Deadline,
    ) -> int:
        """Subscribe to a query; returns how many subscriptions that took."""
        kept = [row.path for row in there.filters if _asks(row, query) and row.get("Name") == name]
        try:
            path = kept[0] if kept else self._filter(name, query, there, deadline)
        except WbemStatus as exc:
            return self._instead(query, handler, there, collected, exc, deadline)
        return self._link(SUBSCRIPTION, path, handler, there, deadline)

    def _filter(self, name: str, query: Query, there: _There, deadline: Deadline) -> InstancePath:
        """Make a filter in the first language that the server takes."""
        refused: WbemStatus | None = None
        for language in query.languages:
            try:
                return self._make(FILTER, {
                    **self._keys(FILTER, name, there),
                    "Query": TypedValue("string", query.text),
                    "QueryLanguage": TypedValue("string", language),
                    "SourceNamespaces": TypedValue("string[]", (query.namespace,)),
                }, deadline)  # fmt: skip
            except WbemStatus as exc:
                refused = refused or exc
        raise refused or ValueError("a query has no language")

    def _instead(
        self,
        query: Query,
        handler: InstancePath,
        there: _There,
        collected: set[InstancePath],
        refusal: WbemStatus,
        deadline: Deadline,
    ) -> int:
        """Take a filter of the server's own, alone or collected; raises `refusal` for none."""
        same = [row.path for row in there.filters if not self._is_mine(row) and _says(row, query)]
        for path in same:
            try:
                return self._link(SUBSCRIPTION, path, handler, there, deadline)
            except WbemStatus as exc:
                log.debug("a predefined filter cannot be had alone: %s", exc.message)
        for path in same:
            for collection in self._collections(path, deadline):
                if collection in collected:
                    return 0
                collected.add(collection)
                return self._link(COLLECTED, collection, handler, there, deadline)
        raise refusal

    def _collections(self, path: InstancePath, deadline: Deadline) -> list[InstancePath]:
        try:
            return self._gateway.associator_names(
                path, assoc_class=MEMBER, result_class=COLLECTION, role="Member",
                result_role="Collection", deadline=deadline,
            )  # fmt: skip
        except WbemStatus:
            return []

    def _link(
        self,
        classname: str,
        path: InstancePath,
        handler: InstancePath,
        there: _There,
        deadline: Deadline,
    ) -> int:
        """Subscribe the listener to a filter, or a collection; 0 where it is already."""
        for row in there.subscriptions:
            if _end(row, "Filter") == path and _end(row, "Handler") == handler:
                return 0
        try:
            self._make(classname, {
                "Filter": TypedValue("reference", path),
                "Handler": TypedValue("reference", handler),
                "SubscriptionState": TypedValue("uint16", _ENABLED),
            }, deadline)  # fmt: skip
        except WbemStatus as exc:
            if exc.code != _ALREADY_EXISTS:
                raise
            return 0
        return 1

    def _drop(self, path: InstancePath, there: _There, deadline: Deadline) -> None:
        """Delete a filter or destination of ours, and first the subscriptions on it."""
        on_it = [row for row in there.subscriptions if path in (_end(row, "Filter"),
                                                                _end(row, "Handler"))]  # fmt: skip
        self._delete([*(row.path for row in on_it), path], deadline)
        there.subscriptions = [row for row in there.subscriptions if row not in on_it]
        there.filters = [row for row in there.filters if row.path != path]

    def _delete(self, paths: Iterable[InstancePath], deadline: Deadline) -> None:
        for path in paths:
            try:
                self._gateway.delete_instance(path, deadline=deadline)
            except WbemNotFound:
                continue
            except (WbemStatus, OutcomeUnknown) as exc:
                log.debug("a subscription cannot be removed: %s", exc.message)


def _end(row: Row, role: str) -> InstancePath | None:
    """One end of a subscription: servers have it among the keys, the properties, or both."""
    value = row.get(role) or row.path.key(role)
    return value if isinstance(value, InstancePath) else None


def _says(row: Row, query: Query) -> bool:
    """Whether a filter has the text of a query; blanks and case count for nothing."""
    return _plain(row.get("Query")) == _plain(query.text)


def _asks(row: Row, query: Query | None) -> bool:
    """Whether a filter asks for just what a query does."""
    if query is None or not _says(row, query):
        return False
    spaces = row.get("SourceNamespaces")
    is_there = not isinstance(spaces, tuple) or query.namespace in spaces
    return is_there and row.get("QueryLanguage") in query.languages


def _plain(text: object) -> str:
    return " ".join(str(text or "").lower().split())
