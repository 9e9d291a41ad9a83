"""Makes resources in one WBEM server, as the mapping says.

What is made carries the token of the request where the mapping names a place for it
(`correlate`), so that it can be found again when the answer of the call is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimi_cim.errors import BadRequest, OutcomeUnknown, ProviderError
from cimi_cim.mapping.acting import Subject, must_be_open
from cimi_cim.mapping.calling import Called, Caller, CallPlan, never_sent_again
from cimi_cim.mapping.compiled import (
    MethodUse,
    OperationMapping,
    Reading,
    ResourceMapping,
)
from cimi_cim.mapping.execution import Execution, rows_of
from cimi_cim.mapping.jobs import created_by
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.mapping.meanings import Meaning, error_of
from cimi_cim.mapping.placement import chosen_pools
from cimi_cim.mapping.plan import plan_found_again
from cimi_cim.mapping.run import Run
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.templates import CallContext, Variables, arguments, variables_of
from cimi_cim.mapping.wbem_uri import uri_of
from cimi_cim.wbem.values import InstancePath

ADD = "add"
LOOK_AGAIN_S = 10
"""How long to look for what a call may have made, before it counts as not made."""

_PARTS = {"disks": "disks", "volumes": "volumes", "interfaces": "interfaces", "image": "an image"}
"""What a request may ask for beside plain values, and a mapping may have no place for."""

_NAMELESS = Reading(lambda binding: None)
_AFFECTED = ("CIM_AffectedJobElement", "AffectingElement", "AffectedElement")


class Maker:
    """Makes one resource by the "add" of its mapping.

    `subject` is its owner, where it is a part of another resource.
    """

    def __init__(
        self,
        target: Target,
        resource: ResourceMapping,
        values: Mapping[str, Any],
        token: str,
        run: Run,
        subject: Subject | None = None,
    ) -> None:
        self._target = target
        self._resource = resource
        self._operation: OperationMapping = resource.operations[ADD]
        self._by_name = self._operation.correlate is None and self._operation.reconcile == "names"
        if self._by_name and not values.get("name") and self._may_name():
            values = {**values, "name": token}  # else the server gives it one of its own
        self._variables = Variables({**target.mapping.constants, **values, "token": token})
        self._name = str(values.get("name") or "")
        self._token = token
        self._run = run
        self._subject = subject
        self._caller = Caller(target, resource.faults, run)
        self._pools: dict[str, InstancePath] = {}
        self._before: tuple[str, ...] | None = None

    def run(self) -> InstancePath:
        """Make it, and return its path once it is there. Raises as `Action.run` does."""
        use = self._operation.choices[0].use
        self._must_be_possible(use)
        chosen = chosen_pools(self._target, use, self._run.deadline())
        self._pools = {alias: row.path for alias, row in chosen.items()}
        owned = self._subject.binding if self._subject is not None else {}
        context = CallContext({**owned, **chosen}, self._variables, self._path_in)
        # Where the provider does not tell what it makes, what is new tells it.
        if self._operation.created is None and self._by_name:
            self._before = tuple(self._run.remember("before", lambda: list(self._present())))
        called = self._caller.call(
            CallPlan(
                ADD,
                use,
                self._path_of(use.alias),
                lambda: arguments(use.arguments, context),
                self._find_out,
                created=self._operation.created,
                token=self._token,
                before=self._names_before if self._by_name else tuple,
            )
        )
        self._caller.follow(called, self._run.waits(None))
        made = called.made or self._affected(called) or self._found_again()
        if made is None:
            raise OutcomeUnknown(
                f"the provider says that the {self._resource.type} is made, and it is not to be"
                " found; list the collection, and try again if it is not there",
                reason="not-found-again",
            )
        return made

    def _may_name(self) -> bool:
        """Whether the call takes a name, and goes without one that is said."""
        taken = variables_of(self._operation.choices[0].use.arguments)
        return "name" in taken and "name" not in self._operation.required

    def _names_before(self) -> tuple[str, ...]:
        return self._present() if self._before is None else self._before

    def _must_be_possible(self, use: MethodUse) -> None:
        """Refuse what the mapping has no place for, and what lacks something it must have."""
        lacking = [name for name in self._operation.required if not self._variables.get(name)]
        if lacking:
            raise BadRequest(
                f"a {self._resource.type} here needs {', '.join(lacking)}",
                reason="missing-attribute",
            )
        taken = variables_of(use.arguments)
        for name, value in self._variables.items():
            if name in _PARTS and name not in taken and value:
                raise BadRequest(
                    f"a {self._resource.type} here is made without {_PARTS[name]}; leave that out",
                    reason="not-supported",
                )
        if self._subject is not None:
            must_be_open(self._subject.resource, self._operation, self._subject.binding)

    def _path_in(self, alias: str) -> InstancePath | None:
        """A path in the arguments: a pool that nothing is taken from has none."""
        if alias in self._target.mapping.pools:
            return self._pools.get(alias)
        return self._path_of(alias)

    def _path_of(self, alias: str) -> InstancePath:
        if self._subject is not None:
            return self._subject.path_of(alias, self._run)
        found = None
        if alias in self._target.mapping.services:
            found = self._target.service(alias, self._run.deadline())
        if found is None:
            raise error_of(Meaning.UNSUPPORTED, f"it has no {alias}", None)
        return found

    def _find_out(self, intent: Intent) -> Outcome:
        """What became of a call whose answer was lost: what it made is there, or comes yet."""
        waits = self._run.waits(LOOK_AGAIN_S)
        while True:
            try:
                made = self._found_again(intent)
            except ProviderError:
                made = None
            if made is not None:
                return Outcome(made=uri_of(made), was_found_out=True)
            if not waits.wait():
                return never_sent_again(intent)

    def _found_again(self, intent: Intent | None = None) -> InstancePath | None:
        """The instance that carries the token, or the only new one of the name."""
        found = self.correlated()
        known = self._before if intent is None else intent.before
        if found is not None or known is None or not self._by_name:
            return found
        before = set(known)
        new = [(path, name) for path, name in self._named() if uri_of(path) not in before]
        named = [path for path, name in new if not self._name or name in (None, "", self._name)]
        if len(named) > 1:
            listed = ", ".join(map(uri_of, named[:5]))
            raise OutcomeUnknown(
                f"several new {self._resource.type}s may be the one that was asked for: {listed};"
                " delete those that are not wanted, or use one of them",
                reason="ambiguous",
            )
        return named[0] if named else None

    def correlated(self) -> InstancePath | None:
        """Return what carries the token, None for nothing, or if nothing can carry it.

        What nothing else can be told by bears it as its name, unless it was given another one.
        """
        correlate = self._operation.correlate
        if correlate is None:
            named = self._named() if self._by_name else ()
            return next((path for path, name in named if name == self._token), None)
        plan = plan_found_again(self._target.mapping, self._resource, correlate)
        for binding in Execution(plan, self._target, self._run.deadline()).batch():
            value = correlate.evaluate(binding)
            if isinstance(value, str) and self._token in value:
                rows = rows_of(binding, self._resource.anchor)
                return rows[0].path if rows else None
        return None

    def _present(self) -> tuple[str, ...]:
        return tuple(uri_of(path) for path, _ in self._named())

    def _named(self) -> list[tuple[InstancePath, Any]]:
        """What there is of the type, with its name; of a part, in its owner, without."""
        anchor = self._resource.anchor
        if self._subject is not None:
            return [(row.path, None) for row in rows_of(self._subject.look(), anchor)]
        mapped = self._resource.attributes.get("name")
        reading = mapped.reading if mapped is not None and mapped.reading is not None else _NAMELESS
        plan = plan_found_again(self._target.mapping, self._resource, reading)
        return [
            (row.path, reading.evaluate(binding))
            for binding in Execution(plan, self._target, self._run.deadline()).batch()
            for row in rows_of(binding, anchor)
        ]

    def _affected(self, called: Called) -> InstancePath | None:
        """What the job tells that it made (reference mapping, 2.8)."""
        if called.job is None:
            return None
        association, role, result = _AFFECTED
        anchor = self._resource.relations.get(self._resource.anchor)
        classname = anchor.classname if anchor is not None else None
        gateway = self._target.gateway
        jobs = self._target.mapping.jobs
        made = created_by(gateway, jobs, called.job, classname, self._run.deadline())
        if made is not None or jobs.made is not None:
            return made
        try:
            found = gateway.associator_names(
                called.job, assoc_class=association, role=role, result_role=result,
                result_class=classname, deadline=self._run.deadline(),
            )  # fmt: skip
        except ProviderError:
            return None
        return found[0] if len(found) == 1 else None
