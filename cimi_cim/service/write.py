"""Creating, changing and deleting what the store keeps; each request in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.errors import BadRequest, ConflictError, NotFound
from cimi_cim.model.documents import CreateDocument, MembershipDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, ResourceType
from cimi_cim.service.catalog import ENTRY_POINT
from cimi_cim.service.checks import check_values
from cimi_cim.service.creation import Creation
from cimi_cim.service.events import tell_change, tell_state
from cimi_cim.service.holdings import Holdings, missing
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.outcome import Check, Written, no_check
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from cimi_cim.service.unseen import Unseen
from cimi_cim.wbem.deadline import Deadline

KEPT_FOR_LIVE = frozenset({"name", "description", "properties", "parent"})
"""What the store keeps of a resource that lives in a WBEM server."""


class Writer:
    """Changes things for a client; one per bridge."""

    def __init__(self, holdings: Holdings, store: Store, *, deadline_s: float = 30) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._store = store
        self._deadline_s = deadline_s

    def create(self, location: Location, version: CimiVersion, document: CreateDocument) -> Written:
        """Create a resource in the Collection at a location, which must take "add".

        Raises `BadRequest` for a document that does not fit, `NotFound` for a Collection in
        a resource that does not exist.
        """
        if self._catalog.is_join(location.type):
            refers_to = self._catalog.model[location.type].refers_to or ""
            item = document.values.get(refers_to)
            if not isinstance(item, Ref):
                raise BadRequest(f"{refers_to} must refer to what is to be listed",
                                 reason="missing-attribute")  # fmt: skip
            accessory = {n: v for n, v in document.values.items() if n != refers_to}
            return self.insert(location, version, MembershipDocument(item, accessory))
        deadline = Deadline.after(self._deadline_s)
        self._holdings.must_have_owner(location, version, deadline)
        creation = Creation(self._holdings, version, deadline)
        with self._store.writing() as writing:
            path = creation.create(writing, location, document)
            job = record(writing, Work("add", location.path, creation.made))
        return Written(job, path)

    def update(
        self,
        location: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
        selected: frozenset[str] | None = None,
        check: Check = no_check,
    ) -> Written:
        """Give a resource the attributes of a document (DSP0263 4.2.1.3).

        With `selected` only these are replaced, and no others may be in the document; what
        is read-only is left as it is. Raises `NotFound`, `BadRequest`, and what `check` does.
        """
        deadline = Deadline.after(self._deadline_s)
        resource = self._catalog.model[location.type]
        _must_be_selected(resource, version, values, selected)
        with self._store.writing() as writing:
            now = self._holdings.resource(location, version, None, deadline)
            check(now)
            stored = writing.find(location.path)
            if stored is not None:
                wanted = self._updated(resource, stored.resource.values, values, selected, version)
                self._check(resource, version, wanted, stored.resource.values, deadline)
                if wanted != stored.resource.values:
                    writing.replace(location.path, wanted)
            else:
                self._overlay(writing, location, version, values, selected, deadline)
            tell_change(writing, location.path, location.type, "update", now.values)
            job = record(writing, Work("edit", location.path))
        return Written(job, location.path)

    def delete(self, location: Location, version: CimiVersion, check: Check = no_check) -> Written:
        """Delete a resource and its children; references to them vanish (5.10).

        A join of 1.x takes the resource off the list. Raises `NotFound`, `ConflictError` for
        children that only their WBEM server could delete, and what `check` does.
        """
        deadline = Deadline.after(self._deadline_s)
        with self._store.writing() as writing:
            check(self._holdings.resource(location, version, None, deadline))
            if self._catalog.is_join(location.type):
                collection = location.path.rpartition("/")[0]
                member = self._member_at(writing, collection, location.tokens[-1])
                _unlist(writing, collection, member)
                job = record(writing, Work("remove", collection, [member]))
            else:
                self._remove(writing, location.path)
                job = record(writing, Work("delete", location.path.rpartition("/")[0]))
        return Written(job)

    def insert(
        self, location: Location, version: CimiVersion, document: MembershipDocument
    ) -> Written:
        """List an existing resource in a Collection (5.5.12.2).

        Raises `BadRequest` for what does not exist, or does not belong there, and
        `ConflictError` for what is listed already.
        """
        deadline = Deadline.after(self._deadline_s)
        self._holdings.must_have_owner(location, version, deadline)
        wanted = location.type
        if self._catalog.is_join(wanted):
            wanted = self._catalog.joined_type(wanted)
        member = Creation(self._holdings, version, deadline).existing(document.item, wanted)
        with self._store.writing() as writing:
            if not writing.list_in(location.path, member, document.accessory):
                raise ConflictError(f"{member} is in {location.path} already",
                                    reason="already-listed")  # fmt: skip
            job = record(writing, Work("insert", location.path, [member]))
        return Written(job, f"{location.path}/{member.rpartition('/')[2]}")

    def remove(
        self, location: Location, version: CimiVersion, document: MembershipDocument
    ) -> Written:
        """Take a resource off a Collection's list, without deleting it (5.5.12.3)."""
        deadline = Deadline.after(self._deadline_s)
        self._holdings.must_have_owner(location, version, deadline)
        member = document.item.path
        with self._store.writing() as writing:
            _unlist(writing, location.path, member)
            job = record(writing, Work("remove", location.path, [member]))
        return Written(job)

    def change_state(self, location: Location, version: CimiVersion, name: str) -> Written:
        """Carry out an action that only changes the state that the store keeps.

        Raises `ConflictError` if the state forbids it.
        """
        action = self._catalog.model[location.type].actions[name]
        with self._store.writing() as writing:
            stored = writing.find(location.path)
            if stored is None:
                raise missing(location)
            values = stored.resource.values
            if values.get("state") not in action.from_states:
                raise ConflictError(
                    f"the state is {values.get('state')}; {name} needs"
                    f" {' or '.join(action.from_states)}",
                    reason="state-forbids",
                )
            # `updated` tells of changed attributes, not of actions (Table 5)
            writing.replace(location.path, {**values, "state": action.target_state},
                            updated=values["updated"])  # fmt: skip
            tell_state(
                writing, location.path, location.type, str(action.target_state), values["state"]
            )
            job = record(writing, Work(name, location.path))
        return Written(job, location.path)

    def _check(
        self,
        resource: ResourceType,
        version: CimiVersion,
        wanted: Mapping[str, Value],
        before: Mapping[str, Value],
        deadline: Deadline,
        *,
        is_whole: bool = True,
    ) -> None:
        """Hold what a resource would become against the tables; what it is stays allowed.

        Of what lives in a WBEM server the store keeps only a part: it is not whole.
        """
        changed = {n: v for n, v in wanted.items() if v != before.get(n)}
        check_values(resource, version, changed, is_whole=False)
        if is_whole:
            check_values(resource, version, wanted, is_whole=True)
        Creation(self._holdings, version, deadline).check_references(resource, changed)

    def _updated(
        self,
        resource: ResourceType,
        before: Mapping[str, Value],
        said: Mapping[str, Value],
        selected: frozenset[str] | None,
        version: CimiVersion,
    ) -> dict[str, Value]:
        """Return the attributes after an update; what the client cannot see stays."""
        unseen = Unseen(self._catalog.model, version)
        wanted = dict(before)
        for row in resource.attributes.values():
            is_meant = selected is None or row.name in selected
            if not (is_meant and _may_change(row, version)):
                continue
            value = said.get(row.name)
            if value is not None:
                wanted[row.name] = unseen.kept(row, before.get(row.name), value)
            elif row.name in said or row.access is not Access.WRITE_ONLY:
                wanted.pop(row.name, None)
        return wanted

    def _overlay(
        self,
        writing: Writing,
        location: Location,
        version: CimiVersion,
        values: Mapping[str, Value],
        selected: frozenset[str] | None,
        deadline: Deadline,
    ) -> None:
        """Keep what a WBEM server cannot; a value that it has itself is not kept again."""
        resource = self._catalog.model[location.type]
        path = location.path or ENTRY_POINT
        before = writing.overlay(path)
        own = self._holdings.without_overlay(location, version, deadline).values
        wanted = dict(before)
        for name in KEPT_FOR_LIVE:
            if selected is not None and name not in selected:
                continue
            wanted.pop(name, None)
            if values.get(name) not in (None, own.get(name)):
                wanted[name] = values[name]
        self._check(resource, version, wanted, before, deadline, is_whole=False)
        if wanted != before:
            writing.set_overlay(path, wanted)

    @staticmethod
    def _remove(writing: Writing, path: str) -> None:
        dependents = writing.dependents(path)
        for child in dependents:
            if writing.find(child) is None:
                raise ConflictError(
                    f"{child} is a child of it, and cannot be deleted here; remove it first",
                    reason="has-children",
                )
        for gone in (*dependents, path):
            writing.remove(gone)

    @staticmethod
    def _member_at(writing: Writing, collection: str, token: str) -> str:
        for row in writing.listed(collection):
            if row.member.rpartition("/")[2] == token:
                return row.member
        raise NotFound(f"{token} is not in {collection}")


def _unlist(writing: Writing, collection: str, member: str) -> None:
    """Take a resource off a list; a child of the Collection is nobody's child then."""
    if not writing.unlist(collection, member):
        raise BadRequest(f"{member} is not in {collection}", reason="not-listed")
    stored = writing.find(member)
    if stored is not None and stored.resource.values.get("parent") == Ref(collection):
        values = {n: v for n, v in stored.resource.values.items() if n != "parent"}
        writing.replace(member, values)


def _must_be_selected(
    resource: ResourceType,
    version: CimiVersion,
    values: Mapping[str, Value],
    selected: frozenset[str] | None,
) -> None:
    """Refuse attributes that the selection of a partial update leaves out (4.2.1.3.1)."""
    if selected is None:
        return
    for name in values:
        if name not in selected:
            form = resource.attributes[name].form(version)
            said = form.json_name if form is not None else name
            raise BadRequest(
                f"{said} is in the document, but not in $select; select it, or leave it out",
                reason="not-selected",
            )


def _may_change(row: Attribute, version: CimiVersion) -> bool:
    return (
        row.is_consumer_writable
        and row.is_mutable
        and row.kind is not Kind.COLLECTION
        and row.form(version) is not None
    )
