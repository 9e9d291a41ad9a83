"""The bodies of Jobs that have WBEM servers make, change and delete things.

Arguments are JSON: values stand in the form of `store.documents`, locations as neutral paths.
Kinds and arguments outlive the program (see `jobs.bodies.Kinds`): change them with care.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cimi_cim.errors import ConflictError, NotFound
from cimi_cim.mapping.results import Engine
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.creation import Creation
from cimi_cim.service.events import tell_change, tell_state
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.images import RELATED, last_of, went_back
from cimi_cim.service.jobs.bodies import Child, JobContext, Json, Kinds
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.membership import Membership
from cimi_cim.service.provision.kinds import (
    ACT,
    CHANGE,
    CHANGE_BACK,
    CREATE,
    DELETE,
    RESTORE,
    SNAPSHOT,
    UNMAKE,
)
from cimi_cim.service.provision.nesting import acting, child_of, made_by, must_have_made
from cimi_cim.service.provision.run import JobRun
from cimi_cim.service.provision.trees import Trees, forget_all
from cimi_cim.service.recursion import bring_along, components_of, has_components
from cimi_cim.service.store.documents import read_document, write_document
from cimi_cim.service.store.writing import Writing
from cimi_cim.wbem.deadline import Deadline

STATE_ACTIONS = {
    "STARTED": ("start",), "PAUSED": ("start", "pause"), "SUSPENDED": ("start", "suspend"),
    "STOPPED": (), "ENABLED": ("enable",), "DISABLED": ("disable",),
}  # fmt: skip
"""The actions that bring a new resource to a state (5.14.3, 5.16.14.1)."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """All bodies over one engine. `deadline_s` bounds each WBEM operation."""

    holdings: Holdings
    engine: Engine
    deadline_s: float = 30

    def register(self, kinds: Kinds) -> None:
        """Make the bodies known."""
        kinds.register(CREATE, self.create)
        kinds.register(DELETE, self.delete, can_stop=False)
        kinds.register(UNMAKE, self.unmake, can_stop=False)
        kinds.register(CHANGE, self.change)
        kinds.register(CHANGE_BACK, self.change_back, can_stop=False)
        kinds.register(ACT, self.act)
        kinds.register(SNAPSHOT, self.snapshot)
        kinds.register(RESTORE, self.restore)
        Trees(self.holdings).register(kinds)

    def create(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Make a resource, and all that goes with it.

        Arguments: `collection`; `values`, the variables of the mapping; `overlay`, what the
        store keeps of it; `state`, which to bring it to; `volumes`, Volumes to make first and
        to connect: `{values, location}`; `listing`, a Collection to list it in; `target`, the
        alias of the WBEM server to make it on.
        """
        values = read_document(arguments["values"])
        made = self._make_volumes(context, arguments.get("volumes", []))
        values["volumes"] = [*values.get("volumes", []), *made]
        at = self._at(str(arguments["collection"]))
        token = context.job.rpartition("/")[2]
        target = arguments.get("target")
        undone = {"collection": at.path, "job": context.job, "target": target}
        context.undo("made", UNMAKE, undone, f"delete the new {at.type}")
        run = JobRun(context, self.deadline_s, "make.", (10, 80))
        path = self.engine.create(at, values, token, run, target)
        context.affected(path)
        overlay = read_document(arguments.get("overlay", "{}"))
        wanted = read_document(arguments.get("parts", "{}"))
        parts = Creation(self.holdings, CimiVersion.V2, Deadline.after(self.deadline_s))
        if wanted:
            parts.plan_parts(at.type, path, wanted)

        def keep(writing: Writing) -> None:
            self._keep(writing, path, at, arguments, overlay)
            if wanted:
                parts.make(writing)

        context.also("kept", keep)
        self._make_subnetworks(context, path, arguments.get("subnetworks", []))
        self._bring_to(context, path, arguments.get("state"))

    def _make_volumes(self, context: JobContext, wanted: list[Any]) -> list[dict[str, Value]]:
        """Make the Volumes of a template, each in a Job of its own."""
        if not wanted:
            return []
        children = [
            Child(f"volume.{n}", CREATE, Work("add", "volumes"),
                  {"collection": "volumes", "values": one["values"],
                   "overlay": one.get("overlay", "{}"), "target": one.get("target")})
            for n, one in enumerate(wanted)
        ]  # fmt: skip
        ended = context.nested(children)
        paths = [must_have_made(self.holdings.store, child.job, "volumes") for child in ended]
        return [
            {"volume": Ref(path), "initialLocation": one.get("location")}
            for path, one in zip(paths, wanted, strict=True)
        ]

    def _make_subnetworks(self, context: JobContext, path: str, wanted: list[Any]) -> None:
        """Make the Networks inside of a new one, as its children, each in a Job of its own."""
        listing = f"{path}/subnetworks"
        children = [
            Child(f"subnetwork.{n}", CREATE, Work("add", listing), child_of(listing, one))
            for n, one in enumerate(wanted)
        ]
        if children:
            context.nested(children)

    def _keep(
        self,
        writing: Writing,
        path: str,
        at: Location,
        arguments: Mapping[str, Json],
        overlay: Mapping[str, Value],
    ) -> None:
        if overlay:
            writing.set_overlay(path, {**writing.overlay(path), **overlay})
        for listing in arguments.get("listings", []):
            writing.list_in(str(listing), path)
        tell_change(writing, path, at.type, "create", overlay)

    def _bring_to(self, context: JobContext, path: str, state: Json) -> None:
        at = self._at(path)
        names = STATE_ACTIONS.get(str(state), ())
        if not names:
            return
        context.secure()  # while it is brought there it shows that it is made, and is this Job's
        if context.seen("state", lambda: self._state_of(at)) == state:
            return
        for name in names:
            run = JobRun(context, self.deadline_s, f"{name}.", (80, 99))
            self.engine.perform(at, name, {}, run)

    def _state_of(self, at: Location) -> str | None:
        deadline = Deadline.after(self.deadline_s)
        state = self.engine.read(at, frozenset({"state"}), deadline).values.get("state")
        return None if state is None else str(state)

    def unmake(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Delete what a Job made, if it made anything. Arguments: `collection`, `job`.

        It is found by what the Job says that it affected, else by the outcomes of its calls,
        else by the Job's token.
        """
        collection, job = str(arguments["collection"]), str(arguments["job"])
        calls = context.outcomes(job)
        for intent, outcome in calls:
            if outcome.job is not None:  # what it is still at work on would come later
                run = JobRun(context, self.deadline_s, f"give-up.{job}.")
                self.engine.give_up(intent.target, outcome.job, run)
        path = made_by(self.holdings.store, job, collection)
        if path is None:
            at, run = (
                self._at(collection),
                JobRun(context, self.deadline_s, f"unmake.{job}."),
            )
            told = (self.engine.made_by(at, i.target, outcome, run) for i, outcome in calls)
            path = next((each for each in told if each is not None), None)
            token, target = job.rpartition("/")[2], arguments.get("target")
            path = path or self.engine.found(at, token, run, target)
        if path is None:
            return
        context.hold([path])  # somebody may have found it, and be at work on it
        at = self._at(path)
        if self.engine.maps(at.type, DELETE):
            self._delete(context, at, f"unmake.{job}.")
        context.write(f"unkept.{job}", lambda writing: forget_all(writing, at.path))

    def delete(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Delete a resource, its parts and what the store keeps of it. Arguments: `path`."""
        at = self._at(str(arguments["path"]))
        self._delete(context, at, "delete.")
        context.also("gone", lambda writing: forget_all(writing, at.path))

    def _delete(self, context: JobContext, at: Location, prefix: str) -> None:
        try:
            self.engine.delete(at, JobRun(context, self.deadline_s, prefix, (5, 95)))
        except NotFound:
            return  # it is gone, and that was wanted

    def change(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Write attributes back, all or none, then keep what the store is to have.

        Arguments: `path`, `values`; of what the store keeps `overlay`, which is new, and
        `gone`, the names that it has no more; `parent`, a Collection to be listed in.
        """
        at = self._at(str(arguments["path"]))
        values = read_document(arguments["values"])
        before = context.seen("before", lambda: self._before(at, values))
        undone = {"path": at.path, "values": before}
        context.undo("changed", CHANGE_BACK, undone, f"give {at.path} back what it had")
        written = self.engine.change(at, values, JobRun(context, self.deadline_s, "change."))
        overlay = read_document(arguments.get("overlay", "{}"))
        gone, parent = arguments.get("gone", []), arguments.get("parent")

        def keep(writing: Writing) -> None:
            old = {n: v for n, v in writing.overlay(at.path).items() if n not in gone}
            if overlay or gone:
                writing.set_overlay(at.path, {**old, **overlay})
            if parent is not None:
                Membership(self.holdings.catalog).adopt(writing, self._at(str(parent)), at.path)
            tell_change(writing, at.path, at.type, "update", {**values, **overlay})

        context.also("told", keep)
        context.progress(99, f"changed {', '.join(written)}" if written else None)

    def _before(self, at: Location, values: Mapping[str, Value]) -> str:
        """The attributes as they are, as JSON."""
        deadline = Deadline.after(self.deadline_s)
        now = self.engine.read(at, frozenset(values), deadline).values
        return write_document({name: now[name] for name in values if name in now})

    def change_back(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Write back what a resource had before a change. Arguments: `path`, `values`."""
        at = self._at(str(arguments["path"]))
        values = read_document(arguments["values"])
        self.engine.change(at, values, JobRun(context, self.deadline_s, "change-back."))

    def act(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Carry out an action to its end. Arguments: `path`, `action`, `parameters`."""
        at, name = self._at(str(arguments["path"])), str(arguments["action"])
        parameters = read_document(arguments.get("parameters", "{}"))
        self.engine.perform(at, name, parameters, JobRun(context, self.deadline_s, "act."))
        catalog = self.holdings.catalog
        state = catalog.model[at.type].actions[name].target_state

        def tell(writing: Writing) -> None:
            if state is not None:
                tell_state(writing, at.path, at.type, state)
                bring_along(writing, catalog, at, name)

        context.also("told", tell)
        if has_components(catalog, at.type):
            inner = context.seen("inner", lambda: self._taking(at, name))
            if inner:
                context.hold(inner)
                context.nested([acting(path, name, arguments) for path in inner])

    def _taking(self, at: Location, name: str) -> list[str]:
        """The components of the same type, subnetworks of a Network, that take an action now."""
        with self.holdings.store.reading() as reading:
            found = list(components_of(reading, self.holdings.catalog, at))
        deadline, taking = Deadline.after(self.deadline_s), []
        for part in found:
            if part.type == at.type:
                with suppress(NotFound):
                    now = self.engine.read(part, frozenset({"operations"}), deadline)
                    taking += [part.path] if name in {o.name for o in now.operations} else []
        return taking

    def snapshot(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Take an image of a Machine or Volume.

        Arguments: `path`, `action` ("snapshot" or "capture"), `collection` of the new image,
        `values`, `overlay`, `listings`.
        """
        of, images = (
            self._at(str(arguments["path"])),
            self._at(str(arguments["collection"])),
        )
        values = read_document(arguments["values"])
        undone = {"collection": images.path, "job": context.job}
        context.undo("taken", UNMAKE, undone, f"delete the new {images.type}")
        run = JobRun(context, self.deadline_s, "take.")
        made = self.engine.perform(of, str(arguments["action"]), values, run).made
        if made is None:
            raise ConflictError(
                "the provider took the snapshot without saying which it is; list the images",
                reason="not-found-again",
            )
        path = self.engine.path_of(images, of, made, run)
        context.affected(path)
        overlay = read_document(arguments.get("overlay", "{}"))

        rows = self.holdings.catalog.model[images.type].attributes

        def keep(writing: Writing) -> None:
            for listing in arguments.get("listings", []):
                before = last_of(writing, str(listing))
                if before is not None and RELATED in rows:
                    overlay[RELATED] = before
            self._keep(writing, path, images, arguments, overlay)

        context.also("kept", keep)

    def restore(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Bring a Machine or Volume back to an image.

        Arguments: `path`, `image`; `listing`, the Collection of its images.
        """
        at = self._at(str(arguments["path"]))
        image = Ref(str(arguments["image"]))
        run = JobRun(context, self.deadline_s, "restore.")
        self.engine.perform(at, RESTORE, {"image": image}, run)
        listing = arguments.get("listing")
        if listing is not None:
            context.also("back", lambda writing: went_back(writing, str(listing), image.path))

    def _at(self, path: str) -> Location:
        return self.holdings.catalog.at(path)
