"""Carries out one operation on one resource, as the mapping says: refuse, prepare, call, follow.

A method call is sent once. Whether it took effect is never guessed at: a lost answer stays
the error that the gateway raises, or is found out from the state; and a provider that is
still at work is no success yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cimi_cim.errors import ConflictError, NotFound, ProviderError, ProviderTimeout
from cimi_cim.mapping.calling import Called, Caller, CallPlan, FindOut, never_sent_again
from cimi_cim.mapping.compiled import Choice, MethodUse, OperationMapping, ResourceMapping
from cimi_cim.mapping.execution import MutableBinding, rows_of
from cimi_cim.mapping.items import allowed_values, is_allowed, sent_value, state_of
from cimi_cim.mapping.jobs import JobState, created_by
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.mapping.meanings import Meaning, error_of
from cimi_cim.mapping.results import ActionOutcome
from cimi_cim.mapping.run import Run, Waits
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.templates import CallContext, Variables, arguments
from cimi_cim.wbem.values import InstancePath


@dataclass(frozen=True, slots=True)
class Subject:
    """What is acted on: the mapping of its type, its rows just read, and how to look again.

    `look` raises the errors of a read; what is gone is a `NotFound`.
    """

    target: Target
    resource: ResourceMapping
    binding: MutableBinding
    look: Callable[[], MutableBinding]

    def path_of(self, alias: str, run: Run) -> InstancePath:
        """Return the path of a relation's row, or of a service of the target."""
        if alias not in self.target.mapping.services:
            rows = rows_of(self.binding, alias)
            if not rows:
                raise ConflictError(
                    f"the provider has no {alias} for this {self.resource.type} now; read its"
                    " operations for what it takes",
                    reason="state-forbids",
                )
            return rows[0].path
        found = self.target.service(alias, run.deadline())
        if found is None:
            raise error_of(Meaning.UNSUPPORTED, f"it has no {alias}", None)
        return found


def must_be_free(subject: Subject, operation: OperationMapping) -> None:
    """Raise `ConflictError` where something uses the resource, or its owner's state forbids it."""
    used = [alias for alias in operation.unless if rows_of(subject.binding, alias)]
    if used:
        raise ConflictError(
            f"the {subject.resource.type} is in use; take it out of what uses it first",
            reason="in-use",
        )
    owner = subject.target.mapping.resources.get(subject.resource.parent or "")
    if owner is not None:
        must_be_open(owner, operation, subject.binding)


def must_be_open(
    owner: ResourceMapping, operation: OperationMapping, binding: MutableBinding
) -> None:
    """Raise `ConflictError` where the state of the owner of a part forbids an operation on it."""
    state = state_of(owner, binding)
    if operation.owner_states is None or state in operation.owner_states:
        return
    allowed = " or ".join(sorted(operation.owner_states))
    raise ConflictError(
        f"this is possible while the {owner.type} is {allowed}, and it is"
        f" {state or 'in an unknown state'}",
        reason="state-forbids",
        state=state,
    )


