"""Makes stored resources, from a template or from the document itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cimi_cim.errors import BadRequest, NotFound
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, CimiVersion, Home, Kind, ResourceType
from cimi_cim.service.checks import check_values, references
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.store.writing import Writing
from cimi_cim.service.templates import Part, Plan, instantiate, merged
from cimi_cim.wbem.deadline import Deadline

OF_THE_DOCUMENT = ("name", "description", "properties")
"""What a create document says of the new resource beside its template (4.2.1.1)."""


class Creation:
    """One request that creates; `made` are the paths of all that it made."""

    def __init__(self, holdings: Holdings, version: CimiVersion, deadline: Deadline) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._model = holdings.catalog.model
        self._version = version
        self._deadline = deadline
        self.made: list[str] = []

    def create(self, writing: Writing, location: Location, document: CreateDocument) -> str:
        """Make the resource that a document asks for; returns its path. Raises `BadRequest`."""
        resource = self._model[location.type]
        plan = self._plan(resource, document)
        plan.values.update(
            {name: document.values[name] for name in OF_THE_DOCUMENT if name in document.values}
        )
        if self._catalog.lives_in(location):
            return self._make(writing, resource, plan, None, location.path)
        return self._make(writing, resource, plan, location.path)

    def existing(self, reference: Ref, type_name: str) -> str:
        """Return the path of the resource of a type that a reference leads to ("": any type).

        Raises `BadRequest` where it leads to none.
        """
        location = None
        if reference.url is None:
            location = self._holdings.locate(reference.path, self._version)
        if location is None or (type_name and location.type != type_name):
            raise BadRequest(
                f"{reference.url or reference.path} is no {type_name or 'resource'} of this"
                " provider; follow the links of the CloudEntryPoint to one",
                reason="bad-reference",
            )
        if not self._holdings.exists(location, self._version, self._deadline):
            raise BadRequest(f"there is no {location.type} {location.path!r}",
                             reason="unknown-reference")  # fmt: skip
        return location.path

    def check_references(self, resource: ResourceType, values: Mapping[str, Value]) -> None:
        """Refuse references to what is not there, or of another type. Raises `BadRequest`."""
        for row in resource.attributes.values():
            for type_name, reference in references(row, values.get(row.name)):
                if row.name == "parent":
                    self._check_parent(reference)
                else:
                    self.existing(reference, type_name)

    def _check_parent(self, reference: Ref) -> None:
        location = self._holdings.locate(reference.path, self._version)
        if reference.url is not None or location is None:
            raise BadRequest("parent must be a resource or a Collection of this provider",
                             reason="bad-reference")  # fmt: skip
        if not self._holdings.exists(location, self._version, self._deadline):
            raise BadRequest(f"there is no {location.path!r}", reason="unknown-reference")

    def _plan(self, resource: ResourceType, document: CreateDocument) -> Plan:
        """What a document comes to, before anything is made."""
        if resource.create_template_type is None:
            return Plan(_given(resource, document.values))
        if document.template is None:
            raise BadRequest(
                f"{resource.create_template_attribute} is missing; send it by value, or refer to"
                " one by its href",
                reason="missing-attribute",
            )
        template = merged(document.template, resource.create_template_type, self.find)
        check_values(
            self._model[resource.create_template_type], self._version, template, is_whole=False
        )
        return instantiate(self._model, resource, template, self.find)

    def find(self, type_name: str, reference: Ref) -> Mapping[str, Value]:
        """Return the attributes of the resource of a type that a reference leads to."""
        path = self.existing(Ref(reference.path, reference.url), type_name)
        location = self._holdings.locate(path, self._version)
        if location is None:
            raise NotFound(f"there is no {path!r}")
        return self._holdings.resource(location, self._version, None, self._deadline).values

    def _make(
        self,
        writing: Writing,
        resource: ResourceType,
        plan: Plan,
        listing: str | None,
        collection: str | None = None,
    ) -> str:
        """Keep what was planned in its collection (None: that of the entry point), and list it."""
        if listing is not None:
            plan.values["parent"] = Ref(listing)
            if resource.name in self._catalog.attached_types:
                _target(plan, listing.rpartition("/")[0])
        check_values(resource, self._version, plan.values, is_whole=True)
        self.check_references(resource, plan.values)
        home = collection or self._catalog.global_collection(resource.name)
        path = writing.add(resource.name, home, plan.values).resource.path
        self.made.append(path)
        if listing is not None:
            writing.list_in(listing, path)
        self._attach(writing, path, resource, plan.values)
        for reference, attribute in plan.listings:
            owner = self.existing(reference, "")
            writing.list_in(f"{owner}/{attribute}", path)
        for attribute, items in plan.members.items():
            row = resource.attributes[attribute]
            for item in items:
                writing.list_in(f"{path}/{attribute}", self.existing(item, row.target or ""))
        for part in plan.parts:
            self._make_part(writing, path, resource, part)
        return path

    def _make_part(self, writing: Writing, owner: str, resource: ResourceType, part: Part) -> None:
        made = self._model[part.type]
        if made.home is Home.PROVIDER:
            raise BadRequest(f"no {part.type} can be created here", reason="cannot-create")
        plan = instantiate(self._model, made, part.template, self.find)
        if made.name in self._catalog.attached_types:
            plan.values["targetResource"] = Ref(owner)
            self._make(writing, made, plan, None)
        else:
            self._make(writing, made, plan, f"{owner}/{part.attribute}")

    def _attach(
        self, writing: Writing, path: str, resource: ResourceType, values: Mapping[str, Value]
    ) -> None:
        """A Meter or EventLog made by itself shows in the resource that it is about."""
        target = values.get("targetResource")
        if not isinstance(target, Ref) or target.url is not None:
            return
        location = self._holdings.locate(target.path, self._version)
        rows = self._model[location.type].attributes if location is not None else {}
        for row in rows.values():
            if row.target != resource.name:
                continue
            if row.kind is Kind.COLLECTION:
                writing.list_in(f"{target.path}/{row.name}", path)
                self._set(writing, path, {"parent": Ref(f"{target.path}/{row.name}")})
            elif row.kind is Kind.REF:
                self._set(writing, target.path, {row.name: Ref(path)})

    @staticmethod
    def _set(writing: Writing, path: str, values: Mapping[str, Value]) -> None:
        """Set attributes of a resource, wherever it lives."""
        stored = writing.find(path)
        if stored is not None:
            before = stored.resource.values  # no consumer changed it: `updated` stays (Table 5)
            writing.replace(path, {**before, **values}, updated=before["updated"])
        else:
            writing.set_overlay(path, {**writing.overlay(path), **values})


def _target(plan: Plan, owner: str) -> None:
    """Make what is added to a resource be about it; it must not name another (5.17.5)."""
    if plan.values.setdefault("targetResource", Ref(owner)) != Ref(owner):
        raise BadRequest(f"targetResource must be {owner}, or left out", reason="bad-target")


def _given(resource: ResourceType, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return what a document says that a consumer may say, and what a new resource has."""
    rows: Iterable[tuple[str, Value]] = (
        (row.name, values.get(row.name, row.initial)) for row in resource.attributes.values()
        if row.access is not Access.READ_ONLY or row.initial is not None
    )  # fmt: skip
    return {name: value for name, value in rows if value is not None}
