"""Creating, changing and deleting what the store keeps; each request in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cimi_cim.errors import BadRequest, ConflictError
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.attempts import Overtaken, attempt
from cimi_cim.service.catalog import ENTRY_POINT, METADATA
from cimi_cim.service.creation import Creation
from cimi_cim.service.events import tell_change, tell_state
from cimi_cim.service.holdings import Holdings, missing
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.membership import Membership
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.referring import References
from cimi_cim.service.repeats import Change, Repeats
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from cimi_cim.service.unseen import Unseen
from cimi_cim.service.update_plans import Seen, UpdatePlans, seen_at
from cimi_cim.service.updating import Update
from cimi_cim.wbem.deadline import Deadline


class Writer:
    """Changes things for a client; one per bridge.

    Requests are planned outside of transactions, and planned again if another request came
    between (`attempts`): a slow WBEM server keeps no one else waiting.
    """

    def __init__(
        self, holdings: Holdings, store: Store, repeats: Repeats, *, deadline_s: float = 30
    ) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._membership = Membership(holdings.catalog)
        self._store = store
        self._once = repeats.once
        self.plans = UpdatePlans(holdings, self._membership)
        self._deadline_s = deadline_s

    def create(
        self,
        location: Location,
        version: CimiVersion,
        document: CreateDocument,
        request: Request = NOBODY,
    ) -> Written:
        """Create a resource in the Collection at a location, which must take "add".

        Raises `BadRequest` for a document that does not fit, `NotFound` for a Collection in
        a resource that does not exist, `ConflictError` for what belongs elsewhere already.
        """
        if self._catalog.is_join(location.type):
            return self.insert(location, version, self._joined(location, document), request)
        if location.type == METADATA:
            return self._add_metadata(location, version, document, request)
        deadline = Deadline.after(self._deadline_s)

        def plan() -> Change:
            creation = Creation(self._holdings, version, deadline)
            path = creation.plan(location, document)

            def change(writing: Writing) -> Written:
                creation.make(writing)
                return Written(record(writing, Work("add", location.path, creation.made)), path)

            return self._once(request, change)

        return attempt(self._store, deadline, plan)

    def update(
        self,
        location: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
        selected: frozenset[str] | None = None,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Give a resource the attributes of a document (DSP0263 4.2.1.3).

        With `selected` only these are replaced, and no others may be in the document; what
        is read-only is left as it is. Raises `NotFound`, `BadRequest`, and what `check` does.
        """
        deadline = Deadline.after(self._deadline_s)
        model = self._catalog.model
        update = Update(model[location.type], Unseen(model, version), values, selected)
        update.must_be_selected()
        if location.type == METADATA:
            return self._edit_metadata(location, update, check, deadline, request)
        return attempt(
            self._store,
            deadline,
            lambda: self._once(request, self._plan_update(location, update, check, deadline)),
        )

    def delete(
        self,
        location: Location,
        version: CimiVersion,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Delete a resource and its children; references to them vanish (5.10).

        A join of 1.x takes the resource off the list. Raises `NotFound`, `ConflictError` for
        children that only their WBEM server could delete, and what `check` does.
        """
        deadline = Deadline.after(self._deadline_s)

        def plan() -> Change:
            seen = self._seen(location)
            check(self._holdings.resource(location, version, None, deadline))
            gone = self._gone_children(location, deadline)

            def change(writing: Writing) -> Written:
                _must_be_as(seen, location, writing)
                if self._catalog.is_join(location.type):
                    return self._leave(writing, location)
                _remove(writing, location.path, gone)
                return Written(record(writing, Work("delete", location.path.rpartition("/")[0])))

            return self._once(request, change)

        return attempt(self._store, deadline, plan)

    def insert(
        self,
        location: Location,
        version: CimiVersion,
        document: MembershipDocument,
        request: Request = NOBODY,
    ) -> Written:
        """List an existing resource in a Collection (5.5.12.2).

        Raises `BadRequest` for what does not exist, or does not belong there, and
        `ConflictError` for what is listed already.
        """
        deadline = Deadline.after(self._deadline_s)

        def plan() -> Change:
            references = References(self._holdings, version, deadline)
            references.must_have_owner(location)
            member = references.existing(document.item, {self._catalog.item_type(location)}).path
            with self._store.reading() as reading:
                accessory = self._holdings.constraints.check_item(
                    reading, location, version, document.accessory
                )

            def change(writing: Writing) -> Written:
                references.must_still_lead(writing)
                self._membership.put(writing, location.path, member, accessory)
                job = record(writing, Work("insert", location.path, [member]))
                return Written(job, f"{location.path}/{member.rpartition('/')[2]}")

            return self._once(request, change)

        return attempt(self._store, deadline, plan)

    def remove(
        self,
        location: Location,
        version: CimiVersion,
        document: MembershipDocument,
        request: Request = NOBODY,
    ) -> Written:
        """Take a resource off a Collection's list, without deleting it (5.5.12.3)."""
        deadline = Deadline.after(self._deadline_s)
        self._holdings.must_have_owner(location, version, deadline)
        member = document.item.url or document.item.path

        def change(writing: Writing) -> Written:
            self._membership.take_out(writing, location.path, member)
            return Written(record(writing, Work("remove", location.path, [member])))

        with self._store.writing() as writing:
            return self._once(request, change)(writing)

    def change_state(
        self,
        location: Location,
        version: CimiVersion,
        name: str,
        check: Check = no_check,
        request: Request = NOBODY,
    ) -> Written:
        """Carry out an action that only changes the state that the store keeps.

        Raises `NotFound`, `ConflictError` if the state forbids it, and what `check` does.
        """
        deadline = Deadline.after(self._deadline_s)
        action = self._catalog.model[location.type].actions[name]

        def plan() -> Change:
            seen = self._seen(location)
            check(self._holdings.resource(location, version, None, deadline))

            def change(writing: Writing) -> Written:
                _must_be_as(seen, location, writing)
                before, state = writing.kept(location.path).get("state"), action.target_state
                if before not in action.from_states:
                    raise ConflictError(
                        f"the state is {before}; {name} needs {' or '.join(action.from_states)}",
                        reason="state-forbids",
                    )
                writing.amend(location.path, {"state": state})
                tell_state(writing, location.path, location.type, str(state), before)
                return Written(record(writing, Work(name, location.path)), location.path)

            return self._once(request, change)

        return attempt(self._store, deadline, plan)

    def _add_metadata(
        self, location: Location, version: CimiVersion, document: CreateDocument, request: Request
    ) -> Written:
        def change(writing: Writing) -> Written:
            path = self._holdings.metadata.add(writing, version, document.values)
            return Written(record(writing, Work("add", location.path, [path])), path)

        with self._store.writing() as writing:
            return self._once(request, change)(writing)

    def _edit_metadata(
        self,
        location: Location,
        update: Update,
        check: Check,
        deadline: Deadline,
        request: Request,
    ) -> Written:
        def change(writing: Writing) -> Written:
            check(self._holdings.resource(location, update.version, None, deadline))
            self._holdings.metadata.edit(
                writing, location, update.version, update.said, update.selected
            )
            return Written(record(writing, Work("edit", location.path)), location.path)

        with self._store.writing() as writing:
            return self._once(request, change)(writing)

    def _plan_update(
        self, location: Location, update: Update, check: Check, deadline: Deadline
    ) -> Change:
        plan = self.plans.plan(location, update, check, deadline)

        def change(writing: Writing) -> Written:
            _must_be_as(plan.seen, location, writing)
            plan.references.must_still_lead(writing)
            if plan.wanted != plan.before:
                _keep(writing, location, plan.wanted)
                self._membership.follow(
                    writing, location.type, location.path, plan.before, plan.wanted
                )
                tell_change(writing, location.path, location.type, "update", plan.wanted)
            if plan.parent is not None:
                self._membership.adopt(writing, plan.parent, location.path)
            return Written(record(writing, Work("edit", location.path)), location.path)

        return change

    def _seen(self, location: Location) -> Seen:
        with self._store.reading() as reading:
            return seen_at(reading, location)

    def _gone_children(self, location: Location, deadline: Deadline) -> set[str]:
        """Children that their WBEM servers do not have any more: they keep nobody."""
        with self._store.reading() as reading:
            children = reading.dependents(location.path)
            live = set(children) - reading.present(children)
        located = {path: self._holdings.locate(path, CimiVersion.V2) for path in live}
        return {
            path
            for path, at in located.items()
            if at is None or not self._holdings.exists(at, CimiVersion.V2, deadline)
        }

    def _joined(self, location: Location, document: CreateDocument) -> MembershipDocument:
        """What the document of a join of 1.x says: which resource to list, and how."""
        refers_to = self._catalog.model[location.type].refers_to or ""
        item = document.values.get(refers_to)
        if not isinstance(item, Ref):
            raise BadRequest(f"{refers_to} must refer to what is to be listed",
                             reason="missing-attribute")  # fmt: skip
        accessory = {n: v for n, v in document.values.items() if n != refers_to}
        return MembershipDocument(item, accessory)

    def _leave(self, writing: Writing, location: Location) -> Written:
        """Take the resource that a join is about off the list."""
        collection, _, token = location.path.rpartition("/")
        for row in writing.listed(collection):
            if row.member.rpartition("/")[2] == token:
                self._membership.take_out(writing, collection, row.member)
                return Written(record(writing, Work("remove", collection, [row.member])))
        raise missing(location)


def _must_be_as(seen: Seen, location: Location, writing: Writing) -> None:
    """Raise `Overtaken` unless the store has of a resource what it had."""
    if seen_at(writing, location) != seen:
        raise Overtaken


def _keep(writing: Writing, location: Location, wanted: Mapping[str, Value]) -> None:
    if writing.find(location.path) is not None:
        writing.replace(location.path, wanted)
    else:
        writing.set_overlay(location.path or ENTRY_POINT, wanted)


def _remove(writing: Writing, path: str, gone: Collection[str]) -> None:
    dependents = writing.dependents(path)
    elsewhere = set(dependents) - writing.present(dependents) - set(gone)
    if elsewhere:
        raise ConflictError(
            f"{min(elsewhere)} is a child of it, and cannot be deleted here; remove it first",
            reason="has-children",
        )
    writing.remove(*dependents, path)
