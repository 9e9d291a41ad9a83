"""Reads CIMI resources out of WBEM servers, and acts on them, as the mappings say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cimi_cim.errors import ClientError, NotFound, ProviderError, ProviderUnavailable
from cimi_cim.mapping.acting import Action, Subject
from cimi_cim.mapping.compiled import CompiledMapping, ResourceMapping
from cimi_cim.mapping.execution import Execution, MutableBinding, rows_of
from cimi_cim.mapping.identity import IdentityMap, rebuilt_path, token_of
from cimi_cim.mapping.items import ItemMaker, is_served
from cimi_cim.mapping.plan import Plan, plan_action, plan_read
from cimi_cim.mapping.results import ActionOutcome, CollectionRead, Coverage
from cimi_cim.mapping.run import Immediate
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import ContextThreads
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource, Value
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound
from cimi_cim.wbem.values import InstancePath

log = logging.getLogger(__name__)

ID_ONLY: frozenset[str] = frozenset({"id"})


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that were read at the path of one top-level resource."""

    target: Target
    plan: Plan
    path: InstancePath
    bindings: Sequence[MutableBinding]


class ReadingEngine:
    """Implements `ReadEngine` and `ActEngine` over any number of targets."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = {target.alias: target for target in targets}
        self.identities = IdentityMap()
        self._fan_out = ContextThreads(max(1, len(targets)), thread_name_prefix="targets")

    def close(self) -> None:
        """Give back the connections of every target."""
        self._fan_out.shutdown(wait=True)
        for target in self.targets.values():
            target.close()

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
            for mapping, resource in self._mappings_of(type_name)
        ]
        if not served:
            return Coverage()
        return Coverage(frozenset().union(*served), served[0].intersection(*served))

    def read_collection(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Return the items at a Collection's location; see `ReadEngine`."""
        if len(location.tokens) == 0:
            return self._read_all(location.type, wanted, deadline)
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

    def maps_action(self, type_name: str, operation: str) -> bool:
        """Whether some target maps this operation of this neutral type."""
        return any(operation in resource.operations for _, resource in self._mappings_of(type_name))

    def takes_parameter(self, type_name: str, operation: str, parameter: str) -> bool:
        """Whether a parameter makes a difference to an operation; see `ActEngine`."""
        mapped = [
            resource.operations[operation]
            for _, resource in self._mappings_of(type_name)
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
        owner_type = self._owner(type_name)
        token = location.tokens[0]
        for _ in range(2):
            alias, path = self.locate(owner_type, token, location, deadline)
            target = self.targets[alias]
            resource = target.mapping.resources.get(type_name)
            if resource is None:
                raise missing(location)
            plan = plan_of(target.mapping, resource)
            try:
                bindings = Execution(plan, target, deadline).single(path)
            except WbemNotFound:
                bindings = None
            if bindings is not None and _are_of(token, plan, target, bindings):
                return Found(target, plan, path, bindings)
            self.identities.forget(owner_type, token)
        raise missing(location)

    def _mappings_of(self, type_name: str) -> Iterator[tuple[CompiledMapping, ResourceMapping]]:
        """How each target that maps a type does so."""
        for target in self.targets.values():
            resource = target.mapping.resources.get(type_name)
            if resource is not None:
                yield target.mapping, resource

    def _owner(self, type_name: str) -> str:
        for target in self.targets.values():
            resource = target.mapping.resources.get(type_name)
            if resource is not None:
                return resource.parent or type_name
        return type_name

    def locate(
        self, type_name: str, token: str, location: Location, deadline: Deadline
    ) -> tuple[str, InstancePath]:
        """Return target and path of a token: known, rebuilt from it, or after one batch plan.

        Raises `NotFound`, and `ProviderUnavailable` where a server that may have it fails.
        """
        known = self.identities.find(type_name, token)
        if known is None:
            known = self._rebuilt(type_name, token, deadline)
        if known is None:
            read = self._read_all(type_name, ID_ONLY, deadline)
            known = self.identities.find(type_name, token)
            if known is None and read.warnings:
                raise ProviderUnavailable(
                    f"whether there is {location.path!r} cannot be told: {'; '.join(read.warnings)}"
                )
        if known is None:
            raise missing(location)
        return known

    def _rebuilt(
        self, type_name: str, token: str, deadline: Deadline
    ) -> tuple[str, InstancePath] | None:
        alias = token.partition(".")[0]
        target = self.targets.get(alias)
        resource = target.mapping.resources.get(type_name) if target is not None else None
        if target is None or resource is None or resource.rebuild is None:
            return None
        namespace = target.namespace(resource.rebuild.namespace, deadline)
        path = rebuilt_path(resource, token, alias, namespace)
        return None if path is None else (alias, path)

    def _read_all(
        self, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Run the batch plan on every target that maps the type, all at the same time.

        A target that fails is left out; where all fail, the first one's error is raised.
        """
        targets = [t for t in self.targets.values() if type_name in t.mapping.resources]
        if len(targets) == 1:
            return CollectionRead(self._read_target(targets[0], type_name, wanted, deadline))
        jobs = [
            (target, self._fan_out.submit(self._read_target, target, type_name, wanted, deadline))
            for target in targets
        ]
        items: dict[str, Resource] = {}
        failures: dict[str, ProviderError] = {}
        for target, job in jobs:
            try:
                for item in job.result():
                    items.setdefault(item.path, item)  # the first to claim an id keeps it
            except ProviderError as exc:
                log.warning("target %s is left out: %s", target.alias, exc.message)
                failures[target.alias] = exc
        if failures and len(failures) == len(jobs):
            raise next(iter(failures.values()))
        left_out = (f"target {a} is left out: {exc.message}" for a, exc in failures.items())
        return CollectionRead(tuple(items.values()), tuple(left_out))

    def _read_target(
        self, target: Target, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> list[Resource]:
        resource = target.mapping.resources[type_name]
        plan = plan_read(target.mapping, resource, wanted, is_collection=True)
        maker = ItemMaker(plan, target.mapping, target.alias)
        items: list[Resource] = []
        for binding in Execution(plan, target, deadline).batch():
            top = maker.top(binding)
            if top is None:
                continue
            token, path = top
            self.identities.learn(resource.parent or type_name, token, target.alias, path)
            item = maker.make(binding, token, wanted)
            if item is not None:
                items.append(item)
        return items


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
