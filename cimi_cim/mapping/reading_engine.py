"""Reads CIMI resources out of WBEM servers, and acts on them, as the mappings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cimi_cim.errors import ClientError, NotFound
from cimi_cim.incomplete import note
from cimi_cim.mapping.acting import Action, Subject
from cimi_cim.mapping.choosing import Rule
from cimi_cim.mapping.compiled import AttributeMapping, CompiledMapping, ResourceMapping
from cimi_cim.mapping.execution import Execution, MutableBinding, rows_of
from cimi_cim.mapping.fleet import Fleet
from cimi_cim.mapping.identity import token_of
from cimi_cim.mapping.items import ItemMaker, is_served
from cimi_cim.mapping.plan import Plan, plan_action, plan_read, plan_related
from cimi_cim.mapping.results import ActionOutcome, CollectionRead, Coverage, Outage
from cimi_cim.mapping.run import Immediate
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Crew
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource, Value
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound
from cimi_cim.wbem.values import InstancePath


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that were read at the path of one top-level resource."""

    target: Target
    plan: Plan
    path: InstancePath
    bindings: Sequence[MutableBinding]


class ReadingEngine:
    """Implements `ReadEngine` and `ActEngine` over any number of targets.

    `crew` are threads that the targets share; they end with the engine. `rule` says on which
    target new resources are made.
    """

    def __init__(
        self, targets: Sequence[Target], *, crew: Crew | None = None, rule: Rule | None = None
    ) -> None:
        self.fleet = Fleet(targets, crew, rule)
        self.targets = self.fleet.targets
        self.identities = self.fleet.identities

    def close(self) -> None:
        """Give back threads and connections."""
        self.fleet.close()

    def on_outage(self, listener: Callable[[Outage], None]) -> None:
        """Have every outage of a server told, and its end, once and in order."""
        self.fleet.watch.listen(listener)

    def greet(self, alias: str, deadline: Deadline) -> None:
        """Ask one target whether it can be used as configured; see `Target.greet`."""
        self.targets[alias].greet(deadline)

    def serves(self, type_name: str) -> bool:
        """Whether some target maps this neutral type."""
        return any(type_name in target.mapping.resources for target in self.targets.values())

    def serves_globally(self, type_name: str) -> bool:
        """Whether the type has a collection of its own in the CloudEntryPoint."""
        return any(
            type_name in target.mapping.resources
            and target.mapping.resources[type_name].parent is None
            for target in self.targets.values()
        )

    def attributes_of(self, type_name: str) -> Coverage:
        """Which attributes of this neutral type the targets serve; see `ReadEngine`."""
        served = [
            frozenset(name for name, one in resource.attributes.items() if is_served(one, mapping))
            for mapping, resource in self.fleet.mappings_of(type_name)
        ]
        if not served:
            return Coverage()
        return Coverage(frozenset().union(*served), served[0].intersection(*served))

    def read_collection(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Return the items at a Collection's location; see `ReadEngine`."""
        if len(location.tokens) == 0:
            read = self.fleet.read_all(location.type, wanted, deadline)
            for alias, why in read.left_out.items():
                note(alias, why)
            return read
        return CollectionRead(self._read_children(location, wanted, deadline))

    def read(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> Resource:
        """Return one resource. Raises `NotFound`."""
        if len(location.tokens) > 1:
            for item in self._read_children(location, wanted, deadline):
                if item.path == location.path:
                    return item
            raise missing(location)
        found = self._read_at(location, location.type, wanted, deadline, is_collection=False)
        if not found:
            raise missing(location)
        return found[0]

    def related(self, owner: Location, attribute: str, deadline: Deadline) -> list[str]:
        """Return the neutral paths of what a Collection of a resource lists; see `ReadEngine`."""
        if not any(
            _lists(mapping, resource, attribute)
            for mapping, resource in self.fleet.mappings_of(owner.type)
        ):
            return []

        def plan_of(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
            mapped = resource.attributes.get(attribute, AttributeMapping(attribute))
            return plan_related(mapping, resource, mapped)

        found = self.find(owner, owner.type, plan_of, deadline)
        mapping, resource = found.target.mapping, found.plan.resource
        if not _lists(mapping, resource, attribute):
            return []
        mapped = resource.attributes[attribute]
        listed = mapping.resources[mapped.children or ""]
        rows = rows_of(binding_at(owner, found, found.bindings), mapped.related or "")
        tokens = [
            token_of(listed, {listed.anchor: row}, row.path, found.target.alias) for row in rows
        ]
        return [f"{listed.collection}/{token}" for token in tokens if token is not None]

    def maps_action(self, type_name: str, operation: str) -> bool:
        """Whether some target maps this operation of this neutral type."""
        return any(
            operation in resource.operations for _, resource in self.fleet.mappings_of(type_name)
        )

    def takes_parameter(self, type_name: str, operation: str, parameter: str) -> bool:
        """Whether a parameter makes a difference to an operation; see `ActEngine`."""
        mapped = [
            resource.operations[operation]
            for _, resource in self.fleet.mappings_of(type_name)
            if operation in resource.operations
        ]
        return bool(mapped) and all(
            any((choice.kind, choice.word) == ("parameter", parameter) for choice in one.choices)
            for one in mapped
        )

    def act(
        self,
        location: Location,
        operation: str,
        parameters: Mapping[str, Value],
        deadline: Deadline,
    ) -> ActionOutcome:
        """Carry out an operation on the resource at a location; see `ActEngine`."""
        subject = self.subject(location, operation, deadline, lambda: deadline)
        mapped = subject.resource.operations[operation]
        run = Immediate(deadline)
        return Action(subject, mapped, parameters, run, wait_s=subject.target.action_wait_s).run()

    def subject(
        self,
        location: Location,
        operation: str,
        deadline: Deadline,
        again: Callable[[], Deadline],
    ) -> Subject:
        """Return what an operation is done to, with the rows that its calls take.

        `again` gives the deadline of a later look. Raises `NotFound`, also where the
        operation is not mapped.
        """

        def plan_of(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
            mapped = resource.operations.get(operation)
            if mapped is None:
                raise NotFound(
                    f"{location.path} does not offer {operation}", reason="action-not-offered"
                )
            return plan_action(mapping, resource, mapped)

        found = self.find(location, location.type, plan_of, deadline)
        return Subject(
            found.target,
            found.plan.resource,
            binding_at(location, found, found.bindings),
            self.look(location, found, again),
        )

    def look(
        self, location: Location, found: Found, again: Callable[[], Deadline]
    ) -> Callable[[], MutableBinding]:
        """Return what reads the rows of a resource once more."""

        def look() -> MutableBinding:
            run = Execution(found.plan, found.target, again())
            try:
                return binding_at(location, found, run.single(found.path))
            except WbemNotFound as exc:
                raise missing(location) from exc

        return look

    def _read_children(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> list[Resource]:
        if len(location.steps) != 2:
            raise missing(location)
        return self._read_at(location, location.type, wanted, deadline, is_collection=True)

    def _read_at(
        self,
        location: Location,
        type_name: str,
        wanted: frozenset[str] | None,
        deadline: Deadline,
        *,
        is_collection: bool,
    ) -> list[Resource]:
        def plan_of(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
            return plan_read(mapping, resource, wanted, is_collection=is_collection)

        found = self.find(location, type_name, plan_of, deadline)
        maker = ItemMaker(found.plan, found.target.mapping, found.target.alias)
        made = [maker.make(binding, location.tokens[0], wanted) for binding in found.bindings
                if maker.top(binding) is not None]  # fmt: skip
        return [item for item in made if item is not None]

    def find(
        self,
        location: Location,
        type_name: str,
        plan_of: Callable[[CompiledMapping, ResourceMapping], Plan],
        deadline: Deadline,
    ) -> Found:
        """Run a plan at the path of the location's first token.

        A stale path is looked up anew once: one where nothing is, or something else by now
        (a machine made under the name of one that was deleted).
        """
        owner_type = self.fleet.owner(type_name)
        token = location.tokens[0]
        for _ in range(2):
            alias, path = self.fleet.locate(owner_type, token, location, deadline)
            target = self.targets[alias]
            resource = target.mapping.resources.get(type_name)
            if resource is None:
                raise missing(location)
            plan = plan_of(target.mapping, resource)
            try:
                with self.fleet.blaming(alias):
                    bindings = target.run(plan, deadline, partial(Execution.single, path=path))
            except WbemNotFound:
                bindings = None
            if bindings is not None and _are_of(token, plan, target, bindings):
                return Found(target, plan, path, bindings)
            self.identities.forget(owner_type, token)
        raise missing(location)


def _lists(mapping: CompiledMapping, resource: ResourceMapping, attribute: str) -> bool:
    """Whether a mapping lists in a Collection what has a Collection of its own."""
    mapped = resource.attributes.get(attribute)
    if mapped is None or mapped.related is None:
        return False
    listed = mapping.resources.get(mapped.children or "")
    return listed is not None and listed.parent is None


def binding_at(
    location: Location, found: Found, bindings: Sequence[MutableBinding]
) -> MutableBinding:
    """Return the rows of the very resource at a location: of a child, those of its token."""
    resource = found.plan.resource
    for binding in bindings:
        if resource.parent is None:
            return binding
        rows = rows_of(binding, resource.anchor)
        token = token_of(resource, binding, rows[0].path, found.target.alias) if rows else None
        if token == location.tokens[-1]:
            return binding
    raise missing(location)


def _are_of(token: str, plan: Plan, target: Target, bindings: Sequence[MutableBinding]) -> bool:
    """Whether the rows are of the top-level resource that a token stands for."""
    mapping = target.mapping
    top = mapping.resources[plan.resource.parent] if plan.resource.parent else plan.resource
    for binding in bindings:
        rows = rows_of(binding, top.anchor)
        if not rows or token_of(top, binding, rows[0].path, target.alias) != token:
            return False
    return True


def missing(location: Location) -> ClientError:
    """The error for a location where nothing is."""
    return NotFound(f"there is no {location.type} {location.path!r}; it may have been deleted")
