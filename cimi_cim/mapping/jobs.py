"""Follows a provider's job for a moment: read, wait, read again (reference mapping, 2.8).

What outlives the moment is not this module's affair: the path of the job is handed on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cimi_cim.errors import OutcomeUnknown, ProviderError
from cimi_cim.mapping.compiled import JobDialect
from cimi_cim.mapping.numbers import percent
from cimi_cim.mapping.templates import CallContext, arguments
from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound
from cimi_cim.wbem.gateway import Gateway, TypedValue
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath, Row

_TERMINATE = 4  # RequestedState
_CREATE = 5  # ElementEffects
FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 0.01, 0.2, 2.0

Sleep = Callable[[float], None]


class JobState(Enum):
    """How far a job has come, as far as its provider says."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    GONE = "gone"  # it was removed before it was seen to end


@dataclass(frozen=True, slots=True)
class JobReading:
    """What a job says: its state, and its own words where it failed or was stopped."""

    state: JobState
    message: str = ""
    progress: int | None = None


class Patience:
    """Waits that grow, until a limit or the deadline is reached, whichever is first."""

    def __init__(self, deadline: Deadline, limit_s: float, sleep: Sleep = time.sleep) -> None:
        self._ends_at = deadline.clock() + min(limit_s, deadline.remaining_s())
        self._clock = deadline.clock
        self._sleep = sleep
        self._wait_s = FIRST_WAIT_S

    def wait(self) -> bool:
        """Wait before the next look; False, at once, when the time is up."""
        left = self._ends_at - self._clock()
        if left <= 0:
            return False
        self._sleep(min(self._wait_s, left))
        self._wait_s = min(self._wait_s * GROWTH, LONGEST_WAIT_S)
        return True


def read_job(
    gateway: Gateway, dialect: JobDialect, path: InstancePath, deadline: Deadline
) -> JobReading:
    """Return what a job says now. Raises the errors of the gateway but for a job that is gone."""
    properties = {dialect.state_property, *dialect.failed_when, *dialect.messages}
    properties |= {dialect.progress} if dialect.progress else set()
    try:
        row = gateway.get_instance(path, tuple(sorted(properties)), deadline=deadline)
    except WbemNotFound:
        return JobReading(JobState.GONE)
    state = _state_of(row, dialect)
    is_bad = state in (JobState.FAILED, JobState.STOPPED)
    progress = percent(row.get(dialect.progress)) if dialect.progress else None
    return JobReading(state, _message(row, dialect) if is_bad else "", progress)


class Waiting(Protocol):
    """Waits between two looks."""

    def wait(self) -> bool:
        """Wait before the next look; False when there is no time left."""


def follow_job(
    gateway: Gateway,
    dialect: JobDialect,
    path: InstancePath,
    deadline: Callable[[], Deadline],
    waits: Waiting,
    progress: Callable[[int], None] = lambda percent: None,
) -> JobReading:
    """Return what a job says once it is over, or when the waiting is.

    A job that cannot be read is running for all we know: the work was accepted.
    """
    while True:
        try:
            reading = read_job(gateway, dialect, path, deadline())
        except ProviderError:
            reading = JobReading(JobState.RUNNING)
        if reading.progress is not None:
            progress(reading.progress)
        if reading.state is not JobState.RUNNING or not waits.wait():
            return reading


def give_up(
    gateway: Gateway,
    dialect: JobDialect,
    path: InstancePath,
    deadline: Callable[[], Deadline],
    waits: Waiting,
) -> None:
    """Have a job end, if it is not over, and wait for that (reference mapping, 2.8).

    A provider that does not end it is believed to have ended it when the waiting is over:
    whoever undoes what the job makes is told then that it is in use.
    """
    if read_job(gateway, dialect, path, deadline()).state is not JobState.RUNNING:
        return
    terminate(gateway, dialect, path, deadline())
    follow_job(gateway, dialect, path, deadline, waits)


def terminate(
    gateway: Gateway, dialect: JobDialect, path: InstancePath, deadline: Deadline
) -> None:
    """Ask a job to end without its effect; one that cannot runs on (reference mapping, 2.8)."""
    method, wanted = "RequestStateChange", {"RequestedState": TypedValue("uint16", _TERMINATE)}
    if dialect.cancel is not None:
        context = CallContext({}, {}, lambda alias: path)
        method, wanted = dialect.cancel.method.name, arguments(dialect.cancel.arguments, context)
    elif not dialect.is_standard:
        return
    with suppress(ProviderError, OutcomeUnknown):
        gateway.invoke_method(path, method, wanted, deadline=deadline)


def created_by(
    gateway: Gateway,
    dialect: JobDialect,
    path: InstancePath,
    classname: str | None,
    deadline: Deadline,
) -> InstancePath | None:
    """Return the one element of a class that a job says it made, None for none.

    The dialect may name a property that leads to it; else it is said by ElementEffects.
    """
    if dialect.made is not None:
        return _led_to(gateway, dialect.made, path, deadline)
    association, role, result = "CIM_AffectedJobElement", "AffectingElement", "AffectedElement"
    try:
        links = gateway.references(
            path, (result, "ElementEffects"), result_class=association, role=role, deadline=deadline
        )
        found = gateway.associator_names(
            path, assoc_class=association, result_class=classname, role=role, result_role=result,
            deadline=deadline,
        )  # fmt: skip
    except ProviderError:
        return None
    elements = [link.get(result) for link in links if _CREATE in _many(link.get("ElementEffects"))]
    made = {each.canonical for each in elements if isinstance(each, InstancePath)}
    paths = [each for each in found if each.canonical in made]
    return paths[0] if len(paths) == 1 else None


def _led_to(
    gateway: Gateway, name: str, path: InstancePath, deadline: Deadline
) -> InstancePath | None:
    try:
        value = gateway.get_instance(path, (name,), deadline=deadline).get(name)
    except ProviderError:
        return None
    return as_path(value, path.namespace)


def _many(value: CimValue) -> tuple[CimValue, ...]:
    return value if isinstance(value, tuple) else (value,)


def read_errors(
    gateway: Gateway, dialect: JobDialect, path: InstancePath, deadline: Deadline
) -> str | None:
    """Return the message of the first CIM_Error that a failed job tells, None for none.

    Providers that do not have the method, or do not answer, tell none.
    """
    if not dialect.is_standard:
        return None
    try:
        returned = gateway.invoke_method(path, "GetErrors", {}, deadline=deadline)
    except (ProviderError, OutcomeUnknown):
        return None
    for value in returned.out.values():
        for error in value if isinstance(value, tuple) else (value,):
            if isinstance(error, EmbeddedInstance) and error.values.get("Message"):
                return str(error.values["Message"])
    return None


def state_word(value: Any) -> Any:
    """Return a state as it is compared: texts in lower case, without blanks around them."""
    return value.strip().lower() if isinstance(value, str) else value


def _state_of(row: Row, dialect: JobDialect) -> JobState:
    value = state_word(row.get(dialect.state_property))
    if value in dialect.failed_states:
        return JobState.FAILED
    if value in dialect.stopped:
        return JobState.STOPPED
    if value not in dialect.done:
        return JobState.RUNNING
    # libvirt-cim marks a failed job completed, with an ErrorCode: done is not yet well done.
    has_failed = any(test.holds(row.get(name)) for name, test in dialect.failed_when.items())
    return JobState.FAILED if has_failed else JobState.DONE


def _message(row: Row, dialect: JobDialect) -> str:
    """The first property with words in it."""
    texts = (row.get(name) for name in dialect.messages)
    return next((str(text) for text in texts if isinstance(text, str) and text.strip()), "")
