"""Calls a method at most once, says what its answer means, and follows the job it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cimi_cim.errors import CimiCimError, OutcomeUnknown
from cimi_cim.mapping.compiled import Fault, MethodUse
from cimi_cim.mapping.jobs import JobReading, JobState, follow_job, read_errors, terminate
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.mapping.meanings import (
    METHOD_CODES,
    STATUS_CODES,
    Meaning,
    error_of,
    meaning_of_answer,
    meaning_of_fault,
    meaning_of_status,
)
from cimi_cim.mapping.run import Run, Waits
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.wbem_uri import as_path, uri_of
from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.errors import WbemNotFound, WbemStatus
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.values import CimValue, InstancePath

_CIM_ERR_FAILED = 1

FindOut = Callable[[Intent], Outcome | None]


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the provider took: done at once, or a job, or under way without one."""

    method: str
    is_promised: bool  # the return value says that it is done
    code: int | None
    job: InstancePath | None
    made: InstancePath | None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call that is to be made.

    Args:
        key: Names it within its operation.
        use: The method, and the templates of its arguments.
        path: The object it is called on.
        sent: Gives the arguments; asked only when it is really sent.
        created: The out parameter that holds what it makes.
        token: What the new instance will carry.
        before: Gives the paths that there are, where only that tells new ones.
        find_out: Tells what became of it when its answer is lost.
    """

    key: str
    use: MethodUse
    path: InstancePath
    sent: Callable[[], dict[str, TypedValue]]
    find_out: FindOut
    created: str | None = None
    token: str | None = None
    before: Callable[[], tuple[str, ...]] = tuple


class Caller:
    """Calls methods of one target for one run."""

    def __init__(self, target: Target, faults: tuple[Fault, ...], run: Run) -> None:
        self._target = target
        self._faults = faults
        self._run = run

    def call(self, plan: CallPlan) -> Called:
        """Call, once. Raises what the provider's refusal means, and `OutcomeUnknown`."""
        name = f"{plan.use.method.owner or plan.path.classname}.{plan.use.method.name}"

        def intent() -> Intent:
            return Intent(
                plan.key, self._target.alias, name, uri_of(plan.path), plan.token, plan.before()
            )

        outcome = self._run.journal.call(intent, plan.key, lambda: self._send(plan), plan.find_out)
        meaning, code, _ = meaning_of_answer(self._faults, plan.use.method, outcome.return_code)
        namespace = plan.path.namespace
        return Called(
            plan.use.method.name,
            meaning is Meaning.DONE,
            code,
            as_path(outcome.job, namespace),
            as_path(outcome.made, namespace),
        )

    def _send(self, plan: CallPlan) -> Outcome:
        """Send. A provider that refuses only the timeout did nothing, and is called anew."""
        sent, method = plan.sent(), plan.use.method
        returned = self._invoke(plan, sent)
        meaning, code, label = meaning_of_answer(self._faults, method, returned.return_value)
        if meaning is Meaning.NO_TIMEOUT_PARAMETER and "TimeoutPeriod" in sent:
            del sent["TimeoutPeriod"]
            returned = self._invoke(plan, sent)
            meaning, code, label = meaning_of_answer(self._faults, method, returned.return_value)
        job = self._job_of(method, returned, plan.path.namespace)
        is_accepted = meaning in (Meaning.DONE, Meaning.STARTED)
        if is_accepted or (job is not None and self._target.mapping.jobs.accepts_any_return):
            made = _first_path(returned.out, plan.created, plan.path.namespace)
            return Outcome(code, _uri(job), _uri(made))
        said = label or f"{method.name} returned {code}"
        raise error_of(meaning, said, None if code is None else METHOD_CODES + code)

    def _invoke(self, plan: CallPlan, sent: Mapping[str, TypedValue]) -> MethodOutcome:
        name = plan.use.method.name
        try:
            return self._target.gateway.invoke_method(
                plan.path, name, sent, deadline=self._run.deadline()
            )
        except WbemStatus as exc:
            if isinstance(exc, WbemNotFound):
                self._target.doubt(plan.path)
            if self._is_no_fault(name, exc.code, exc.description):
                return MethodOutcome(None, {})
            raise self.error_of_status(name, exc.code, exc.description, exc) from exc

    def error_of_status(
        self, method: str, code: int, text: str, exc: WbemStatus | None = None
    ) -> CimiCimError:
        """Return what a CIM error, or the message of a failed job, means."""
        meaning = meaning_of_fault(self._faults, method, code, text)
        if meaning is None:
            meaning = Meaning.FAILED if exc is None else meaning_of_status(exc)
        return error_of(meaning, text, STATUS_CODES + code)

    def follow(self, called: Called, waits: Waits) -> JobState | None:
        """Follow the job of a call, if it has one; returns its state, GONE if it vanished.

        None where there is no job. Raises what its failure means, and what the waiting raises
        to end it: the job is given up then.
        """
        if called.job is None:
            return None
        jobs = self._target.mapping.jobs
        try:
            reading = follow_job(
                self._target.gateway,
                jobs,
                called.job,
                self._run.deadline,
                waits,
                self._run.progress,
            )
        except CimiCimError:
            terminate(self._target.gateway, jobs, called.job, self._run.deadline())
            raise
        if reading.state is JobState.STOPPED:
            raise error_of(Meaning.CONFLICT, reading.message or "its job was stopped", None)
        if reading.state is JobState.GONE and jobs.is_kept:
            raise error_of(Meaning.FAILED, "its job is gone without a trace", None)
        if reading.state is JobState.FAILED:
            said = self._reason(called, reading)
            if self._is_no_fault(called.method, _CIM_ERR_FAILED, said):
                return JobState.DONE
            raise self.error_of_status(called.method, _CIM_ERR_FAILED, said)
        return reading.state

    def _is_no_fault(self, method: str, code: int, text: str) -> bool:
        """Whether the mapping takes an error for success, such as that it is so already."""
        return meaning_of_fault(self._faults, method, code, text) is Meaning.DONE

    def _reason(self, called: Called, reading: JobReading) -> str:
        said = None
        if called.job is not None:
            said = read_errors(
                self._target.gateway, self._target.mapping.jobs, called.job, self._run.deadline()
            )
        return said or reading.message or "its job failed without a reason"

    def _job_of(
        self, method: MethodDeclaration, returned: MethodOutcome, namespace: str
    ) -> InstancePath | None:
        """Return the reference in the out parameter that is declared, or said, to hold a job."""
        schema, jobs = self._target.mapping.schema, self._target.mapping.jobs
        names = {
            parameter.name.lower()
            for parameter in method.parameters
            if parameter.is_out and schema.is_subclass(parameter.reference_class or "", jobs.parent)
        }
        names = names if jobs.parameter is None else {jobs.parameter.lower()}
        for name, value in returned.out.items():
            path = as_path(value, namespace) if name.lower() in names else None
            if path is not None:
                return path
        return None


def never_sent_again(intent: Intent) -> Outcome:
    """The answer where nothing tells what became of a call. Raises `OutcomeUnknown`."""
    raise OutcomeUnknown(
        f"{intent.method} was called, and its answer was lost; it is not called again. Read the"
        " resource, and send a new request if nothing has changed",
        reason="outcome-unknown",
        method=intent.method,
    )


def _first_path(
    out: Mapping[str, CimValue], name: str | None, namespace: str
) -> InstancePath | None:
    """The path in an out parameter, or the first of several in it; a WBEM URI is one, too."""
    if name is None:
        return None
    for said, value in out.items():
        if said.lower() == name.lower():
            found: Any = value[0] if isinstance(value, tuple) and value else value
            return as_path(found, namespace)
    return None


def _uri(path: InstancePath | None) -> str | None:
    return None if path is None else uri_of(path)
