"""Has WBEM servers make, change, delete and act, each as a durable Job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cimi_cim.errors import BadRequest, ConflictError, NotFound
from cimi_cim.mapping.results import Engine
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.images import TYPES
from cimi_cim.service.jobs.asking import NOBODY, Jobs, Request
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.provision import kinds
from cimi_cim.service.provision.nesting import child_of
from cimi_cim.service.provision.ordering import Ordering
from cimi_cim.service.provision.submitting import Submitting
from cimi_cim.service.provision.systems import Systems
from cimi_cim.service.store.documents import write_document
from cimi_cim.service.store.writing import new_token
from cimi_cim.service.update_plans import UpdatePlan
from cimi_cim.wbem.deadline import Deadline

Find = Callable[[str], Location | None]
"""Where an absolute URI of this provider leads, None if it is none."""

IMAGES = {"MachineImage": "snapshots", "VolumeImage": "images"}
"""The Collection of the Machine or Volume that lists the images taken of it."""


class Provisioner:
    """Use cases on what lives in WBEM servers; one per bridge.

    Those on Jobs are in `jobs`, those on whole Systems in `systems`.
    `wait_s` is how long a request waits for its Job before it answers that it runs on.
    """

    def __init__(
        self,
        holdings: Holdings,
        engine: Engine,
        jobs: Jobs,
        *,
        deadline_s: float = 30,
        wait_s: float = 0.5,
    ) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._engine = engine
        self._deadline_s = deadline_s
        self._ordering = Ordering(holdings, engine, deadline_s)
        self.jobs = Submitting(holdings, jobs, deadline_s, wait_s)
        self.systems = Systems(holdings.catalog, self._ordering, self.jobs)

    def takes_image(
        self, location: Location, version: CimiVersion, document: CreateDocument, find: Find
    ) -> Location | None:
        """Return what an image is to be taken from, None where the store keeps the new one."""
        if location.type not in IMAGES:
            return None
        return self._ordering.orders(version).image_of(location, document, find)

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
        order = self._ordering.orders(version).read(location, document)
        home = self._catalog.home_of(location)
        arguments = self._ordering.arguments(home, order)
        holds = [location.path] if location.tokens else []
        if home != location:
            arguments = child_of(location.path, arguments)
            # A place in the list: others may be taken meanwhile, and the owner stays until then.
            holds = [f"{location.path}/{new_token()}"]
        return self.jobs.submit(kinds.CREATE, Work("add", location.path), arguments, request, holds)

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
        return self.jobs.submit(kinds.SNAPSHOT, work, arguments, request, [of.path])

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
        return self.jobs.submit(kinds.CHANGE, work, arguments, request, [location.path])

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
        return self.jobs.submit(
            kinds.DELETE, work, arguments, request, [location.path], is_gone=True
        )

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
        if name == kinds.RESTORE:
            image = self._ordering.orders(version).image_for(location, parameters["image"])
            arguments: dict[str, Any] = {
                "path": location.path, "image": image.path,
                "listing": f"{location.path}/{IMAGES[image.type]}",
            }  # fmt: skip
            return self.jobs.submit(kinds.RESTORE, work, arguments, request, [location.path])
        arguments = {
            "path": location.path,
            "action": name,
            "parameters": write_document(dict(parameters)),
        }
        return self.jobs.submit(kinds.ACT, work, arguments, request, [location.path])

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
                return self.jobs.submit(
                    kinds.DELETE, work, arguments, request, [item.path], is_gone=True
                )
        raise BadRequest(f"{document.item.path} is not in {location.path}", reason="not-listed")

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
