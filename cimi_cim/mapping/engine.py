"""The engine that also makes, deletes and changes: `WriteEngine` over any number of targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cimi_cim.errors import BadRequest, NotFound, ProviderError
from cimi_cim.mapping.acting import Action, Subject
from cimi_cim.mapping.changing import Changer
from cimi_cim.mapping.compiled import CompiledMapping, ResourceMapping
from cimi_cim.mapping.deleting import DELETE, delete
from cimi_cim.mapping.execution import Execution, rows_of
from cimi_cim.mapping.identity import token_of
from cimi_cim.mapping.jobs import created_by, give_up
from cimi_cim.mapping.journal import Outcome
from cimi_cim.mapping.making import ADD, LOOK_AGAIN_S, Maker
from cimi_cim.mapping.plan import Plan, plan_action, plan_read, plan_update
from cimi_cim.mapping.reading_engine import ReadingEngine, binding_at
from cimi_cim.mapping.results import ActionOutcome, Wanted, Wish
from cimi_cim.mapping.run import Run
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound
from cimi_cim.wbem.values import InstancePath

_ID_ONLY = frozenset({"id"})
_SEEN_WITHIN_S = 10


class Engine(ReadingEngine):
    """Implements all of `results.Engine`."""

    def maps(self, type_name: str, operation: str) -> bool:
        """Whether some target maps an operation of this neutral type."""
        return any(
            operation in resource.operations
            for target in self.targets.values()
            if (resource := target.mapping.resources.get(type_name)) is not None
        )

    def writable(self, type_name: str) -> frozenset[str]:
        """Return the attributes of a type that some target can write back."""
        return frozenset(
            attribute.name
            for target in self.targets.values()
            if (resource := target.mapping.resources.get(type_name)) is not None
            for attribute in resource.attributes.values()
            if attribute.write is not None
        )

    def fixed(self, type_name: str) -> frozenset[str]:
        """Return the attributes of a type that every target's mapping makes read-only."""
        said = [
            {attribute.name for attribute in resource.attributes.values() if attribute.is_fixed}
            for _, resource in self.fleet.mappings_of(type_name)
        ]
        return frozenset(set.intersection(*said)) if said else frozenset()

    def place(
        self,
        type_name: str,
        references: Iterable[str],
        wish: Wish,
        deadline: Deadline,
        wanted: Wanted = (),
    ) -> str:
        """Return the alias of the target for a new resource; see `WriteEngine`."""
        able = self._able(type_name)
        alias = self._common(type_name, references, deadline)
        if alias is None:
            return self.fleet.placement.choose(type_name, able, wish, deadline, wanted).alias
        among = [target for target in able if target.alias == alias]
        if not among:
            raise BadRequest(f"{alias} cannot create a {type_name}", reason="cannot-create")
        if wish.target not in (None, alias):
            raise BadRequest(
                f"the {type_name} is wanted on {wish.target}, and refers to what is on {alias}",
                reason="different-targets",
            )
        among[0].must_be_up()
        return alias

    def create(
        self,
        location: Location,
        values: Mapping[str, Value],
        token: str,
        run: Run,
        target: str | None = None,
    ) -> str:
        """Make a resource in the Collection at a location; see `WriteEngine`."""
        subject = None
        if location.tokens:
            subject = self._owner_subject(location, run)
            on = subject.target
        else:
            on = self._target_for(location.type, values, run, target)
        resource = on.mapping.resources[location.type]
        resolved = {name: self._resolved(value, on, run) for name, value in values.items()}
        made = Maker(on, resource, resolved, token, run, subject).run()
        return self._path_of_made(location, on, resource, made, run)

    def found(
        self, location: Location, token: str, run: Run, target: str | None = None
    ) -> str | None:
        """Return the neutral path of what was made with a token; see `WriteEngine`."""
        failures: list[ProviderError] = []
        for each in self.targets.values():
            resource = each.mapping.resources.get(location.type)
            if resource is None or ADD not in resource.operations or location.tokens:
                continue
            if target not in (None, each.alias):
                continue
            try:
                made = Maker(each, resource, {}, token, run).correlated()
            except ProviderError as exc:
                failures.append(exc)  # another one may have it
                continue
            if made is not None:
                return self._path_of_made(location, each, resource, made, run)
        if failures:
            raise failures[0]
        return None

    def made_by(self, location: Location, alias: str, outcome: Outcome, run: Run) -> str | None:
        """Return the neutral path of what a call made; see `WriteEngine`."""
        target = self.targets.get(alias)
        resource = target.mapping.resources.get(location.type) if target is not None else None
        if target is None or resource is None:
            return None
        made, job = as_path(outcome.made, ""), as_path(outcome.job, "")
        anchor = resource.relations.get(resource.anchor)
        if made is None and job is not None and anchor is not None:
            dialect = target.mapping.jobs
            made = created_by(target.gateway, dialect, job, anchor.classname, run.deadline())
        if made is None:
            return None
        plan = plan_read(target.mapping, resource, _ID_ONLY, is_collection=False)
        token = self._token_at(location, target, plan, made, run)
        return None if token is None else f"{location.path}/{token}"

    def give_up(self, alias: str, job: str, run: Run) -> None:
        """End a provider's job if it is not over; see `WriteEngine`."""
        target, path = self.targets.get(alias), as_path(job, "")
        if target is not None and path is not None:
            waits = run.waits(LOOK_AGAIN_S)
            give_up(target.gateway, target.mapping.jobs, path, run.deadline, waits)

    def path_of(self, location: Location, beside: Location, made: InstancePath, run: Run) -> str:
        """Return the neutral path of what an action made; see `WriteEngine`."""
        owner = self.fleet.owner(beside.type)
        at = Location(owner, beside.steps[:1])
        alias = self.fleet.locate(owner, beside.tokens[0], at, run.deadline())[0]
        target = self.targets[alias]
        resource = target.mapping.resources.get(location.type)
        if resource is None:
            raise NotFound(f"no {location.type} is mapped", reason="cannot-create")
        return self._path_of_made(location, target, resource, made, run)

    def delete(self, location: Location, run: Run) -> None:
        """Delete the resource at a location; see `WriteEngine`."""
        try:
            subject = self.subject(location, DELETE, run.deadline(), run.deadline)
        except NotFound:
            if run.remember("delete.began", lambda: False):
                return
            raise
        run.remember("delete.began", lambda: True)
        delete(subject, run)
        self.identities.forget(location.type, location.tokens[-1])

    def change(self, location: Location, values: Mapping[str, Value], run: Run) -> list[str]:
        """Write attributes back where they differ; see `WriteEngine`."""

        def plan_of(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
            return plan_update(mapping, resource, values)

        found = self.find(location, location.type, plan_of, run.deadline())
        binding = binding_at(location, found, found.bindings)
        look = self.look(location, found, run.deadline)
        subject = Subject(found.target, found.plan.resource, binding, look)
        return Changer(subject, values, run).run()

    def perform(
        self, location: Location, operation: str, parameters: Mapping[str, Value], run: Run
    ) -> ActionOutcome:
        """Carry out an action to its end; see `WriteEngine`."""
        subject = self.subject(location, operation, run.deadline(), run.deadline)
        resolved = {
            name: self._resolved(value, subject.target, run) for name, value in parameters.items()
        }
        mapped = subject.resource.operations[operation]
        return Action(subject, mapped, resolved, run, wait_s=None).run()

    def _owner_subject(self, location: Location, run: Run) -> Subject:
        """The owner of the Collection at a location, with the rows that "add" takes."""
        (attribute, token), _ = location.steps
        owner = self.fleet.owner(location.type)
        at = Location(owner, ((attribute, token),))

        def plan_of(mapping: CompiledMapping, resource: ResourceMapping) -> Plan:
            added = mapping.resources.get(location.type)
            operation = added.operations.get(ADD) if added is not None else None
            if added is None or operation is None:
                raise NotFound(
                    f"no {location.type} can be added to {at.path}", reason="action-not-offered"
                )
            return plan_action(mapping, resource, operation, [added.anchor])

        found = self.find(at, owner, plan_of, run.deadline())
        binding = binding_at(at, found, found.bindings)
        return Subject(
            found.target, found.plan.resource, binding, self.look(at, found, run.deadline)
        )

    def _able(self, type_name: str) -> list[Target]:
        """The targets that can make resources of a type."""
        able = [
            target
            for target in self.targets.values()
            if (resource := target.mapping.resources.get(type_name)) is not None
            and ADD in resource.operations
        ]
        if not able:
            raise NotFound(f"no {type_name} can be created here", reason="cannot-create")
        return able

    def _common(self, type_name: str, references: Iterable[str], deadline: Deadline) -> str | None:
        """The target of all that something new refers to, None where that is on none."""
        live = [path for path in references if self._type_at(path) is not None]
        named = {self._located(path, deadline)[0] for path in live}
        if len(named) > 1:
            servers = ", ".join(sorted(named))
            raise BadRequest(
                f"what the {type_name} refers to is on different servers: {servers}",
                reason="different-targets",
            )
        return next(iter(named), None)

    def _target_for(
        self, type_name: str, values: Mapping[str, Value], run: Run, placed: str | None
    ) -> Target:
        """The target that is to have a new resource; the same one when it is made again."""
        references = [ref.path for ref in _refs(dict(values)) if ref.url is None]
        able = {target.alias: target for target in self._able(type_name)}
        alias = self._common(type_name, references, run.deadline()) or placed
        if alias is None and len(able) == 1:
            alias = next(iter(able))
        if alias is None:
            alias = str(
                run.remember("placed", lambda: self.place(type_name, (), Wish(), run.deadline()))
            )
        if placed not in (None, alias):
            raise BadRequest(
                f"the {type_name} is wanted on {placed}, and refers to what is on {alias}",
                reason="different-targets",
            )
        if alias not in able:
            raise BadRequest(f"{alias} cannot create a {type_name}", reason="cannot-create")
        return able[alias]

    def _is_live(self, ref: Ref) -> bool:
        return ref.url is None and self._type_at(ref.path) is not None

    def _type_at(self, path: str) -> str | None:
        """The mapped type of the top-level resource at a neutral path, None for another's."""
        collection = path.partition("/")[0]
        for target in self.targets.values():
            for name, resource in target.mapping.resources.items():
                if resource.parent is None and resource.collection == collection:
                    return name
        return None

    def _located(self, path: str, deadline: Deadline) -> tuple[str, InstancePath]:
        collection, token = path.split("/")[:2]
        type_name = self._type_at(path) or ""
        location = Location(type_name, ((collection, token),))
        return self.fleet.locate(type_name, token, location, deadline)

    def _resolved(self, value: Value, target: Target, run: Run) -> Any:
        """Values with references to what lives on the target as instance paths."""
        if isinstance(value, Ref):
            if not self._is_live(value):
                return value.url or value.path
            alias, path = self._located(value.path, run.deadline())
            if alias != target.alias:
                raise BadRequest(
                    f"{value.path} is on another server than the one that is to use it",
                    reason="different-targets",
                )
            return path
        if isinstance(value, Mapping):
            return {name: self._resolved(inner, target, run) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._resolved(inner, target, run) for inner in value]
        return value

    def _path_of_made(
        self,
        location: Location,
        target: Target,
        resource: ResourceMapping,
        made: InstancePath,
        run: Run,
    ) -> str:
        """The neutral path of what was made; some servers show it only a moment later."""
        plan = plan_read(target.mapping, resource, _ID_ONLY, is_collection=False)
        waits = run.waits(_SEEN_WITHIN_S)
        while True:
            token = self._token_at(location, target, plan, made, run)
            if token is not None:
                if not location.tokens:
                    self.identities.learn(location.type, token, target.alias, made)
                return f"{location.path}/{token}"
            if not waits.wait():
                raise NotFound(
                    f"the {location.type} was made, and cannot be read; list {location.path}",
                    reason="not-found-again",
                )

    def _token_at(
        self, location: Location, target: Target, plan: Plan, made: InstancePath, run: Run
    ) -> str | None:
        top = made
        if location.tokens:
            owner = self.fleet.owner(location.type)
            at = Location(owner, location.steps[:1])
            top = self.fleet.locate(owner, location.tokens[0], at, run.deadline())[1]
        try:
            bindings = Execution(plan, target, run.deadline()).single(top)
        except WbemNotFound:
            return None
        for binding in bindings:
            rows = rows_of(binding, plan.resource.anchor)
            if rows and (rows[0].path == made or not location.tokens):
                return token_of(plan.resource, binding, rows[0].path, target.alias)
        return None


def _refs(value: Value) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _refs(inner)
