"""Plans what a request creates in the store: one resource, and what comes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cimi_cim.errors import BadRequest
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, CimiVersion, Home, Kind, ResourceType
from cimi_cim.service.checks import Tables
from cimi_cim.service.components import (
    SERVICES,
    Component,
    LiveComponent,
    names_in,
    read_components,
    substituted,
    symbols,
)
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.membership import Membership
from cimi_cim.service.planned import New, Planned
from cimi_cim.service.referring import References
from cimi_cim.service.rules import check_rules
from cimi_cim.service.store.references import targets_of
from cimi_cim.service.store.writing import Writing, new_token
from cimi_cim.service.templates import Part, Plan, belongs_by, instantiate, merged
from cimi_cim.wbem.deadline import Deadline

OF_THE_DOCUMENT = ("name", "description", "properties")
"""What a create document says of the new resource beside its template (4.2.1.1)."""

ABOUT = "targetResource"
PENDING = "pending-"
"""What the token of something begins with that is not made yet."""


class Creation:
    """One request that creates.

    `plan` decides all of it, and may ask WBEM servers; `make` does it, in a transaction.
    """

    def __init__(self, holdings: Holdings, version: CimiVersion, deadline: Deadline) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._model = holdings.catalog.model
        self._version = version
        self._deadline = deadline
        self._planned = Planned()
        self._inside: list[str] = []
        self.live: list[LiveComponent] = []
        """The components of Systems that WBEM servers are to make; nothing here makes them."""
        self.references = References(holdings, version, deadline)

    @property
    def made(self) -> Sequence[str]:
        """The paths of all that is made, the resource asked for first."""
        return self._planned.made

    def existing(self, reference: Ref, type_name: str) -> str:
        """Return the path of the resource of a type that a reference leads to ("": any type).

        Raises `BadRequest` where it leads to none.
        """
        return self.references.existing(reference, {type_name} - {""}).path

    def check_references(self, resource: ResourceType, values: Mapping[str, Value]) -> None:
        """Refuse references to what is not there, or of another type. Raises `BadRequest`."""
        self.references.check(resource.name, values)

    def find(self, type_name: str, reference: Ref) -> Mapping[str, Value]:
        """Return the attributes of the resource of a type that a reference leads to."""
        location = self.references.existing(Ref(reference.path, reference.url), {type_name})
        return self._holdings.resource(location, self._version, None, self._deadline).values

    def plan(self, location: Location, document: CreateDocument) -> str:
        """Plan what a document asks for in a Collection; returns the path of the new resource.

        Raises `NotFound` for a Collection in what does not exist, and `BadRequest`.
        """
        self.references.must_have_owner(location)
        resource = self._model[location.type]
        own = {name: document.values[name] for name in OF_THE_DOCUMENT if name in document.values}
        new = self._begin(resource, location)
        if resource.create_template_type is None:
            self._complete(new, Plan(_given(resource, document.values)), own)
            return new.path
        if document.template is None:
            raise BadRequest(
                f"{resource.create_template_attribute} is missing; send it by value, or refer to"
                " one by its href",
                reason="missing-attribute",
            )
        template = merged(document.template, resource.create_template_type, self.find)
        self._must_suit(resource, location, template)
        self._must_belong(resource, location, template)
        if isinstance(document.template, Ref):
            self._inside.append(document.template.path)
        self._from_template(new, template, own)
        return new.path

    def plan_parts(self, type_name: str, path: str, template: Mapping[str, Value]) -> None:
        """Plan what the template of a resource that a WBEM server makes has the store make."""
        self.references.planned[path] = type_name
        resource = self._model[type_name]
        self._plan_parts(
            New(type_name, *path.rpartition("/")[::2]),
            instantiate(self._model, resource, template, self.find),
        )

    def make(self, writing: Writing) -> None:
        """Make all that was planned. Raises `Overtaken`, and `ConflictError`."""
        for new in self._planned.news:
            self._must_not_wait(new)
        self.references.must_still_lead(writing)
        self._planned.make(writing, Membership(self._catalog))

    def _begin(self, resource: ResourceType, location: Location | None) -> New:
        """A new resource in the Collection at a location, or in its own alone."""
        if resource.home is Home.PROVIDER:
            raise BadRequest(
                f"a {resource.name} cannot be made in this way; make it first, and refer to it",
                reason="cannot-create",
            )
        if location is not None and self._catalog.lives_in(location):
            new = self._planned.add(New(resource.name, location.path))
        else:
            home = self._catalog.global_collection(resource.name)
            new = self._planned.add(New(resource.name, home))
            if location is not None:
                self._list_in(new, location)
        self.references.planned[new.path] = resource.name
        return new

    def _list_in(self, new: New, location: Location) -> None:
        """Have a Collection list a new resource: a child of the first one that has children."""
        if location.path in new.listings:
            return
        new.listings.append(location.path)
        if self._catalog.row_of(location).is_composition:
            new.values.setdefault("parent", Ref(location.path))

    def _must_suit(
        self, resource: ResourceType, location: Location, template: Mapping[str, Value]
    ) -> None:
        """Refuse a template for something else than the Collection that was posted to is in.

        A Network, or what a Meter is about, may be left out there, or be this one (5.16.7,
        5.17.5).
        """
        owner = owner_of(self._model, location)
        rows = self._model[resource.create_template_type or ""].attributes
        for name, said in template.items():
            row = rows.get(name)  # what only 1.x has shows no parent
            is_own = name == ABOUT or (
                row is not None and row.target == owner.type and name not in resource.attributes
            )
            if owner.steps and is_own and isinstance(said, Ref) and said.path != owner.path:
                raise BadRequest(
                    f"{name} is another one than the {owner.type} that the new {resource.name} is"
                    " to be in; leave it out",
                    reason="bad-reference",
                )

    def _must_belong(
        self, resource: ResourceType, location: Location, template: Mapping[str, Value]
    ) -> None:
        """Refuse that the Collection of all gets what belongs nowhere: 5.16.7, 5.16.19."""
        if len(location.steps) > 1:
            return
        for row in belongs_by(self._model, resource):
            if template.get(row.name) is None:
                raise BadRequest(
                    f"{row.name} is missing; refer to the {row.target} to put it in, or add it to"
                    f" a Collection of a {row.target}",
                    reason="missing-attribute",
                )

    def _from_template(
        self, new: New, template: Mapping[str, Value], own: Mapping[str, Value]
    ) -> None:
        """Complete a new resource from a template's attributes; `own` win over them."""
        resource = self._model[new.type]
        template_type = resource.create_template_type or ""
        self._tables(template_type).check(template_type, template, is_whole=False)
        check_rules(template_type, template)
        self._complete(new, instantiate(self._model, resource, template, self.find), own)
        if "meterConfig" in template:
            self._must_be_measured(new, template)
        if new.type == "System":
            self._plan_components(new, template)

    def _complete(self, new: New, plan: Plan, own: Mapping[str, Value]) -> None:
        """Give a new resource its attributes, and plan what comes with it."""
        new.values = self._constrained(new, {**plan.values, **own, **new.values})
        if new.type in self._catalog.attached_types:
            self._attach(new)
        self._tables(new.type).check(new.type, new.values, is_whole=True)
        self.references.check(new.type, new.values)
        check_rules(new.type, new.values)
        for name, ref in plan.belongs_to.items():
            owner = self.references.existing(ref, (), name)
            place = self._collection_in(owner, new.type)
            if place is not None:
                self._list_in(new, place)
        self._plan_parts(new, plan)

    def _constrained(self, new: New, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values under the metadata of the type, and of what it is put into."""
        constraints = self._holdings.constraints
        with self._holdings.store.reading() as reading:
            checked = constraints.check(reading, new.type, self._version, values)
            for path in (new.collection, *new.listings):
                at = self._catalog.locate(path, self._version)
                if at is not None:
                    checked = constraints.check_item(reading, at, self._version, checked)
        return checked

    def _attach(self, new: New) -> None:
        """Have what a Meter or an EventLog is about show it (5.17.4, 5.17.8)."""
        if new.listings:
            new.values[ABOUT] = Ref(new.listings[0].rpartition("/")[0])
        if ABOUT not in new.values:
            return
        at = self.references.existing(new.values[ABOUT], (), ABOUT)
        rows = {} if at.is_collection else self._model[at.type].attributes
        row = next((row for row in rows.values() if row.target == new.type), None)
        if row is None:
            raise BadRequest(f"{ABOUT}: {at.path} can have no {new.type}", reason="bad-reference")
        if row.kind is Kind.REF:
            self._planned.claim(at.path, row.name, new)
        elif at.steps:
            place = self._collection_in(at, new.type)
            if place is not None:
                self._list_in(new, place)

    def _must_be_measured(self, new: New, template: Mapping[str, Value]) -> None:
        """Refuse a Meter for a resource of another type than its configuration is for (5.17.5)."""
        said = merged(template["meterConfig"], "MeterConfiguration", self.find)
        types = said.get("associatedResources") or ()
        measured = self.references.existing(new.values[ABOUT], (), ABOUT)
        version = self._catalog.version_with(measured.type, CimiVersion.V2)
        form = self._model[measured.type].form(version)
        if types and form is not None and form.type_uri(CimiVersion.V2) not in types:
            raise BadRequest(
                f"{ABOUT} is a {measured.type}; this configuration is for {', '.join(types)}",
                reason="bad-reference",
            )

    def _plan_parts(self, new: New, plan: Plan) -> None:
        resource = self._model[new.type]
        for attribute, items in plan.members.items():
            for item in items:
                found = self.references.existing(
                    item, {resource.attributes[attribute].target or ""}, attribute
                )
                self._planned.put_in(f"{new.path}/{attribute}", found.path)
        for part in plan.parts:
            self._plan_part(new, part)

    def _plan_part(self, owner: New, part: Part) -> None:
        made = self._model[part.type]
        at = self._catalog.locate(owner.path, self._catalog.version_with(owner.type, self._version))
        place = self._collection_in(at, made.name) if at is not None else None
        template = dict(part.template)
        if made.name in self._catalog.attached_types:
            template[ABOUT], place = Ref(owner.path), None
        if place is not None:
            self._must_suit(made, place, template)
        self._from_template(self._begin(made, place), template, {})

    def _plan_components(self, system: New, template: Mapping[str, Value]) -> None:
        """Plan what a System is made of: first where each component will be, then the rest."""
        components = read_components(self._model, template)
        placed = [(each, self._placed(system, each)) for each in components]
        named = symbols([
            (each, at.path if isinstance(at, New) else at) for each, at in placed
        ])  # fmt: skip
        for each, new in placed:
            if isinstance(new, New):
                self._plan_component(system, new, each, named)
            elif is_pending(new):
                self._plan_live(system, new, each, named)
        place = self._catalog.locate(f"{system.path}/services", CimiVersion.V2)
        for said in template.get(SERVICES, ()):
            service = self._begin(self._model["SystemService"], place)
            self._complete(service, Plan(_given(self._model["SystemService"], said)), {})
            for symbol in names_in(said.get("parameters", {}).get("machines", "")):
                machine = self.references.existing(
                    named.get(symbol, Ref(url=symbol)), {"Machine"}, SERVICES
                )
                self._planned.put_in(f"{service.path}/machines", machine.path)

    def _placed(self, system: New, each: Component) -> New | str:
        """A component that is to be made, or the path of one that is there already."""
        at = self._catalog.locate(system.path, CimiVersion.V2)
        place = self._collection_in(at, each.type) if at is not None else None
        if each.is_made and self._catalog.provisions(each.type, "add") and place is not None:
            placeholder = f"{self._catalog.global_collection(each.type)}/{PENDING}{new_token()}"
            self.references.planned[placeholder] = each.type
            return placeholder
        if each.is_made or not isinstance(each.said, Ref):
            is_attached = each.type in self._catalog.attached_types
            new = self._begin(self._model[each.type], None if is_attached else place)
            if place is None and not is_attached:
                new.values["parent"] = Ref(system.path)
            return new
        found = self.references.existing(each.said, {each.type}, each.place)
        if place is not None:
            self._planned.put_in(place.path, found.path)
        return found.path

    def _plan_component(
        self, system: New, new: New, each: Component, named: Mapping[str, Ref]
    ) -> None:
        said = each.said
        if isinstance(said, Ref) and said.path in self._inside:
            raise BadRequest(f"{each.place}: {said.path} is part of itself", reason="inside-itself")
        if isinstance(said, Ref):
            self._inside.append(said.path)
        template_type = self._model[each.type].create_template_type or ""
        template = substituted(merged(said, template_type, self.find), named)
        if each.type in self._catalog.attached_types:
            template.setdefault(ABOUT, Ref(system.path))
        self._from_template(new, template, each.own)
        if isinstance(said, Ref):
            self._inside.pop()

    def _plan_live(
        self, system: New, placeholder: str, each: Component, named: Mapping[str, Ref]
    ) -> None:
        template_type = self._model[each.type].create_template_type or ""
        template = substituted(merged(each.said, template_type, self.find), named)
        at = self._catalog.locate(system.path, CimiVersion.V2)
        place = self._collection_in(at, each.type) if at is not None else None
        listing = place.path if place is not None else ""
        self.live.append(LiveComponent(placeholder, each.type, listing, each.own, template))

    def _must_not_wait(self, new: New) -> None:
        """What the store keeps is made first, so it cannot refer to what is made later."""
        if any(is_pending(path) for path in targets_of(dict(new.values))):
            raise BadRequest(
                f"a {new.type} of the System refers to a component that a WBEM server makes; say"
                " it in the template of that component, or make it afterwards",
                reason="not-supported",
            )

    def _collection_in(self, owner: Location, type_name: str) -> Location | None:
        version = self._catalog.version_with(type_name, self._version)
        return self._catalog.collection_in(owner, type_name, version)

    def _tables(self, type_name: str) -> Tables:
        return Tables(self._model, self._catalog.version_with(type_name, self._version))


def _given(resource: ResourceType, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return what a document says that a consumer may say, and what a new resource has."""
    rows: Iterable[tuple[str, Value]] = (
        (row.name, values.get(row.name, row.initial)) for row in resource.attributes.values()
        if (row.access is not Access.READ_ONLY or row.initial is not None)
        and row.kind is not Kind.COLLECTION
    )  # fmt: skip
    return {name: value for name, value in rows if value is not None}


def is_pending(path: str) -> bool:
    """Whether a path is a placeholder for that of a component that is not made yet."""
    return path.rpartition("/")[2].startswith(PENDING)
