"""What every resource shows besides what is kept of it: its Collections, its operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from cimi_cim.mapping.results import is_wanted
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import JOB, SYSTEM, Catalog
from cimi_cim.service.metadata.metadata import path_of


class Completion:
    """Completes resources; one per bridge. `can_stop` says whether a Job takes "stop" now."""

    def __init__(self, catalog: Catalog, can_stop: Callable[[str], bool]) -> None:
        self._catalog = catalog
        self._can_stop = can_stop

    def stored(
        self,
        item: Resource,
        summed_up: Mapping[str, Value],
        version: CimiVersion,
        wanted: frozenset[str] | None,
    ) -> Resource:
        """Return a resource of the store with what is summed up of it."""
        values = {**self._links(item, version, wanted), **item.values, **summed_up}
        if not is_wanted("operations", wanted):
            return replace(item, values=values)
        state = values.get("state")
        offers = [*self._plain_offers(item), *self._recorded(item, state, version)]
        if item.type == SYSTEM:
            offers += self._of_system(item, state, version)
        if item.type == JOB and self._may_stop(item, state):
            offers.append(OperationOffer("stop", f"{item.path}/stop"))
        return replace(item, values=values, operations=offers)

    def live(
        self,
        item: Resource,
        overlay: Mapping[str, Value],
        version: CimiVersion,
        wanted: frozenset[str] | None,
    ) -> Resource:
        """Return a resource of a WBEM server with what the store keeps of it."""
        values = {**self._links(item, version, wanted), **item.values}
        values |= {name: value for name, value in overlay.items() if is_wanted(name, wanted)}
        offers: Sequence[OperationOffer] = ()
        if is_wanted("operations", wanted):
            offers = self._of_live(item, version)
        return replace(item, values=values, operations=offers)

    def _of_live(self, item: Resource, version: CimiVersion) -> Sequence[OperationOffer]:
        """What is offered of a resource in a WBEM server; 1.x has no word for "not now"."""
        closed = {offer.name for offer in item.operations if not offer.available}
        offers = [
            replace(offer, available=offer.name not in closed)
            for offer in (*self._plain_offers(item), *self._taken_now(item, version))
        ]
        return [o for o in offers if o.available or version is CimiVersion.V2]

    def _plain_offers(self, item: Resource) -> Iterator[OperationOffer]:
        taken = self._catalog.resource_operations(item.type)
        return (OperationOffer(name, item.path) for name in ("edit", "delete") if name in taken)

    def _recorded(
        self, item: Resource, state: Value, version: CimiVersion
    ) -> Iterator[OperationOffer]:
        """The actions that only change the state that the store keeps."""
        for action in self._catalog.recorded_actions(item.type):
            if version in action.versions and state in action.from_states:
                yield OperationOffer(action.name, f"{item.path}/{action.name}")

    def _of_system(
        self, item: Resource, state: Value, version: CimiVersion
    ) -> Iterator[OperationOffer]:
        """What the Machines of a System may take, by the state that they share (5.13.1.2)."""
        machine = self._catalog.model["Machine"].actions
        for action in self._catalog.actions(SYSTEM, version):
            if state == "MIXED" or state in machine[action.name].from_states:
                yield OperationOffer(action.name, f"{item.path}/{action.name}")

    def _may_stop(self, item: Resource, state: Value) -> bool:
        """Whether a Job takes "stop"; only of those that go on anybody has to be asked."""
        stop = self._catalog.model[JOB].actions["stop"]
        return state in stop.from_states and self._can_stop(item.path)

    def _taken_now(self, item: Resource, version: CimiVersion) -> Iterator[OperationOffer]:
        """The actions that the provider takes now, as far as they are offered here."""
        offered = {action.name for action in self._catalog.actions(item.type, version)}
        for offer in item.operations:
            if offer.name in offered and offer.available:
                yield offer
        if "connectvolume" in offered:
            yield OperationOffer("connectvolume", f"{item.path}/connectvolume")

    def _links(
        self, item: Resource, version: CimiVersion, wanted: frozenset[str] | None
    ) -> dict[str, Value]:
        """References to the Collections that the store keeps for a resource, and its metadata.

        A resource that has metadata of its own says so itself.
        """
        links: dict[str, Value] = {}
        if version is CimiVersion.V2 and is_wanted("resourceMetadata", wanted):
            links["resourceMetadata"] = Ref(path_of(item.type))
        return links | {
            attribute: Ref(f"{item.path}/{attribute}")
            for attribute, item_type in self._catalog.collections_of(item.type, version).values()
            if is_wanted(attribute, wanted)
            and not self._catalog.is_live_child(item.type, attribute, item_type)
        }
