"""From the attributes that are asked for to the classes and properties that are read.

A plan depends on the mapping and the question only, never on how many resources there
are (mapping language, 7.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cimi_cim.mapping.compiled import (
    AttributeMapping,
    CompiledMapping,
    OperationMapping,
    Reading,
    Relation,
    ResourceMapping,
    Way,
)
from cimi_cim.mapping.expressions import Property
from cimi_cim.mapping.results import is_wanted
from cimi_cim.mapping.templates import needs_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read for one resource type.

    Args:
        resource: The resource asked for.
        outer: Relations of the top-level resource, anchor first; for a child resource
            those of its parent, ending in the alias its items come from.
        inner: A child's own relations, evaluated once per child.
        properties: Wanted properties by alias; a view's stand under what it views.
        attributes: The attributes to evaluate.
        with_operations: Whether operations are asked for.
    """

    resource: ResourceMapping
    outer: tuple[Relation, ...]
    inner: tuple[Relation, ...]
    properties: Mapping[str, tuple[str, ...]]
    attributes: tuple[AttributeMapping, ...]
    with_operations: bool


def plan_read(
    mapping: CompiledMapping,
    resource: ResourceMapping,
    wanted: frozenset[str] | None,
    *,
    is_collection: bool,
) -> Plan:
    """Return the plan for reading `wanted` attributes (see `ReadEngine.read_collection`).

    `lazy` attributes are left out of a Collection unless wanted by name.
    """
    attributes = tuple(
        attribute
        for attribute in resource.attributes.values()
        if is_wanted(attribute.name, wanted, is_default=not (attribute.is_lazy and is_collection))
    )
    with_operations = is_wanted("operations", wanted)
    readings = [a.reading for a in attributes if a.reading is not None]
    readings += [key.reading for key in resource.natural]
    if resource.where is not None:
        readings.append(resource.where)
    if with_operations and resource.operations:
        readings += _operation_readings(resource)
    collector = _Collector(mapping, resource)
    collector.add(readings)
    for attribute in attributes:
        if attribute.reference is not None:
            collector.add_reference(*attribute.reference)
    return collector.plan(attributes, with_operations=with_operations)


def plan_action(
    mapping: CompiledMapping,
    resource: ResourceMapping,
    operation: OperationMapping,
    also: Iterable[str] = (),
) -> Plan:
    """Return the plan for acting: identity, state, what is advertised, what the calls take.

    `also` are further relations whose rows are wanted. The mapping's `where` is not
    evaluated again: the path was found under it.
    """
    collector = _Collector(mapping, resource)
    collector.add([key.reading for key in resource.natural] + _operation_readings(resource))
    if operation.owner_states is not None and resource.parent is not None:
        collector.add(_operation_readings(mapping.resources[resource.parent]))
    collector.add_call((), operation.unless)
    for choice in (*operation.before, *operation.choices):
        properties, aliases = needs_of(choice.use.arguments)
        collector.add_call(properties, aliases | {choice.use.alias})
    collector.add_call((), also)
    return collector.plan((), with_operations=False)


def plan_found_again(mapping: CompiledMapping, resource: ResourceMapping, told_by: Reading) -> Plan:
    """Return the plan for finding a resource by what tells it: a token, or its name."""
    collector = _Collector(mapping, resource)
    collector.add([key.reading for key in resource.natural] + [told_by])
    return collector.plan((), with_operations=False)


def plan_related(
    mapping: CompiledMapping, resource: ResourceMapping, attribute: AttributeMapping
) -> Plan:
    """Return the plan for finding what a Collection of a resource lists: the rows, their ids."""
    collector = _Collector(mapping, resource)
    collector.add([key.reading for key in resource.natural])
    if attribute.children is not None and attribute.related is not None:
        collector.add_reference(attribute.children, [attribute.related])
    return collector.plan((), with_operations=False)


def plan_update(mapping: CompiledMapping, resource: ResourceMapping, names: Iterable[str]) -> Plan:
    """Return the plan for writing attributes back: as they are, and what their writers take."""
    collector = _Collector(mapping, resource)
    collector.add([key.reading for key in resource.natural])
    for name in names:
        attribute = resource.attributes.get(name)
        if attribute is None or attribute.write is None:
            continue
        if attribute.reading is not None:
            collector.add([attribute.reading])
        writer = resource.writers[attribute.write.writer]
        if writer.states is not None:
            collector.add(_operation_readings(resource))
        aliases = {attribute.write.alias, writer.modified} - {None}
        properties: frozenset[Property] = frozenset()
        if writer.use is not None:
            properties, more = needs_of(writer.use.arguments)
            aliases |= more | {writer.use.alias}
        collector.add_call(properties, [str(alias) for alias in aliases])
    return collector.plan((), with_operations=False)


