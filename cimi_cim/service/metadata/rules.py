"""The four constraints of every attribute as they are true here (DSP0263 5.3).

The tables say what the standard allows; what is provided follows from where a type lives
and from what the mappings serve. An attribute that nothing provides is still told, as not
`providerMandatory`: left out, it would have the default, true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cimi_cim.model.types import Access, Attribute, CimiVersion, Home, Kind, ResourceType
from cimi_cim.service.catalog import ENTRY_POINT, METADATA, Catalog
from cimi_cim.service.scopes import ValueScope

EDITED = frozenset({"name", "description", "properties", "attributes", "vscope"})
"""What may be changed of metadata; the rest of them states facts."""

_EVERYWHERE = frozenset({"id", "name", "description", "updated", "properties"})
_LINKED = frozenset({"parent", "resourceMetadata"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one attribute: the four constraints of 5.3, and what they follow from.

    Args:
        is_provided: Whether some resource of the type has it here.
        may_be_set: Whether a consumer may ever say a value, at creation or later.
    """

    provider_mandatory: bool
    consumer_mandatory: bool
    mutable: bool
    consumer_writable: bool
    is_provided: bool = True
    may_be_set: bool = True

    def narrowed(self, said: Mapping[str, bool]) -> Rule:
        """Return the rule under edited constraints; none of them can widen it."""
        mutable = self.mutable and said.get("mutable", True)
        return replace(
            self,
            consumer_mandatory=self.consumer_mandatory or said.get("consumerMandatory", False),
            mutable=mutable,
            consumer_writable=(
                self.consumer_writable and mutable and said.get("consumerWritable", True)
            ),
        )


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for a resource: the rule of each attribute, and the value scopes."""

    rules: Mapping[str, Rule]
    scopes: Sequence[ValueScope]


def rules_of(catalog: Catalog, type_name: str) -> dict[str, Rule]:
    """Return the rule of every attribute of a type, by neutral name."""
    resource = catalog.model[type_name]
    provided, always = _provided(catalog, resource)
    return {
        name: _rule(catalog, resource, row, is_provided=name in provided, is_sure=name in always)
        for name, row in resource.attributes.items()
    }


def _rule(
    catalog: Catalog, resource: ResourceType, row: Attribute, *, is_provided: bool, is_sure: bool
) -> Rule:
    # The reference to a Collection stays the same, whatever is put into the Collection.
    is_mutable = row.is_mutable and is_provided and row.kind is not Kind.COLLECTION
    is_editable = "edit" in catalog.resource_operations(resource.name)
    if resource.home is Home.PROVIDER:
        is_editable &= row.name in catalog.changeable(resource.name)
    elif resource.name == METADATA:
        is_editable &= row.name in EDITED
    return Rule(
        provider_mandatory=row.is_provider_mandatory
        and is_sure
        and row.access is not Access.WRITE_ONLY,  # a secret is never sent
        consumer_mandatory=row.is_consumer_mandatory
        or (row.is_required_on_create and resource.create_template_attribute is None),
        mutable=is_mutable,
        consumer_writable=is_mutable and row.is_consumer_writable and is_editable,
        is_provided=is_provided,
        may_be_set=row.access is not Access.READ_ONLY,
    )


def _provided(catalog: Catalog, resource: ResourceType) -> tuple[frozenset[str], frozenset[str]]:
    """What some resource of the type has, and what every one has unless it is empty."""
    name, rows = resource.name, resource.attributes
    every = frozenset(rows)
    lists = frozenset(
        attribute
        for version in CimiVersion
        for attribute, _ in catalog.collections_of(name, version).values()
    )
    missing = frozenset(row.name for row in rows.values() if row.kind is Kind.COLLECTION) - lists
    if name == ENTRY_POINT:
        provided = (every - missing) & (_EVERYWHERE | lists | {"baseURI"})
        return provided, provided
    if catalog.is_join(name):
        provided = frozenset({"id", resource.refers_to or ""})
        return provided, provided
    if name == METADATA:
        return every - {"resourceMetadata"}, every - {"resourceMetadata"}
    if not catalog.is_live(name):
        return every - missing, every - missing
    return _served(catalog, resource, every - missing)


def _served(
    catalog: Catalog, resource: ResourceType, possible: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The same for a type that WBEM servers hold: what their mappings give, and the store."""
    name = resource.name
    coverage = catalog.coverage(name)
    attached = {row.name for row in resource.attributes.values()
                if row.kind is Kind.REF and row.target in catalog.attached_types}  # fmt: skip
    kept = _EVERYWHERE | _LINKED | attached | {
        attribute
        for version in CimiVersion
        for attribute, item in catalog.collections_of(name, version).values()
        if not catalog.is_live_child(name, attribute, item)
    }  # fmt: skip
    some = possible if catalog.is_stored(name) else (coverage.some | kept) & possible
    return some, (coverage.every | kept) & possible


def closed_scope(resource: ResourceType, rules: Mapping[str, Rule]) -> ValueScope:
    """Return the enumerations of the standard among what a consumer may set, as a value scope."""
    return {
        row.name: {"values": list(row.values)}
        for row in resource.attributes.values()
        if row.values
        and not (row.is_open or row.is_array)
        and rules[row.name].may_be_set
        and rules[row.name].is_provided
        and row.form(CimiVersion.V2) is not None
    }
