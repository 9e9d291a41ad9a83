"""ResourceMetadata (DSP0263 5.11): what holds for the resources of each type here.

There are metadata of every type that is served, made anew for each answer, and those that
an administrator adds: they are stored, describe one of these types as well, and hold for
the resources that refer to them. Both consist of facts, which nobody edits, and of what an
administrator wrote over them (`edits`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cimi_cim.errors import NotFound
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion, ResourceType
from cimi_cim.service.catalog import ENTRY_POINT, METADATA, Catalog
from cimi_cim.service.metadata.actions import actions_of
from cimi_cim.service.metadata.capabilities import Facts, capabilities_of
from cimi_cim.service.metadata.edits import edited, kept_of, type_named
from cimi_cim.service.metadata.rules import EDITED, Effective, Rule, closed_scope, rules_of
from cimi_cim.service.scopes import ValueScope
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

COLLECTION = "resourceMetadata"
_TOLD = frozenset({"name", "description", "properties", "created", "updated"})


class Metadata:
    """Tells and changes metadata; one per bridge.

    `job_retention_min` is how many minutes a Job is kept at least, None for no promise.
    """

    def __init__(self, catalog: Catalog, *, job_retention_min: int | None = None) -> None:
        self._catalog = catalog
        self._job_retention_min = job_retention_min
        self._rules: dict[str, dict[str, Rule]] = {}
        self._facts: dict[tuple[str, CimiVersion], dict[str, Value]] = {}

    def find(self, reading: Reading, token: str, version: CimiVersion) -> Resource | None:
        """Return the metadata that a version knows by a token, None if there are none.

        The token is the name of the described type, or that of metadata that were added.
        """
        resource = self._described(version).get(token)
        if resource is not None:
            return self._of_type(token, resource, version, reading.overlay(path_of(resource.name)))
        stored = reading.find(f"{COLLECTION}/{token}")
        return None if stored is None else self._added(stored.resource, version)

    def all(self, reading: Reading, version: CimiVersion) -> list[Resource]:
        """Return all metadata of a version: those of types as the model lists them, then added."""
        described = self._described(version)
        kept = reading.overlays(path_of(resource.name) for resource in described.values())
        found = [
            self._of_type(token, resource, version, kept.get(path_of(resource.name), {}))
            for token, resource in described.items()
        ]
        added = (self._added(item, version) for item in reading.in_collection(COLLECTION))
        return found + [item for item in added if item is not None]

    def add(self, writing: Writing, version: CimiVersion, said: Mapping[str, Value]) -> str:
        """Store metadata of a type, for resources to refer to; returns their path.

        `said` are the attributes of the document. `typeURI` names a type that is served
        here; what states facts (capabilities, actions) is not read. Raises `BadRequest`:
        `missing-attribute`, `unknown-type`, and as `edit` does.
        """
        described = type_named(said.get("typeURI"), self._described(version), version)
        kept = self._edited(described, version, said, {}, EDITED)
        return writing.add(METADATA, COLLECTION, _document(described, kept)).resource.path

    def edit(
        self,
        writing: Writing,
        location: Location,
        version: CimiVersion,
        said: Mapping[str, Value],
        selected: frozenset[str] | None = None,
    ) -> None:
        """Change what may be changed: name, description, properties, attributes, vscope.

        `said` are the attributes of the document, None and absent ones alike are reset: all
        of the five, or those among `selected` if that is given. Constraints can be narrowed
        and never widened. Raises `NotFound`, and `BadRequest`: `unknown-attribute`,
        `extension-attribute`, `constraint-widened`, `bad-constraint`, `bad-value-scope`.
        """
        names = EDITED if selected is None else EDITED & selected
        described = self._described(version).get(location.tokens[-1])
        if described is not None:
            path = path_of(described.name)
            before = writing.overlay(path)
            kept = self._edited(described, version, said, before, names)
            if kept != kept_of(before):
                writing.set_overlay(path, kept)
            return
        stored = writing.lock(location.path)
        if stored is None or self._added(stored.resource, version) is None:
            raise _missing(location)
        described = self._type_of(stored.resource)
        before = dict(stored.resource.values)
        kept = self._edited(described, version, said, before, names)
        if kept != kept_of(before):
            writing.replace(location.path, _document(described, kept))

    def effective(self, reading: Reading, type_name: str, own: Value = None) -> Effective:
        """Return what holds for a resource of a type; the most specific metadata win (5.11).

        `own` is the reference of the resource to metadata. If these are gone, or describe
        another type, those of the type hold.
        """
        stored = reading.find(own.path) if isinstance(own, Ref) and own.url is None else None
        values = stored.resource.values if stored is not None else {}
        if values.get("typeURI") == _neutral_uri(type_name):  # nothing else that is stored has one
            return self._effective(type_name, values)
        return self._effective(type_name, reading.overlay(path_of(type_name)))

    def _effective(self, type_name: str, kept: Mapping[str, Value]) -> Effective:
        narrowed = {said["name"]: said for said in kept.get("attributes") or ()}
        rules = {
            name: rule.narrowed(narrowed.get(name, {}))
            for name, rule in self._rules_of(type_name).items()
        }
        return Effective(rules, list(kept.get("vscope") or ()))

    def _edited(
        self,
        described: ResourceType,
        version: CimiVersion,
        said: Mapping[str, Value],
        before: Mapping[str, Value],
        names: Collection[str],
    ) -> dict[str, Value]:
        rules = self._rules_of(described.name)
        return edited(self._catalog.model, described, rules, version, said, before, names)

    def _described(self, version: CimiVersion) -> dict[str, ResourceType]:
        """The types that a version serves, by their name in it."""
        return {
            form.type_name: resource
            for name, resource in self._catalog.model.types.items()
            if self._is_described(name, version)
            if (form := resource.form(version)) is not None
        }

    def _is_described(self, type_name: str, version: CimiVersion) -> bool:
        return type_name == ENTRY_POINT or self._catalog.serves(type_name, version)

    def _added(self, stored: Resource, version: CimiVersion) -> Resource | None:
        """Metadata that were added; None if the version does not serve what they describe."""
        described = self._type_of(stored)
        form = described.form(version)
        if form is None or not self._is_described(described.name, version):
            return None
        operations = (OperationOffer("edit", stored.path), OperationOffer("delete", stored.path))
        values = self._values(form.type_name, described, version, stored.values)
        return Resource(METADATA, stored.path, values, operations)

    def _type_of(self, stored: Resource) -> ResourceType:
        return self._catalog.model[stored.values["typeURI"].rpartition("/")[2]]

    def _of_type(
        self, token: str, resource: ResourceType, version: CimiVersion, kept: Mapping[str, Value]
    ) -> Resource:
        path = f"{COLLECTION}/{token}"
        values = self._values(token, resource, version, kept)
        return Resource(METADATA, path, values, (OperationOffer("edit", path),))

    def _values(
        self, token: str, resource: ResourceType, version: CimiVersion, kept: Mapping[str, Value]
    ) -> dict[str, Value]:
        facts = self._facts_of(token, resource, version)
        written = {name: value for name, value in kept.items() if name in _TOLD}
        effective = self._effective(resource.name, kept)
        return {
            "parent": Ref(COLLECTION),
            **facts,
            **written,
            "attributes": _attributes(resource, effective.rules, version),
            "vscope": _scopes(resource, effective),
        }

    def _facts_of(
        self, token: str, resource: ResourceType, version: CimiVersion
    ) -> dict[str, Value]:
        key = (resource.name, version)
        if key not in self._facts:
            facts = Facts(self._catalog, resource, version, self._job_retention_min)
            self._facts[key] = {
                "typeURI": f"{CimiVersion.V2.namespace}/{token}",
                "name": token,
                "capabilities": capabilities_of(facts),
                "actions": actions_of(self._catalog, resource.name, version),
            }
        return self._facts[key]

    def _rules_of(self, type_name: str) -> dict[str, Rule]:
        if type_name not in self._rules:
            self._rules[type_name] = rules_of(self._catalog, type_name)
        return self._rules[type_name]


def path_of(type_name: str) -> str:
    """Return where what is written over the metadata of a type is kept."""
    return f"{COLLECTION}/{type_name}"


def _neutral_uri(type_name: str) -> str:
    return f"{CimiVersion.V2.namespace}/{type_name}"


def _document(described: ResourceType, kept: Mapping[str, Value]) -> dict[str, Value]:
    """What is stored of metadata that were added; the type is told by its neutral name."""
    return {"typeURI": _neutral_uri(described.name), **kept}


def _attributes(
    resource: ResourceType, rules: Mapping[str, Rule], version: CimiVersion
) -> list[dict[str, Value]]:
    """What a version tells of each attribute; 1.x has one constraint of the four."""
    told = []
    for row in resource.attributes.values():
        form, rule = row.form(version), rules[row.name]
        if form is None:
            continue
        constraints = {
            "providerMandatory": rule.provider_mandatory,
            "consumerMandatory": rule.consumer_mandatory,
            "mutable": rule.mutable,
            "consumerWritable": rule.consumer_writable,
            "required": rule.consumer_mandatory,
        }  # the structure has forms of the one kind or the other
        told.append({"name": form.json_name, **constraints})
    return told


def _scopes(resource: ResourceType, effective: Effective) -> list[ValueScope]:
    """The value scopes; an enumeration of the standard is part of each that is silent on it."""
    closed = closed_scope(resource, effective.rules)
    if not effective.scopes:
        return [closed] if closed else []
    return [{**closed, **scope} for scope in effective.scopes]


def _missing(location: Location) -> NotFound:
    return NotFound(f"there are no metadata {location.path!r}; they may have been deleted")
