"""What the provider can do with the resources of each type (DSP0263 5.11.1, Table 7).

Each capability has a rule, which finds its value in facts. None leaves it out: that says
false, or no restriction. What has no rule here is left out as well: it is not known, or cannot
be done (credentials and images are not taken by value for what WBEM servers make).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cimi_cim.model.paths import Location, collections
from cimi_cim.model.resources import Value
from cimi_cim.model.types import Attribute, Capability, CimiVersion, Kind, ResourceType
from cimi_cim.service.catalog import ENTRY_POINT, Catalog
from cimi_cim.service.checks import MAX_PROPERTY_ITEMS


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at: the type, the version spoken, and how long Jobs are kept."""

    catalog: Catalog
    resource: ResourceType
    version: CimiVersion
    job_retention_min: int | None = None

    @property
    def is_addable(self) -> bool:
        """Whether a resource of the type can be created in its Collection."""
        return _is_addable(self.catalog, self.resource.name, self.version)

    def template_row(self, name: str) -> Attribute | None:
        """The row of the template that resources of the type are made from, None for none."""
        template = self.catalog.template_of(self.resource.name)
        return template.attributes.get(name) if template is not None else None


Rule = Callable[[Facts], Value]


def capabilities_of(facts: Facts) -> list[dict[str, Value]]:
    """Return what there is to tell of a type, in the order of Table 7."""
    found = []
    for capability in facts.resource.capabilities.values():
        value = _value(facts, capability)
        if value is not None:
            found.append({
                "name": capability.name,
                "uri": capability.uri(CimiVersion.V2),
                "description": capability.doc,
                "value": value,
            })  # fmt: skip
    return found


def _value(facts: Facts, capability: Capability) -> Value:
    """The value; none where the capability that it implies does not hold."""
    rule = RULES.get((capability.resource, capability.name)) or RULES.get(("", capability.name))
    if rule is None:
        return None
    if capability.implies is not None:
        implied = facts.resource.capabilities[capability.implies]
        if _value(facts, implied) is not True:
            return None
    return rule(facts)


def _always(facts: Facts) -> Value:
    return True


def _with_scopes(facts: Facts) -> Value:
    """CIMI 1.x has no valueScope."""
    return True if facts.version is CimiVersion.V2 else None


def _template_by_value(facts: Facts) -> Value:
    """Whoever can create from a template at all may inline it (4.2.1.1)."""
    return True if facts.is_addable and facts.catalog.template_of(facts.resource.name) else None


def _inline(row: str) -> Rule:
    """Whether what a template refers to by a row may stand in the template."""

    def rule(facts: Facts) -> Value:
        found = facts.template_row(row)
        is_inline = found is not None and found.kind in (Kind.REF_OR_VALUE, Kind.STRUCT)
        return True if facts.is_addable and is_inline else None

    return rule


def _components_by_value(facts: Facts) -> Value:
    return True if _is_addable(facts.catalog, "SystemTemplate", facts.version) else None


def _default_state(facts: Facts) -> Value:
    return facts.catalog.default_state(facts.resource.name) if facts.is_addable else None


def _initial_states(facts: Facts) -> Value:
    """The store has what it makes in any state; in WBEM servers an action brings it there."""
    row, catalog, name = facts.template_row("initialState"), facts.catalog, facts.resource.name
    if row is None or not facts.is_addable:
        return None
    if catalog.is_stored(name):
        return list(row.values)
    return [state for state in row.values if catalog.reaches(name, state)] or None


def _snapshots(facts: Facts) -> Value:
    return True if facts.catalog.provisions(facts.resource.name, "snapshot") else None


def _stop_force(facts: Facts) -> Value:
    """Whether force makes a difference to stop and restart, wherever they are mapped."""
    catalog, name = facts.catalog, facts.resource.name
    offered = {action.name for action in catalog.actions(name, facts.version)}
    asked = [action for action in ("stop", "restart") if action in offered]
    is_taken = all(catalog.takes_parameter(name, action, "force") for action in asked)
    return True if "stop" in asked and is_taken else None


def _linked(facts: Facts) -> Value:
    """Whether what is about one resource goes with it."""
    return True if facts.resource.name in facts.catalog.attached_types else None


RULES: Mapping[tuple[str, str], Rule] = {
    **{
        (ENTRY_POINT, f"{parameter}Parameter"): _always
        for parameter in ("Expand", "Filter", "First", "Select", "Format", "OrderBy")
    },
    (ENTRY_POINT, "QueryPathNotation"): _always,
    (ENTRY_POINT, "MaxPropertyItems"): lambda facts: MAX_PROPERTY_ITEMS,
    (ENTRY_POINT, "ValueScopes"): _with_scopes,
    ("System", "SystemComponentTemplateByValue"): _components_by_value,
    **{
        ("", f"{name}TemplateByValue"): _template_by_value
        for name in (
            "Machine", "Credential", "Volume", "Network", "NetworkInterface", "NetworkService",
            "ProtocolEndpoint", "ProtocolSegment", "Meter",
        )
    },
    ("Machine", "MachineConfigByValue"): _inline("machineConfig"),
    ("Machine", "MachineVolumeTemplatesByValue"): _inline("volumeTemplates"),
    ("Machine", "MachineStopForce"): _stop_force,
    ("Volume", "VolumeConfigByValue"): _inline("volumeConfig"),
    ("Volume", "VolumeSnapshot"): _snapshots,
    ("Meter", "MeterConfigByValue"): _inline("meterConfig"),
    ("", "DefaultInitialState"): _default_state,
    ("", "InitialStates"): _initial_states,
    ("Job", "JobRetention"): lambda facts: facts.job_retention_min,
    ("EventLog", "Linked"): _linked,
}  # fmt: skip
"""(type, capability) -> rule; "" for whatever type has a capability of the name."""


def _is_addable(catalog: Catalog, type_name: str, version: CimiVersion) -> bool:
    """Whether the Collection of all resources of the type takes "add", or that of their owners."""
    if not catalog.serves(type_name, version):
        return False
    parent = catalog.model[type_name].parent
    outer = () if parent is None else ((catalog.global_collection(parent[0]), "of one"),)
    return any(
        "add" in catalog.collection_operations(Location(type_name, (*steps, (attribute, None))))
        for steps, owner in (((), ENTRY_POINT), (outer, parent[0] if parent else None))
        if owner is not None
        for attribute, item_type in collections(catalog.model, version, owner).values()
        if item_type == type_name
    )
