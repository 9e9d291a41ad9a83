"""From a template to the attributes of a new resource (DSP0263 4.2.1.1).

A template may be referred to, with overrides, or stand in the document; so may the
configurations, images and other templates inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, Kind, Model, ResourceType
from cimi_cim.service.checks import items_of

Find = Callable[[str, Ref], Mapping[str, Value]]
"""Returns the attributes of the resource of a neutral type that a reference leads to."""


@dataclass(frozen=True, slots=True)
class Part:
    """A resource to make with the new one: its type, its template, where it belongs.

    `attribute` is the Collection, or the reference, of the new resource that gets it; `place`
    is where it stands in the template, for messages.
    """

    type: str
    attribute: str
    template: Mapping[str, Value]
    place: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a template comes to.

    Args:
        values: Attributes of the new resource.
        parts: What is made with it.
        members: By Collection of the new resource, what exists already and is put in.
        belongs_to: References to what has a Collection for such resources, by attribute of the
            template: the Network of a segment.
    """

    values: dict[str, Value]
    parts: list[Part] = field(default_factory=list)
    members: dict[str, list[Ref]] = field(default_factory=dict)
    belongs_to: dict[str, Ref] = field(default_factory=dict)


def merged(template: Ref | Mapping[str, Value], type_name: str, find: Find) -> dict[str, Value]:
    """Return the attributes of a template, with those that stand beside its reference.

    Each replaces a whole top-level attribute; None erases one.
    """
    if not isinstance(template, Ref):
        return dict(template)
    own = {**find(type_name, template), **template.values}
    return {name: value for name, value in own.items() if value is not None}


def instantiate(
    model: Model, resource: ResourceType, template: Mapping[str, Value], find: Find
) -> Plan:
    """Return what a new resource of a type becomes by a template's attributes."""
    rows = model[resource.create_template_type or ""].attributes
    nested = _configurations(model, rows, template, find)
    common = model.common_names
    values: dict[str, Value] = {}
    for row in resource.attributes.values():
        if row.kind is Kind.COLLECTION or row.name in common:
            continue  # the common attributes of a template are its own
        if row.name == "state":
            values["state"] = template.get("initialState", row.initial)
        elif row.name in template:
            values[row.name] = template[row.name]
        else:
            values[row.name] = next((c[row.name] for c in nested if row.name in c), row.initial)
    values["resourceMetadata"] = template.get("genResourceMetadata")
    plan = Plan({name: value for name, value in values.items() if value is not None})
    for row in rows.values():
        if template.get(row.name) is not None:
            _plan_parts(model, resource, row, template[row.name], find, plan)
    return plan


def _configurations(
    model: Model, rows: Mapping[str, Attribute], template: Mapping[str, Value], find: Find
) -> list[dict[str, Value]]:
    """The profiles that a template names or inlines: what is no template itself."""
    return [
        merged(template[row.name], row.target or "", find)
        for row in rows.values()
        if row.kind is Kind.REF_OR_VALUE and not row.is_array and row.name in template
        and made_from(model, row.target) is None
    ]  # fmt: skip


def _plan_parts(
    model: Model, resource: ResourceType, row: Attribute, value: Value, find: Find, plan: Plan
) -> None:
    here = resource.attributes.get(row.name)
    if row.kind is Kind.REF and row.is_array and here is not None:
        if here.kind is Kind.COLLECTION:
            plan.members[row.name] = value
    elif row.kind is Kind.REF and here is None and collection_for(model, row.target, resource.name):
        plan.belongs_to[row.name] = value
    elif row.kind is Kind.REF_OR_VALUE:
        made = made_from(model, row.target)
        attribute = made and _attribute_for(resource, made.name, row)
        if made is None or not attribute:
            return
        for place, item in items_of(row, value, row.name):
            whole = merged(item, row.target or "", find)
            plan.parts.append(Part(made.name, attribute, whole, place))


def made_from(model: Model, template_type: str | None) -> ResourceType | None:
    """The type of what is made from templates of a type, None if that is no template."""
    made = (t for t in model.types.values() if t.create_template_type == template_type)
    return next(made, None) if template_type else None


def collection_for(model: Model, owner: str | None, type_name: str) -> str | None:
    """The Collection of an owner's type whose items are its children, and of a type."""
    rows = model[owner].attributes.values() if owner else ()
    return next((r.name for r in rows if r.is_composition and r.target == type_name), None)


def belongs_by(model: Model, resource: ResourceType) -> list[Attribute]:
    """The rows of its template that name what a new resource is put into: a segment's Network."""
    template = resource.create_template_type
    return [
        row
        for row in (model[template].attributes.values() if template else ())
        if row.kind is Kind.REF
        and not row.is_array
        and row.name not in resource.attributes
        and collection_for(model, row.target, resource.name)
    ]


def _attribute_for(resource: ResourceType, type_name: str, row: Attribute) -> str | None:
    """The attribute of the new resource that what a template makes belongs to.

    `meterTemplates` fill `meters`, `eventLogTemplate` is for `eventLog`.
    """
    stem = row.name.removesuffix("Templates").removesuffix("Template").lower()
    for attribute in resource.attributes.values():
        if attribute.target == type_name and attribute.name.lower().rstrip("s") == stem.rstrip("s"):
            return attribute.name
    return None
