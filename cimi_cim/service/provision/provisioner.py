"""Has WBEM servers make, change, delete and act, each as a durable Job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cimi_cim.errors import BadRequest, ConflictError, NotFound
from cimi_cim.mapping.results import ANYWHERE, Engine
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.components import LiveComponent
from cimi_cim.service.creation import Creation, is_pending
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.images import TYPES
from cimi_cim.service.jobs.asking import NOBODY, Jobs, Request
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.provision import bodies
from cimi_cim.service.provision.nesting import ACT, child_of
from cimi_cim.service.provision.requests import Order, Orders
from cimi_cim.service.repeats import made_by
from cimi_cim.service.store.documents import write_document
from cimi_cim.service.store.references import targets_of
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing, new_token
from cimi_cim.service.update_plans import UpdatePlan
from cimi_cim.wbem.deadline import Deadline

Find = Callable[[str], Location | None]
"""Where an absolute URI of this provider leads, None if it is none."""

IMAGES = {"MachineImage": "snapshots", "VolumeImage": "images"}
"""The Collection of the Machine or Volume that lists the images taken of it."""


class Provisioner:
    """Use cases on what lives in WBEM servers; one per bridge.

    `wait_s` is how long a request waits for its Job before it answers that it runs on.
    """

    def __init__(
        self,
        holdings: Holdings,
        engine: Engine,
        jobs: Jobs,
        store: Store,
        *,
        deadline_s: float = 30,
        wait_s: float = 0.5,
    ) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._engine = engine
        self._jobs = jobs
        self._store = store
        self._deadline_s = deadline_s
        self._wait_s = wait_s

    def takes_image(
        self, location: Location, version: CimiVersion, document: CreateDocument, find: Find
    ) -> Location | None:
        """Return what an image is to be taken from, None where the store keeps the new one."""
        if location.type not in IMAGES:
            return None
        return self._orders(version).image_of(location, document, find)

    def create(
        self,
        location: Location,
        version: CimiVersion,
        document: CreateDocument,
        request: Request = NOBODY,
    ) -> Written:
        """Have a resource made in the Collection at a location."""
        deadline = Deadline.after(self._deadline_s)
        self._holdings.must_have_owner(location, version, deadline)
        if location.type == "locatedVolume":
            self._must_be_free(location, document, version)
        order = self._orders(version).read(location, document)
        home = self._catalog.home_of(location)
        arguments = self._arguments(home, order, self._place(home, order))
        holds = [location.path] if location.tokens else []
        if home != location:
            arguments = child_of(location.path, arguments)
            # A place in the list: others may be taken meanwhile, and the owner stays until then.
            holds = [f"{location.path}/{new_token()}"]
        return self._submit(bodies.CREATE, Work("add", location.path), arguments, request, holds)

    def create_system(
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
        return self._submit(bodies.SYSTEM, work, arguments, request, [path], first=make, path=path)

    def _component(
        self, each: LiveComponent, version: CimiVersion, creation: Creation
    ) -> dict[str, Any]:
        orders = self._orders(version)
        orders.expect(creation.references.planned)
        at = Location(each.type, ((self._catalog.global_collection(each.type), None),))
        order = orders.read(at, CreateDocument(dict(each.own), dict(each.template)))
        made = child_of(each.listing, self._arguments(at, order, self._place(at, order)))
        return {**made, "placeholder": each.placeholder}

    def delete_tree(
        self, location: Location, live: Sequence[str], request: Request = NOBODY
    ) -> Written:
        """Have a System deleted with its children, those in WBEM servers first (5.10.2)."""
        work = Work("delete", location.path.rpartition("/")[0])
        arguments = {"path": location.path, "live": list(live)}
        holds = [location.path, *live]
        return self._submit(bodies.DELETE_TREE, work, arguments, request, holds, is_gone=True)

    def act_on_all(
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
        return self._submit(bodies.ACT_ON_ALL, work, arguments, request, holds)

    def take_image(
        self,
        of: Location,
        location: Location,
        version: CimiVersion,
        document: CreateDocument,
        request: Request = NOBODY,
        action: str | None = None,
    ) -> Written:
        """Have an image taken of a Machine or Volume (5.14.7.1, 5.15.8.1)."""
        name = action or ("capture" if document.values.get("type") == "IMAGE" else "snapshot")
        said = document.values
        kept: dict[str, Value] = {n: said[n] for n in ("description", "properties") if n in said}
        if "type" in self._catalog.model[location.type].attributes:
            kept["type"] = _type_of_image(name, document)
        now = self._must_allow(of, version, name)
        listing = f"{of.path}/{IMAGES[location.type]}"
        arguments = {
            "path": of.path,
            "action": name,
            "collection": location.path,
            "values": write_document({"name": document.values.get("name") or now.path}),
            "overlay": write_document(kept),
            "listings": [] if name == "capture" else [listing],
        }
        work = Work("add", location.path, [of.path])
        return self._submit(bodies.SNAPSHOT, work, arguments, request, [of.path])

    def change(
        self,
        location: Location,
        values: Mapping[str, Value],
        plan: UpdatePlan,
        request: Request = NOBODY,
    ) -> Written:
        """Have attributes written back; then the store keeps what a plan says."""
        gone = [name for name in plan.before if name not in plan.wanted]
        kept = {n: v for n, v in plan.wanted.items() if v != plan.before.get(n)}
        arguments = {
            "path": location.path,
            "values": write_document(values),
            "overlay": write_document(kept),
            "gone": gone,
            "parent": plan.parent.path if plan.parent is not None else None,
        }
        work = Work("edit", location.path)
        return self._submit(bodies.CHANGE, work, arguments, request, [location.path])

    def is_at_work_on(self, location: Location) -> bool:
        """Whether a Job that is not over has, or is to have, a resource to itself."""
        with self._store.reading() as reading:
            return self._jobs.holder(reading, location.path) is not None

    def delete(
        self,
        location: Location,
        version: CimiVersion,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Have a resource deleted."""
        deadline = Deadline.after(self._deadline_s)
        check(self._holdings.resource(location, version, None, deadline))
        work = Work("delete", location.path.rpartition("/")[0])
        arguments = {"path": location.path}
        return self._submit(bodies.DELETE, work, arguments, request, [location.path], is_gone=True)

    def act(
        self,
        location: Location,
        version: CimiVersion,
        name: str,
        parameters: Mapping[str, Value],
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Have an action carried out."""
        check(self._must_allow(location, version, name, is_checked=check is not no_check))
        work = Work(name, location.path)
        if name == bodies.RESTORE:
            image = self._orders(version).image_for(location, parameters["image"])
            arguments: dict[str, Any] = {
                "path": location.path, "image": image.path,
                "listing": f"{location.path}/{IMAGES[image.type]}",
            }  # fmt: skip
            return self._submit(bodies.RESTORE, work, arguments, request, [location.path])
        arguments = {
            "path": location.path,
            "action": name,
            "parameters": write_document(dict(parameters)),
        }
        return self._submit(ACT, work, arguments, request, [location.path])

    def stop_job(
        self,
        location: Location,
        check: Check,
        version: CimiVersion,
        request: Request = NOBODY,
    ) -> Written:
        """Have a Job stopped (5.17.1.1); it is the Job itself that tells how that goes."""
        deadline = Deadline.after(self._deadline_s)
        check(self._holdings.resource(location, version, None, deadline))
        with self._store.writing() as writing:
            if self._jobs.earlier(writing, request) is None:
                self._jobs.stop(writing, location.path)
                self._jobs.remember(writing, request, location.path)
        return Written(location.path, is_done=self._jobs.wait(location.path, self._wait_s))

    def delete_job(
        self,
        location: Location,
        check: Check,
        version: CimiVersion,
        request: Request = NOBODY,
    ) -> Written:
        """Delete a Job; one that runs is stopped first (5.17.1.1)."""
        deadline = Deadline.after(self._deadline_s)
        check(self._holdings.resource(location, version, None, deadline))
        with self._store.writing() as writing:
            is_gone = self._jobs.delete(writing, location.path)
            job = record(writing, Work("delete", "jobs"))
            self._jobs.remember(writing, request, job)
        return Written(job, is_done=is_gone)

    def disconnect(
        self, location: Location, document: MembershipDocument, request: Request = NOBODY
    ) -> Written:
        """Have a Volume disconnected from the Machine whose `volumes` are at a location."""
        deadline = Deadline.after(self._deadline_s)
        for item in self._engine.read_collection(location, None, deadline).items:
            volume = item.values.get("volume")
            if document.item.path in (item.path, getattr(volume, "path", None)):
                work = Work("remove", location.path, [document.item.path])
                arguments = {"path": item.path}
                return self._submit(
                    bodies.DELETE, work, arguments, request, [item.path], is_gone=True
                )
        raise BadRequest(f"{document.item.path} is not in {location.path}", reason="not-listed")

    def _orders(self, version: CimiVersion) -> Orders:
        return Orders(self._holdings, self._engine, version, Deadline.after(self._deadline_s))

    def _must_be_free(
        self, location: Location, document: CreateDocument, version: CimiVersion
    ) -> None:
        if not isinstance(document.values.get("volume"), Ref):
            raise BadRequest("volume must refer to a Volume", reason="missing-attribute")

    def _must_allow(
        self, location: Location, version: CimiVersion, name: str, *, is_checked: bool = False
    ) -> Resource:
        """Return the resource, if its state allows an operation. Raises `ConflictError`."""
        if not self._engine.maps(location.type, name):
            raise NotFound(
                f"no {location.type} offers {name[:40]} here; read its operations for those it has",
                reason="action-not-offered",
            )
        wanted = None if is_checked else frozenset({"state", "operations"})
        deadline = Deadline.after(self._deadline_s)
        now = self._holdings.resource(location, version, wanted, deadline)
        if name not in {offer.name for offer in now.operations if offer.available}:
            state = now.values.get("state")
            raise ConflictError(
                f"the {location.type} is {state}, and does not take {name} now; read its"
                " operations for what it takes",
                reason="state-forbids",
            )
        return now

    def _place(self, location: Location, order: Order) -> str | None:
        """The target for what is ordered; None where what it refers to is to tell it later.

        Raises `BadRequest` where none fits, and `ProviderUnavailable` where it is down.
        """
        if location.tokens:
            return None  # it goes where its owner is
        paths = set(targets_of(order.values))
        waiting = {path for path in paths if is_pending(path)}
        if waiting and order.wish == ANYWHERE:
            return None
        deadline = Deadline.after(self._deadline_s)
        return self._engine.place(location.type, paths - waiting, order.wish, deadline)

    def _arguments(self, location: Location, order: Order, target: str | None) -> dict[str, Any]:
        return {
            "target": target,
            "collection": location.path,
            "values": write_document(order.values),
            "overlay": write_document(order.overlay),
            "state": order.state,
            "parts": write_document(dict(order.parts)),
            "subnetworks": [
                self._arguments(location, inner, target) for inner in order.subnetworks
            ],
            "volumes": [
                {
                    "values": write_document(values),
                    "overlay": write_document(kept),
                    "location": at,
                    "target": target,
                }
                for values, kept, at in order.volumes
            ],
        }

    def _submit(
        self,
        kind: str,
        work: Work,
        arguments: Mapping[str, Any],
        request: Request,
        holds: Sequence[str],
        *,
        is_gone: bool = False,
        first: Callable[[Writing], None] = lambda writing: None,
        path: str | None = None,
    ) -> Written:
        """Submit a Job, after `first` in the same transaction, and wait for it a moment.

        It has what it `holds` to itself, and waits for the Jobs that do before it.
        `path` is that of what is there as soon as the Job is.
        """
        with self._store.writing() as writing:
            if self._jobs.earlier(writing, request) is None:
                first(writing)
            job = self._jobs.submit(writing, kind, work, arguments, request, holds)
        if not self._jobs.wait(job, self._wait_s):
            return Written(job, None, is_done=False)
        with self._store.reading() as reading:
            failure = self._jobs.failure(reading, job)
            found = reading.find(job) if not is_gone else None
        if failure is not None:
            raise failure
        made = None if found is None else made_by(self._catalog, found.resource)
        return Written(job, made, is_done=True)


def _type_of_image(action: str, document: CreateDocument) -> str:
    """The type of an image that an action makes of a Machine. Raises `BadRequest`."""
    made = TYPES[action]
    if document.values.get("type", made) != made:
        raise BadRequest(
            f"type is {document.values['type']}, and {action} makes a {made}; others are not taken"
            " of Machines here",
            reason="not-supported",
        )
    return made
