"""Carries out one operation on one resource, as the mapping says: refuse, prepare, call, follow.

A method call is sent once. Whether it took effect is never guessed at: a lost answer stays
the error that the gateway raises, and a provider that is still at work is no success yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cimi_cim.errors import CimiCimError, ConflictError, NotFound, ProviderError, ProviderTimeout
from cimi_cim.mapping.arguments import CallContext, arguments
from cimi_cim.mapping.compiled import Choice, MethodUse, OperationMapping, ResourceMapping
from cimi_cim.mapping.execution import MutableBinding, rows_of
from cimi_cim.mapping.items import allowed_values, is_allowed, sent_value, state_of
from cimi_cim.mapping.jobs import JobReading, JobState, Patience, Sleep, follow_job
from cimi_cim.mapping.meanings import (
    METHOD_CODES,
    STATUS_CODES,
    Meaning,
    error_of,
    meaning_of_fault,
    meaning_of_return,
    meaning_of_status,
)
from cimi_cim.mapping.results import ActionOutcome
from cimi_cim.mapping.target import Target
from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemStatus
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.values import InstancePath

_CIM_ERR_FAILED = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """What is acted on: the mapping of its type, its rows just read, and how to look again.

    `look` raises the errors of a read; what is gone is a `NotFound`.
    """

    target: Target
    resource: ResourceMapping
    binding: MutableBinding
    look: Callable[[], MutableBinding]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that the provider took: done at once, or a job, or under way without one."""

    method: str
    meaning: Meaning
    code: int | None
    job: InstancePath | None


class Action:
    """One operation on one resource within one deadline."""

    def __init__(
        self,
        subject: Subject,
        operation: OperationMapping,
        parameters: Mapping[str, Any],
        deadline: Deadline,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._subject = subject
        self._target = subject.target
        self._operation = operation
        self._parameters = parameters
        self._deadline = deadline
        self._sleep = sleep
        operations = subject.resource.operations.values()
        self._transient = {op.during for op in operations if op.during is not None}

    def run(self) -> ActionOutcome:
        """Do it. See `ActEngine.act` for what it raises."""
        state = state_of(self._subject.resource, self._subject.binding)
        self._must_be_allowed(state)
        choice = next((c for c in self._operation.choices if self._applies(c, state)), None)
        if choice is None:
            raise self._forbidden(state)
        steps = [c for c in self._operation.before if self._applies(c, state)]
        # After a step the machine is in another state, for which nothing is advertised yet.
        self._must_be_advertised(steps[0] if steps else choice)
        for step in steps:
            self._complete(step)
        call = self._invoke(choice.use)
        patience = Patience(self._deadline, self._target.action_wait_s, self._sleep)
        is_done = self._is_done(call, state, patience)
        return ActionOutcome(is_done, self._target.alias, call.method, call.code, call.job)

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

    def _complete(self, step: Choice) -> None:
        """Make a preparing call and see it to its end, for what follows needs its effect."""
        call = self._invoke(step.use)
        state = state_of(self._subject.resource, self._subject.binding)
        patience = Patience(self._deadline, self._deadline.remaining_s(), self._sleep)
        if not self._is_done(call, state, patience):
            raise ProviderTimeout(
                f"{self._operation.name} needs {call.method} first, and that is not over yet;"
                " read the resource and try again",
                reason="preparation-not-over",
            )

    def _invoke(self, use: MethodUse) -> _Call:
        """Call once. A provider that refuses only the timeout did nothing, and is called anew."""
        context = CallContext(
            self._subject.binding,
            {**self._target.mapping.constants, **self._parameters},
            self._path_of,
        )
        sent = arguments(use, context)
        returned = self._send(use, sent)
        meaning, code, label = meaning_of_return(use.method, returned.return_value)
        if meaning is Meaning.NO_TIMEOUT_PARAMETER and "TimeoutPeriod" in sent:
            del sent["TimeoutPeriod"]
            returned = self._send(use, sent)
            meaning, code, label = meaning_of_return(use.method, returned.return_value)
        job = self._job_of(use.method, returned)
        is_accepted = meaning in (Meaning.DONE, Meaning.STARTED)
        if is_accepted or (job is not None and self._target.mapping.jobs.accepts_any_return):
            return _Call(use.method.name, meaning, code, job)
        said = label or f"{use.method.name} returned {code}"
        raise error_of(meaning, said, None if code is None else METHOD_CODES + code)

    def _send(self, use: MethodUse, sent: Mapping[str, TypedValue]) -> MethodOutcome:
        method = use.method.name
        try:
            return self._target.gateway.invoke_method(
                self._path_of(use.alias), method, sent, deadline=self._deadline
            )
        except WbemStatus as exc:
            raise self._error_of_status(method, exc.code, exc.description, exc) from exc

    def _error_of_status(
        self, method: str, code: int, text: str, exc: WbemStatus | None = None
    ) -> CimiCimError:
        meaning = meaning_of_fault(self._subject.resource.faults, method, code, text)
        if meaning is None:
            meaning = Meaning.FAILED if exc is None else meaning_of_status(exc)
        return error_of(meaning, text, STATUS_CODES + code)

    def _path_of(self, alias: str) -> InstancePath:
        """Return the path of a relation's row, or of a service of the target."""
        if alias in self._target.mapping.services:
            found = self._target.service(alias, self._deadline)
        else:
            rows = rows_of(self._subject.binding, alias)
            found = rows[0].path if rows else None
        if found is None:
            raise error_of(Meaning.UNSUPPORTED, f"it has no {alias} for this resource", None)
        return found

    def _job_of(self, method: MethodDeclaration, returned: MethodOutcome) -> InstancePath | None:
        """Return the reference in the out parameter that is declared to hold a job."""
        schema = self._target.mapping.schema
        names = {
            parameter.name.lower()
            for parameter in method.parameters
            if parameter.is_out and schema.is_subclass(parameter.reference_class or "", "CIM_Job")
        }
        for name, value in returned.out.items():
            if name.lower() in names and isinstance(value, InstancePath):
                return value
        return None

    def _is_done(self, call: _Call, origin: str | None, patience: Patience) -> bool:
        """Whether the work is over, after some patience. Raises if it ended badly."""
        if call.job is not None:
            jobs = self._target.mapping.jobs
            reading = follow_job(self._target.gateway, jobs, call.job, self._deadline, patience)
            if reading.state is not JobState.GONE:
                return self._ended_well(call, reading)
        is_promised = call.meaning is Meaning.DONE
        if is_promised and not self._transient:
            return True
        return self._is_settled(None if is_promised else origin, patience, unseen=is_promised)

    def _ended_well(self, call: _Call, reading: JobReading) -> bool:
        if reading.state is JobState.STOPPED:
            raise error_of(Meaning.CONFLICT, reading.message or "its job was stopped", None)
        if reading.state is JobState.FAILED:
            text = reading.message or "its job failed without a reason"
            raise self._error_of_status(call.method, _CIM_ERR_FAILED, text)
        return reading.state is JobState.DONE

    def _is_settled(self, origin: str | None, patience: Patience, *, unseen: bool) -> bool:
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
            if not patience.wait():
                return False
