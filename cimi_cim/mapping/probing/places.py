"""Which class and which real namespace an alias of a mapping stands for."""

from __future__ import annotations

from cimi_cim.mapping.compiled import DERIVED, CompiledMapping, Relation, ResourceMapping
from cimi_cim.mapping.probing.facts import ServerFacts


def relations_of(mapping: CompiledMapping, resource: ResourceMapping) -> dict[str, Relation]:
    """Return all relations in sight of a resource, its parent's included."""
    owner = mapping.resources.get(resource.parent or "")
    return {**(owner.relations if owner is not None else {}), **resource.relations}


def class_at(
    mapping: CompiledMapping, resource: ResourceMapping, alias: str, facts: ServerFacts
) -> tuple[str, str]:
    """Return class and real namespace of an alias; of a `link`, the association."""
    known = relations_of(mapping, resource)
    relation = known.get(alias)
    if relation is None:
        linked = [r for r in known.values() if r.link == alias]
        if not linked:
            return "", facts.implementation
        return linked[0].association, namespace_at(mapping, linked[0].namespace, facts)
    base = relation
    while base.way in DERIVED and base.source in known:
        base = known[base.source]
    return relation.classname, namespace_at(mapping, base.namespace, facts)


def namespace_at(mapping: CompiledMapping, logical: str, facts: ServerFacts) -> str:
    """Return the real namespace behind a logical name of a mapping, as probing found it."""
    if logical == "impl":
        return facts.implementation
    if logical == "interop" and facts.interop:
        return facts.interop
    rule = mapping.namespaces.get(logical)
    there = {each.name.lower() for each in facts.namespaces}
    for candidate in rule.candidates if rule is not None else ():
        if candidate.lower() in there:
            return candidate
    return facts.implementation
