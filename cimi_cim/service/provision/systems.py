"""Has Systems made and deleted with all that is in them, and their Machines acted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cimi_cim.errors import ConflictError
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.components import LiveComponent
from cimi_cim.service.creation import Creation
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.outcome import Written
from cimi_cim.service.provision import kinds
from cimi_cim.service.provision.nesting import child_of
from cimi_cim.service.provision.ordering import Ordering
from cimi_cim.service.provision.submitting import Submitting
from cimi_cim.service.store.documents import write_document
from cimi_cim.service.store.writing import Writing


class Systems:
    """Use cases on Systems with children that live in WBEM servers."""

    def __init__(self, catalog: Catalog, ordering: Ordering, submitting: Submitting) -> None:
        self._catalog = catalog
        self._ordering = ordering
        self._submitting = submitting

    def create(
        self,
        location: Location,
        version: CimiVersion,
        creation: Creation,
        path: str,
        request: Request = NOBODY,
    ) -> Written:
        """Make a System whose other parts are planned, then have its live components made."""
        components = [self._component(each, version, creation) for each in creation.live]
        arguments = {"path": path, "components": components}

        def make(writing: Writing) -> None:
            creation.make(writing)

        work = Work("add", location.path, creation.made)
        return self._submitting.submit(
            kinds.SYSTEM, work, arguments, request, [path], first=make, path=path
        )

    def _component(
        self, each: LiveComponent, version: CimiVersion, creation: Creation
    ) -> dict[str, Any]:
        orders = self._ordering.orders(version)
        orders.expect(creation.references.planned)
        at = Location(each.type, ((self._catalog.global_collection(each.type), None),))
        order = orders.read(at, CreateDocument(dict(each.own), dict(each.template)))
        made = child_of(each.listing, self._ordering.arguments(at, order))
        return {**made, "placeholder": each.placeholder}

    def delete(self, location: Location, live: Sequence[str], request: Request = NOBODY) -> Written:
        """Have a resource deleted with its children, those in WBEM servers first (5.10.2)."""
        work = Work("delete", location.path.rpartition("/")[0])
        arguments = {"path": location.path, "live": list(live)}
        holds = [location.path, *live]
        return self._submitting.submit(
            kinds.DELETE_TREE, work, arguments, request, holds, is_gone=True
        )

    def act(
        self,
        system: Location,
        machines: Sequence[Resource],
        name: str,
        parameters: Mapping[str, Value],
        request: Request = NOBODY,
    ) -> Written:
        """Have an action carried out on every Machine of a System that takes it (5.13.1.2)."""
        taking = [m.path for m in machines if name in {offer.name for offer in m.operations}]
        if not taking:
            raise ConflictError(
                f"no Machine of {system.path} takes {name} now", reason="state-forbids"
            )
        arguments = {
            "machines": taking, "action": name, "parameters": write_document(dict(parameters)),
        }  # fmt: skip
        work = Work(name, system.path, taking)
        holds = [system.path, *taking]
        return self._submitting.submit(kinds.ACT_ON_ALL, work, arguments, request, holds)