def plan_whole(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
    """Return the plan for finding every row of every relation, associations included."""
    collector = _Collector(mapping, resource)
    readings = [key.reading for key in resource.natural]
    collector.add(readings + ([resource.where] if resource.where is not None else []))
    parent = mapping.resources[resource.parent].relations if resource.parent else {}
    relations = {**parent, **resource.relations}
    collector.add_call((), relations)
    collector.add_call((), [r.link for r in relations.values() if r.link is not None])
    return collector.plan((), with_operations=False)


def _operation_readings(resource: ResourceMapping) -> list[Reading]:
    state = resource.attributes.get("state")
    found = [state.reading] if state is not None and state.reading is not None else []
    if resource.advertise is not None and resource.advertise.reading is not None:
        found.append(resource.advertise.reading)
    return found


class _Collector:
    """Closes a set of needed aliases and properties over what establishing them needs."""

    def __init__(self, mapping: CompiledMapping, resource: ResourceMapping) -> None:
        self._mapping = mapping
        self._resource = resource
        self._parent = mapping.resources[resource.parent] if resource.parent else None
        outer = self._parent.relations if self._parent is not None else resource.relations
        self._outer = outer
        self._inner = resource.relations if self._parent is not None else {}
        self._relations = {**outer, **self._inner}
        self._links = {r.link: r.alias for r in self._relations.values() if r.link}
        self._aliases: set[str] = set()
        self._properties: dict[str, set[str]] = {}

    def add_reference(self, type_name: str, aliases: Iterable[str]) -> None:
        """Take in what the id of a resource referred to needs, read at each of `aliases`."""
        referred = self._mapping.resources.get(type_name)
        for alias in aliases:
            self._need_alias(alias)
            for key in referred.natural if referred is not None else ():
                for need in key.reading.needs:
                    self._need(Property(alias, need.name))

    def add_call(self, properties: Iterable[Property], aliases: Iterable[str]) -> None:
        """Take in what the arguments of a method call read, and the paths it names."""
        for need in properties:
            self._need(need)
        for alias in aliases:
            self._need_alias(alias)

    def add(self, readings: Iterable[Reading]) -> None:
        """Take in what the readings need, the anchor, and the parent's id."""
        top = self._parent or self._resource
        self._need_alias(top.anchor)
        self._need_alias(self._resource.anchor)
        for reading in (*readings, *self._parent_readings()):
            for alias in reading.exists:
                self._need_alias(alias)
            for need in reading.needs:
                self._need(need)

    def _parent_readings(self) -> list[Reading]:
        if self._parent is None:
            return []
        found = [key.reading for key in self._parent.natural]
        return found + ([self._parent.where] if self._parent.where is not None else [])

    def _need(self, need: Property) -> None:
        alias = need.alias
        self._need_alias(alias)
        while alias in self._relations and self._relations[alias].way is Way.VIEW:
            alias = self._relations[alias].source or alias
        if alias in self._relations and self._relations[alias].way is Way.ITEMS:
            return  # what makes the items is among the needs of the relation
        self._properties.setdefault(alias, set()).add(need.name)

    def _need_alias(self, alias: str) -> None:
        if alias in self._links:
            self._properties.setdefault(alias, set())  # the association instances themselves
        alias = self._links.get(alias, alias)
        if alias in self._aliases or alias not in self._relations:
            return
        self._aliases.add(alias)
        relation = self._relations[alias]
        if relation.source is not None:
            self._need_alias(relation.source)
        for need in relation.needs:
            self._need(need)

    def _is_inner(self, relation: Relation) -> bool:
        """Whether a relation starts from the one row that a resource is, not from all of them."""
        if not self._resource.is_each:
            return False
        sources = {relation.source, *(need.alias for need in relation.needs)} - {relation.alias}
        return any(
            alias == self._resource.anchor or self._is_inner(self._outer[alias])
            for alias in sources
            if alias is not None and alias in self._outer
        )

    def plan(self, attributes: tuple[AttributeMapping, ...], *, with_operations: bool) -> Plan:
        """Return the closed plan."""
        outer = [r for a, r in self._outer.items() if a in self._aliases]
        inner = [r for a, r in self._inner.items() if a in self._aliases]
        return Plan(
            self._resource,
            tuple(r for r in outer if not self._is_inner(r)),
            (*(r for r in outer if self._is_inner(r)), *inner),
            {alias: tuple(sorted(names)) for alias, names in self._properties.items()},
            attributes,
            with_operations,
        )
