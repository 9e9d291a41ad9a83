"""What lives in WBEM servers, found by its paths, with what the store keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cimi_cim.errors import NotFound, ProviderError
from cimi_cim.incomplete import note
from cimi_cim.mapping.results import Engine, is_wanted
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.completion import Completion
from cimi_cim.service.store.store import Store
from cimi_cim.service.transient import Transients
from cimi_cim.wbem.deadline import Deadline

ID_ONLY = frozenset({"id"})
FEW = 2
"""Up to so many listed resources are read one by one; more, with their whole collection."""


class Living:
    """Resources of WBEM servers; `has_jobs` says whether states on the way are told."""

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        store: Store,
        completion: Completion,
        *,
        has_jobs: bool,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._store = store
        self._completion = completion
        self._has_jobs = has_jobs
        self._transients = Transients(catalog)

    def shown(
        self, items: Iterable[Resource], version: CimiVersion, wanted: frozenset[str] | None
    ) -> list[Resource]:
        """Return resources that were read from WBEM servers with what the store keeps of them."""
        found = list(items)
        with self._store.reading() as reading:
            overlays = reading.overlays(item.path for item in found)
            is_asked = is_wanted("state", wanted) or is_wanted("operations", wanted)
            passing = self._transients.states(reading) if is_asked and self._has_jobs else {}
        shown = (self._completion.live(i, overlays.get(i.path, {}), version, wanted) for i in found)
        return [self._transients.on_its_way(item, passing.get(item.path)) for item in shown]

    def at(
        self,
        paths: Sequence[str],
        version: CimiVersion,
        wanted: frozenset[str] | None,
        deadline: Deadline,
    ) -> list[Resource]:
        """Return those of the resources at some paths that WBEM servers have, at a bounded cost.

        Those of a server that cannot be asked are left out, which is noted.
        """
        found = [at for path in paths if (at := self._catalog.locate(path, version)) is not None]
        found = [at for at in found if self._catalog.is_live(at.type)]
        items: list[Resource] = []
        for collection in sorted({at.steps[0][0] for at in found}):
            these = [at for at in found if at.steps[0][0] == collection]
            if len(these) <= FEW:
                items += self._each(these, wanted, deadline)
                continue
            whole = Location(these[0].type, ((collection, None),))
            among = {at.path for at in these}
            read = self._engine.read_collection(whole, wanted, deadline)
            items += [item for item in read.items if item.path in among]
        return self.shown(items, version, wanted)

    def _each(
        self, locations: Sequence[Location], wanted: frozenset[str] | None, deadline: Deadline
    ) -> Iterator[Resource]:
        for location in locations:
            try:
                yield self._engine.read(location, wanted, deadline)
            except NotFound:
                continue
            except ProviderError as exc:
                if "target" not in exc.fields:
                    raise
                note(exc.fields["target"], exc.message)

    def among(self, paths: Iterable[str], version: CimiVersion, deadline: Deadline) -> set[str]:
        """Return those of the paths at which WBEM servers have a resource, if they are many."""
        found = [path for path in paths if self._is_live_at(path, version)]
        if len(found) <= FEW:
            return set()
        return {item.path for item in self.at(found, version, ID_ONLY, deadline)}

    def _is_live_at(self, path: str, version: CimiVersion) -> bool:
        at = self._catalog.locate(path, version)
        return at is not None and len(at.tokens) == 1 and self._catalog.is_live(at.type)

    def states(self, machines: Sequence[str], deadline: Deadline) -> dict[str, str]:
        """Return the states of Machines; those that are gone are left out."""
        found = self.at(machines, CimiVersion.V2, frozenset({"state"}), deadline)
        return {item.path: str(item.values["state"]) for item in found if "state" in item.values}
