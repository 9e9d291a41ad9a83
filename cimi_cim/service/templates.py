"""From a template to the attributes of a new resource (DSP0263 4.2.1.1).

A template may be referred to, with overrides, or stand in the document; so may the
configurations, images and other templates inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Attribute, Kind, Model, ResourceType

Find = Callable[[str, Ref], Mapping[str, Value]]
"""Returns the attributes of the resource of a neutral type that a reference leads to."""


@dataclass(frozen=True, slots=True)
class Part:
    """A resource to make with the new one: its type, the template, where it belongs.

    `attribute` is the Collection, or the reference, of the new resource that gets it.
    """

    type: str
    attribute: str
    template: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a template comes to.

    Args:
        values: Attributes of the new resource.
        parts: What is made with it.
        members: By Collection of the new resource, what exists already and is put in.
        listings: Collections that the new resource is put into: (owner, attribute).
    """

    values: dict[str, Value]
    parts: list[Part] = field(default_factory=list)
    members: dict[str, list[Ref]] = field(default_factory=dict)
    listings: list[tuple[Ref, str]] = field(default_factory=list)


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
    nested = _configurations(rows, template, find)
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
        _plan_parts(model, resource, row, template.get(row.name), find, plan)
    return plan


def _configurations(
    rows: Mapping[str, Attribute], template: Mapping[str, Value], find: Find
) -> list[dict[str, Value]]:
    """The profiles that a template names or inlines: what is no template itself."""
    return [
        merged(template[row.name], row.target or "", find)
        for row in rows.values()
        if row.kind is Kind.REF_OR_VALUE and not row.is_array and row.name in template
    ]


def _plan_parts(
    model: Model, resource: ResourceType, row: Attribute, value: Value, find: Find, plan: Plan
) -> None:
    if value is None or value == []:
        return
    items = value if row.is_array else [value]
    here = resource.attributes.get(row.name)
    if row.kind is Kind.REF and not row.is_array and here is None:
        plan.listings.extend((value, name) for name in _lists(model, row.target, resource))
        return
    if row.kind is Kind.REF and row.is_array and here is not None:
        if here.kind is Kind.COLLECTION:
            plan.members[row.name] = items
        return
    if row.kind is Kind.STRUCT and here is None:
        raise BadRequest(f"{row.name} cannot be carried out here yet; make a {resource.name}"
                         " without, and insert what exists", reason="cannot-create")  # fmt: skip
    if row.kind is not Kind.REF_OR_VALUE:
        return
    made = next((t for t in model.types.values() if t.create_template_type == row.target), None)
    place = made and _place(resource, made.name, row)
    if made is not None and place:
        plan.parts.extend(
            Part(made.name, place, merged(item, row.target or "", find)) for item in items
        )


def _lists(model: Model, owner: str | None, resource: ResourceType) -> Iterator[str]:
    """The Collections of a type that list resources of another: `segments` of a Network."""
    rows = model[owner].attributes.values() if owner else ()
    return (row.name for row in rows if row.kind is Kind.COLLECTION and row.target == resource.name)


def _place(resource: ResourceType, type_name: str, row: Attribute) -> str | None:
    """The attribute of the new resource that what a template makes belongs to.

    `meterTemplates` fill `meters`, `eventLogTemplate` is for `eventLog`.
    """
    stem = row.name.removesuffix("Templates").removesuffix("Template").lower()
    for attribute in resource.attributes.values():
        if attribute.target == type_name and attribute.name.lower().rstrip("s") == stem.rstrip("s"):
            return attribute.name
    return None
