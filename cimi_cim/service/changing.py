"""Every request that changes something, sent where the resource lives: store or WBEM server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.mapping.results import Engine
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import JOB, SYSTEM, Catalog
from cimi_cim.service.checks import check_values
from cimi_cim.service.creation import Creation
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.provision.provisioner import Provisioner
from cimi_cim.service.repeats import Repeats
from cimi_cim.service.unseen import Unseen
from cimi_cim.service.updating import Update
from cimi_cim.service.write import Writer
from cimi_cim.wbem.deadline import Deadline

Find = Callable[[str], Location | None]


def leads_nowhere(_: str) -> Location | None:
    """No URI leads to a resource of this provider."""
    return None


class Changing:
    """Creates, updates, deletes, inserts and removes; one per bridge.

    Without a provisioner only what the store keeps can be changed.
    """

    def __init__(
        self,
        holdings: Holdings,
        engine: Engine,
        writer: Writer,
        provisioner: Provisioner | None,
        repeats: Repeats,
        *,
        deadline_s: float = 30,
    ) -> None:
        self._holdings = holdings
        self._catalog: Catalog = holdings.catalog
        self._engine = engine
        self._writer = writer
        self._provisioner = provisioner
        self._repeats = repeats
        self._deadline_s = deadline_s

    def create(
        self,
        location: Location,
        version: CimiVersion,
        document: CreateDocument,
        request: Request = NOBODY,
        find: Find = leads_nowhere,
    ) -> Written:
        """Create a resource in the Collection at a location; `find` tells where a URI leads."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        maker = self._provisioner
        if maker is None or self._catalog.is_join(location.type):
            return self._writer.create(location, version, document, request)
        of = maker.takes_image(location, version, document, find)
        if of is not None:
            return maker.take_image(of, location, version, document, request)
        if self._catalog.provisions(location.type, "add") and not self._is_kept(location):
            return maker.create(location, version, document, request)
        if location.type == SYSTEM:
            return self._system(maker, location, version, document, request)
        return self._writer.create(location, version, document, request)

    def _system(
        self,
        maker: Provisioner,
        location: Location,
        version: CimiVersion,
        document: CreateDocument,
        request: Request,
    ) -> Written:
        """A System: at once where the store makes all of it, else by a Job (5.13.4)."""
        creation = Creation(self._holdings, version, Deadline.after(self._deadline_s))
        path = creation.plan(location, document)
        if not creation.live:
            return self._writer.create(location, version, document, request)
        return maker.systems.create(location, version, creation, path, request)

    def take_image(
        self,
        of: Location,
        name: str,
        version: CimiVersion,
        document: CreateDocument,
        request: Request = NOBODY,
    ) -> Written:
        """Take an image by the "snapshot" or "capture" of a Machine or Volume."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        if self._provisioner is None:
            raise BadRequest("no images are taken here", reason="cannot-create")
        body = self._catalog.model[of.type].actions[name].body
        collection = self._catalog.global_collection(body)
        at = Location(body, ((collection, None),))
        return self._provisioner.take_image(of, at, version, document, request, name)

    def update(
        self,
        location: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
        selected: frozenset[str] | None = None,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Give a resource the attributes of a document (4.2.1.3)."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        maker = self._provisioner
        if maker is not None and self._is_live(location, version):
            deadline = Deadline.after(self._deadline_s)
            update = self._update(location, version, values, selected)
            changed = self._changed(location, update, deadline)
            if changed:
                plan = self._writer.plans.plan(location, update, check, deadline, changed)
                return maker.change(location, changed, plan, request)
        return self._writer.update(location, version, values, selected, check, request)

    def _update(
        self,
        location: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
        selected: frozenset[str] | None,
    ) -> Update:
        model = self._catalog.model
        update = Update(model[location.type], Unseen(model, version), values, selected)
        update.must_be_selected()
        return update

    def delete(
        self,
        location: Location,
        version: CimiVersion,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Delete a resource and its children (5.10)."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        if self._provisioner is not None and location.type == JOB:
            return self._provisioner.jobs.delete(location, check, version, request)
        if self._provisioner is not None:
            live = self._holdings.live_below(location.path)
            is_live = self._is_live(location, version)
            if live or (
                location.type == SYSTEM and self._provisioner.jobs.are_at_work_on(location)
            ):
                deadline = Deadline.after(self._deadline_s)
                check(self._holdings.resource(location, version, None, deadline))
                gone = [*live, location.path] if is_live else live
                return self._provisioner.systems.delete(location, gone, request)
            if is_live:
                return self._provisioner.delete(location, version, check, request)
        return self._writer.delete(location, version, check, request)

    def insert(
        self,
        location: Location,
        version: CimiVersion,
        document: MembershipDocument,
        request: Request = NOBODY,
    ) -> Written:
        """List an existing resource in a Collection (5.5.12.2), or connect a Volume."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        if self._provisioner is not None and self._connects(location):
            refers_to = self._catalog.model[location.type].refers_to or ""
            values = {**document.accessory, refers_to: document.item}
            return self._provisioner.create(location, version, CreateDocument(values), request)
        return self._writer.insert(location, version, document, request)

    def remove(
        self,
        location: Location,
        version: CimiVersion,
        document: MembershipDocument,
        request: Request = NOBODY,
    ) -> Written:
        """Take a resource off a Collection's list (5.5.12.3), or disconnect a Volume."""
        before = self._repeats.earlier(request)
        if before is not None:
            return before
        if self._provisioner is not None and self._connects(location):
            return self._provisioner.disconnect(location, document, request)
        return self._writer.remove(location, version, document, request)

    def connect(
        self, machine: Location, version: CimiVersion, values: Mapping[str, Value],
        request: Request = NOBODY,
    ) -> Written:  # fmt: skip
        """Connect a Volume by the "connectvolume" of a Machine (5.14.1.2)."""
        volumes = Location("locatedVolume", (*machine.steps, ("volumes", None)))
        item = values.get("volume")
        if not isinstance(item, Ref):
            raise BadRequest("volume must refer to a Volume", reason="bad-parameter")
        accessory = {n: values[n] for n in ("initialLocation",) if n in values}
        return self.insert(volumes, version, MembershipDocument(item, accessory), request)

    def _connects(self, location: Location) -> bool:
        """Whether the items are connections in WBEM, and no mere listings."""
        item = self._catalog.model[location.type]
        return item.refers_to is not None and not self._catalog.is_join(location.type)

    def _is_kept(self, location: Location) -> bool:
        """Whether the store keeps new resources of the type: what is said of an image."""
        return self._catalog.is_stored(location.type)

    def _is_live(self, location: Location, version: CimiVersion) -> bool:
        if not location.steps or not self._catalog.is_live(location.type):
            return False
        with self._holdings.store.reading() as reading:
            return reading.find(location.path) is None

    def _changed(self, location: Location, update: Update, deadline: Deadline) -> dict[str, Value]:
        """The attributes that a WBEM server can write back, and has otherwise.

        One that the document leaves out stays: no server can be without it.
        """
        writable, selected = self._engine.writable(location.type), update.selected
        meant = {
            name
            for name, value in update.said.items()
            if name in writable and value is not None and (selected is None or name in selected)
        }
        if not meant:
            return {}
        own = self._holdings.without_overlay(location, update.version, deadline).values
        allowed = self._writer.plans.allowed(location, update, own)
        changed = {n: allowed[n] for n in meant if allowed.get(n) not in (None, own.get(n))}
        resource = self._catalog.model[location.type]
        check_values(resource, update.version, changed, is_whole=False)
        return changed
