"""Everything there is, wherever it lives: one view of the store and of the WBEM servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cimi_cim.errors import NotFound, ProviderUnavailable
from cimi_cim.incomplete import noting
from cimi_cim.mapping.results import Engine, is_wanted
from cimi_cim.model.filters import Text
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT, METADATA, Catalog
from cimi_cim.service.completion import Completion
from cimi_cim.service.computed import Computed
from cimi_cim.service.images import TYPES
from cimi_cim.service.jobs.asking import Jobs
from cimi_cim.service.living import ID_ONLY, Living
from cimi_cim.service.metadata.constraints import Constraints
from cimi_cim.service.metadata.metadata import Metadata
from cimi_cim.service.paging import page_of
from cimi_cim.service.query import Query
from cimi_cim.service.store.reading import Listed
from cimi_cim.service.store.store import Store
from cimi_cim.service.summaries import Summaries
from cimi_cim.wbem.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Page:
    """Items of a Collection: those asked for, and how many passed the filters.

    `updated` is when something was put in or taken out, None where nobody knows.
    """

    items: Sequence[Resource]
    count: int
    updated: str | None = None


class Holdings:
    """Finds resources and Collections for one version at a time."""

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        store: Store,
        metadata: Metadata,
        jobs: Jobs | None = None,
    ) -> None:
        self.catalog = catalog
        self._engine = engine
        self._jobs = jobs
        self.store = store
        self.metadata = metadata
        self.constraints = Constraints(catalog, metadata)
        self._computed = Computed(catalog)
        self._completion = Completion(catalog, self._can_stop)
        self.living = Living(catalog, engine, store, self._completion, has_jobs=jobs is not None)
        self._summaries = Summaries(store, self.living.states)

    def locate(self, path: str, version: CimiVersion) -> Location | None:
        """Return where a neutral path leads in a version, None if nowhere."""
        return self.catalog.locate(path, version)

    def exists(self, location: Location, version: CimiVersion, deadline: Deadline) -> bool:
        """Whether there is a resource, or a Collection, at a location."""
        at = owner_of(self.catalog.model, location) if location.is_collection else location
        if not at.steps:
            return self.catalog.serves(location.type, version)
        try:
            self.resource(at, version, ID_ONLY, deadline)
        except NotFound:
            return False
        return True

    def resource(
        self,
        location: Location,
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> Resource:
        """Return the resource at a location with its operations. Raises `NotFound`."""
        catalog = self.catalog
        if not location.steps:
            return self._computed.entry_point(version, self._overlay(ENTRY_POINT))
        if not catalog.serves(location.type, version) or not catalog.is_address(location):
            raise missing(location)
        if location.type == METADATA:
            with self.store.reading() as reading:
                found = self.metadata.find(reading, location.tokens[-1], version)
            if found is None:
                raise missing(location)
            return found
        if catalog.is_join(location.type):
            return self._join(location, deadline)
        with self.store.reading() as reading:
            stored = reading.find(location.path)
        if stored is not None:
            return self._completed([stored.resource], version, wanted, deadline)[0]
        if not catalog.is_live(location.type):
            raise missing(location)
        return self.living.shown([self._engine.read(location, wanted, deadline)], version, wanted)[
            0
        ]

    def page(
        self,
        location: Location,
        version: CimiVersion,
        query: Query,
        wanted: frozenset[str] | None,
        href: Text,
        deadline: Deadline,
    ) -> Page:
        """Return the items at a Collection's location that a query asks for.

        `wanted` names the attributes to read of each. Raises `NotFound`.
        """
        catalog, items = self.catalog, list[Resource]()
        if not catalog.serves(location.type, version):
            raise missing(location)
        if location.type == METADATA:
            with self.store.reading() as reading:
                items = self.metadata.all(reading, version)
        elif not catalog.lives_in(location):
            return self._listed_page(location, version, query, wanted, href, deadline)
        elif catalog.is_live(location.type):
            found = self._engine.read_collection(location, wanted, deadline)
            items = self.living.shown(found.items, version, wanted)
            if catalog.is_stored(location.type):
                items += self._stored(location, version, wanted, deadline)
        else:
            return self._stored_page(location, version, query, wanted, href, deadline)
        picked, count = query.pick(items, href)
        return Page(picked, count)

    def without_overlay(
        self, location: Location, version: CimiVersion, deadline: Deadline
    ) -> Resource:
        """Return a resource as it is without what the store keeps of it."""
        if not location.steps:
            return self._computed.entry_point(version, {})
        return self._engine.read(location, None, deadline)

    def with_overlay(self, own: Resource, version: CimiVersion) -> Resource:
        """Return a resource that was read without what the store keeps of it, with that."""
        if own.type == ENTRY_POINT:
            return self._computed.entry_point(version, self._overlay(ENTRY_POINT))
        return self.living.shown([own], version, None)[0]

    def _stored_page(
        self,
        location: Location,
        version: CimiVersion,
        query: Query,
        wanted: frozenset[str] | None,
        href: Text,
        deadline: Deadline,
    ) -> Page:
        """A page of what lives in the store, read as far as it is needed."""
        self.must_have_owner(location, version, deadline)
        if query.needs & self._summaries.attributes(location.type):
            items, count = query.pick(self._stored(location, version, wanted, deadline), href)
        else:
            with self.store.reading() as reading:
                picked, count = page_of(reading, location.path, query, href)
            items = self._completed(picked, version, wanted, deadline)
        return Page(items, count, updated=self._updated(location))

    def _listed_page(
        self,
        location: Location,
        version: CimiVersion,
        query: Query,
        wanted: frozenset[str] | None,
        href: Text,
        deadline: Deadline,
    ) -> Page:
        """A page of what a Collection lists; what lives in the store is read as far as needed."""
        self.must_have_owner(location, version, deadline)
        is_plain = not (query.filters or query.order)
        if is_plain and self.catalog.lives_in_store(location.type):
            with self.store.reading() as reading:
                picked, count = reading.listed_resources(
                    location.path, max(1, query.first or 1), query.last
                )
            items = self._completed(picked, version, wanted, deadline)
        else:
            items, count = query.pick(self._listed(location, version, wanted, deadline), href)
        return Page(items, count, updated=self._updated(location))

    def _updated(self, collection: Location) -> str | None:
        with self.store.reading() as reading:
            return reading.updated(collection.path)

    def _stored(
        self,
        location: Location,
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> list[Resource]:
        with self.store.reading() as reading:
            found = list(reading.in_collection(location.path))
        return self._completed(found, version, wanted, deadline)

    def _listed(
        self,
        location: Location,
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> list[Resource]:
        """The resources that a Collection lists; those that are gone meanwhile are left out."""
        listed = self._members(location, deadline)
        if self.catalog.is_join(location.type):
            return [self._joined(location, row) for row in listed]
        paths = [row.member for row in listed]
        with self.store.reading() as reading:
            stored = reading.find_many(paths)
        found = {
            item.path: item
            for item in self._completed(list(stored.values()), version, wanted, deadline)
        }
        elsewhere = [path for path in paths if path not in found]
        for item in self.living.at(elsewhere, version, wanted, deadline):
            found[item.path] = item
        return [found[path] for path in paths if path in found]

    def _members(self, collection: Location, deadline: Deadline) -> list[Listed]:
        """What a Collection lists: as the store keeps it, and whatever its WBEM server adds."""
        with self.store.reading() as reading:
            kept = reading.listed(collection.path)
        owner, attribute = owner_of(self.catalog.model, collection), collection.steps[-1][0]
        if not owner.steps or not self.catalog.is_live(owner.type):
            return kept
        related = self._engine.related(owner, attribute, deadline)
        with self.store.reading() as reading:
            said = reading.overlays(related) if related else {}
        # What was captured here is no snapshot (5.14.7), though its server relates it alike.
        known = {row.member for row in kept}
        known |= {path for path, its in said.items() if its.get("type") == TYPES["capture"]}
        return [*kept, *(Listed(path, {}) for path in related if path not in known)]

    def must_have_owner(self, location: Location, version: CimiVersion, deadline: Deadline) -> None:
        """Raise `NotFound` if a Collection is in a resource that does not exist."""
        owner = owner_of(self.catalog.model, location)
        if owner.steps and not self.exists(owner, version, deadline):
            raise missing(owner)

    def _join(self, location: Location, deadline: Deadline) -> Resource:
        (*outer, (attribute, token)) = location.steps
        collection = Location(location.type, (*outer, (attribute, None)))
        for row in self._members(collection, deadline):
            if token_of(row.member) == token:
                return self._joined(collection, row)
        raise missing(location)

    def _joined(self, collection: Location, row: Listed) -> Resource:
        refers_to = self.catalog.model[collection.type].refers_to or ""
        path = f"{collection.path}/{token_of(row.member)}"
        values = {**row.values, refers_to: Ref(row.member)}
        return Resource(collection.type, path, values, (OperationOffer("delete", path),))

    def _completed(
        self,
        items: Sequence[Resource],
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> list[Resource]:
        """Stored resources with their Collections, what is summed up, and their operations."""
        needed = wanted  # what a System takes is told by its state
        if wanted is not None and is_wanted("operations", wanted):
            needed = wanted | {"state"}
        summed_up = self._summaries.of(items, needed, deadline)
        return [
            self._completion.stored(item, summed_up.get(item.path, {}), version, wanted)
            for item in items
        ]

    def machines_of(self, system: str, deadline: Deadline) -> list[Resource]:
        """Return the Machines in a System, and in the Systems in it, with their operations.

        Raises `ProviderUnavailable` where a server that may have some cannot be asked.
        """
        paths = sorted(self._summaries.machines(system))
        wanted = frozenset({"state", "operations"})
        with noting() as left_out:
            found = self.living.at(paths, CimiVersion.V2, wanted, deadline)
        if left_out and len(found) < len(paths):
            alias, why = next(iter(left_out.items()))
            raise ProviderUnavailable(
                f"which machines of {system} there are cannot be told: target {alias}: {why}"
            )
        return found

    def live_below(self, path: str) -> list[str]:
        """Return the paths of the children, however deep, that only WBEM servers can delete."""
        with self.store.reading() as reading:
            below = reading.dependents(path)
            return [each for each in below if reading.find(each) is None]

    def _can_stop(self, job: str) -> bool:
        if self._jobs is None:
            return False
        with self.store.reading() as reading:
            return self._jobs.can_stop(reading, job)

    def _overlay(self, path: str) -> dict[str, Value]:
        with self.store.reading() as reading:
            return reading.overlay(path)


def token_of(path: str) -> str:
    """Return the last token of a path."""
    return path.rpartition("/")[2]


def missing(location: Location) -> NotFound:
    """The error for a location where nothing is."""
    return NotFound(f"there is no {location.type} {location.path!r}; it may have been deleted")