class Action:
    """One operation on one resource."""

    def __init__(
        self,
        subject: Subject,
        operation: OperationMapping,
        parameters: Mapping[str, Any],
        run: Run,
        *,
        wait_s: float | None,
        find_out: FindOut | None = None,
    ) -> None:
        """See the module. `wait_s` bounds the wait for the provider's end; None: none does."""
        self._subject = subject
        self._target = subject.target
        self._operation = operation
        self._parameters = parameters
        self._run = run
        self._wait_s = wait_s
        self._find_out = find_out or self._by_state
        self._caller = Caller(subject.target, subject.resource.faults, run)
        operations = subject.resource.operations.values()
        self._transient = {op.during for op in operations if op.during is not None}
        self._origin: str | None = None

    def run(self) -> ActionOutcome:
        """Do it. See `ActEngine.act` for what it raises."""
        now = state_of(self._subject.resource, self._subject.binding)
        state = self._run.remember(f"{self._operation.name}.state", lambda: now)
        self._origin = state
        self._must_be_allowed(state)
        must_be_free(self._subject, self._operation)
        choice = next((c for c in self._operation.choices if self._applies(c, state)), None)
        if choice is None:
            raise self._forbidden(state)
        steps = [c for c in self._operation.before if self._applies(c, state)]
        # After a step the machine is in another state, for which nothing is advertised yet;
        # when work is taken up again, its own calls are behind what is advertised.
        if now == state:
            self._must_be_advertised(steps[0] if steps else choice)
        for number, step in enumerate(steps):
            self._complete(f"{self._operation.name}.before.{number}", step)
        called = self._invoke(self._operation.name, choice.use, self._find_out)
        is_done = self._is_done(called, state, self._run.waits(self._wait_s))
        made = called.made
        if made is None and is_done and called.job is not None:
            made = self._created(choice.use, called.job)
        return ActionOutcome(
            is_done, self._target.alias, called.method, called.code, called.job, made
        )

    def _created(self, use: MethodUse, job: InstancePath) -> InstancePath | None:
        """What the job says that it made, where the operation makes something."""
        name = (self._operation.created or "").lower()
        for parameter in use.method.parameters:
            if name and parameter.name.lower() == name:
                classname = parameter.reference_class
                jobs, deadline = self._target.mapping.jobs, self._run.deadline()
                return created_by(self._target.gateway, jobs, job, classname, deadline)
        return None

    def _must_be_allowed(self, state: str | None) -> None:
        if not is_allowed(self._operation, state):
            raise self._forbidden(state)

    def _forbidden(self, state: str | None) -> ConflictError:
        allowed = ", ".join(sorted(self._operation.states or ()))
        return ConflictError(
            f"{self._operation.name} is possible in {allowed or 'no state'}, and the"
            f" {self._subject.resource.type} is {state or 'in an unknown state'}",
            reason="state-forbids",
            state=state,
        )

    def _must_be_advertised(self, choice: Choice) -> None:
        rule = self._subject.resource.advertise
        allowed = allowed_values(self._subject.resource, self._subject.binding)
        if rule is None or allowed is None:
            return
        value = sent_value(choice.use, rule.parameter)
        if value is not None and value not in allowed:
            raise ConflictError(
                f"the provider does not offer {self._operation.name} on this"
                f" {self._subject.resource.type} now{self._other_way(choice)}",
                reason="not-advertised",
                parameter=rule.parameter,
                value=value,
            )

    def _other_way(self, choice: Choice) -> str:
        """The hint that the operation may go with, or without, a parameter of the request."""
        words = {c.word for c in self._operation.choices if c.kind == "parameter"}
        if choice.kind == "parameter":
            return f"; without {choice.word} it may"
        return f"; with {' or '.join(sorted(words))} it may" if words else ""

    def _applies(self, choice: Choice, state: str | None) -> bool:
        """Whether a condition holds; states are those in which the request found the resource."""
        if choice.kind == "parameter":
            return bool(self._parameters.get(choice.word))
        if choice.kind == "state-is":
            return state == choice.word
        return choice.kind == "always" or state != choice.word

    def _complete(self, key: str, step: Choice) -> None:
        """Make a preparing call and see it to its end, for what follows needs its effect."""
        called = self._invoke(key, step.use, self._by_state)
        if not self._is_done(called, self._origin, self._run.waits(None)):
            raise ProviderTimeout(
                f"{self._operation.name} needs {called.method} first, and that is not over yet;"
                " read the resource and try again",
                reason="preparation-not-over",
            )

    def _invoke(self, key: str, use: MethodUse, find_out: FindOut) -> Called:
        def path_of(alias: str) -> InstancePath:
            return self._subject.path_of(alias, self._run)

        variables = Variables({**self._target.mapping.constants, **self._parameters})
        context = CallContext(self._subject.binding, variables, path_of)
        return self._caller.call(
            CallPlan(
                key,
                use,
                path_of(use.alias),
                lambda: arguments(use.arguments, context),
                find_out,
                created=self._operation.created,
            )
        )

    def _by_state(self, intent: Intent) -> Outcome:
        """What the state tells of a call whose answer was lost (reconcile: state)."""
        try:
            state = state_of(self._subject.resource, self._subject.look())
        except ProviderError:
            return never_sent_again(intent)
        if state is None or state == self._origin:
            return never_sent_again(intent)
        return Outcome(was_found_out=True)

    def _is_done(self, called: Called, origin: str | None, waits: Waits) -> bool:
        """Whether the work is over, after some waiting. Raises if it ended badly."""
        state = self._caller.follow(called, waits)
        if state not in (None, JobState.GONE):
            return state is JobState.DONE
        if called.is_promised and not self._transient:
            return True
        seen = None if called.is_promised else origin
        return self._is_settled(seen, waits, unseen=called.is_promised)

    def _is_settled(self, origin: str | None, waits: Waits, *, unseen: bool) -> bool:
        """Whether the state is none of those on the way, nor still `origin` (None: any will do).

        Several providers answer before the state changes. `unseen` is the answer when the
        resource cannot be read.
        """
        while True:
            try:
                state = state_of(self._subject.resource, self._subject.look())
            except (ProviderError, NotFound):
                return unseen
            if state not in self._transient and (origin is None or state != origin):
                return True
            if not waits.wait():
                return False
