"""A circuit breaker: nobody waits for a WBEM server that was found to be down.

A server is down if it cannot be reached, or says nothing for long; what it answers, errors
included, shows that it is up. While the circuit is open operations are refused at once, and
whoever keeps the breaker asks the server from time to time (`probe`), so that no request has to.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from cimi_cim.errors import CimiCimError, OutcomeUnknown, ProviderUnavailable
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import (
    WbemBusy,
    WbemNotCimXml,
    WbemServerDown,
    WbemTimeout,
    WbemTlsFailed,
    WbemUnreachable,
)
from cimi_cim.wbem.gateway import Gateway, MethodOutcome, TypedValue
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row

T = TypeVar("T")

_REFUSALS = (WbemUnreachable, WbemTlsFailed, WbemBusy)
_ASKED_FOR = ("CIM_ObjectManager", "interop")  # few names, and an error is an answer, too


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a circuit opens, and when the server is asked again.

    Args:
        failures: So many in a row, without an answer in between, open it.
        silence_s: An operation that got no answer for so long, while no other one got one
            either, opens it at once.
        first_wait_s: Seconds to the first probe; each later one waits twice as long.
        longest_wait_s: Bound of these waits. Each is cut by up to a quarter, at random.
    """

    failures: int = 3
    silence_s: float = 10
    first_wait_s: float = 1
    longest_wait_s: float = 60


class Circuit(Enum):
    """What a breaker does with operations: passes them on, or refuses them."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a server: `cause` is why it is taken to be down, None if it is not.

    `probe_in_s` is when it is asked again, None while the circuit is closed.
    """

    circuit: Circuit
    cause: CimiCimError | None = None
    probe_in_s: float | None = None


class Breaker:
    """Implements `Gateway` over another one; `on_change` is called after every change.

    It is called by whichever thread saw it, so it should only take note.
    """

    def __init__(
        self,
        inner: Gateway,
        settings: BreakerSettings | None = None,
        *,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._settings = settings or BreakerSettings()
        self.on_change = on_change
        self._clock, self._jitter = clock, jitter
        self._lock = threading.Lock()
        self._cause: CimiCimError | None = None
        self._failures = self._openings = 0
        self._answered_at = -math.inf
        self._probe_at = math.inf

    @property
    def health(self) -> Health:
        """What is known of the server now."""
        with self._lock:
            if self._cause is None:
                return Health(Circuit.CLOSED)
            return Health(Circuit.OPEN, self._cause, max(0.0, self._probe_at - self._clock()))

    def must_be_up(self) -> None:
        """Raise `WbemServerDown` while the circuit is open."""
        with self._lock:
            if self._cause is not None:
                raise self._refusal(self._cause)

    def probe(self, deadline: Deadline) -> None:
        """Ask the server whether it is there, and close the circuit if it answers anything."""
        classname, namespace = _ASKED_FOR
        try:
            self._inner.class_names(classname, namespace, deadline=deadline)
        except CimiCimError as exc:
            if isinstance(exc, WbemTimeout) or _is_down(exc):
                with self._lock:
                    self._open(exc)
                return
        self._answered(is_probe=True)

    def _open(self, cause: CimiCimError) -> None:
        """Open the circuit, or leave it open, until after the next wait; under the lock."""
        settings = self._settings
        longest_s = settings.longest_wait_s
        wait_s = min(settings.first_wait_s * 2.0 ** min(self._openings, 30), longest_s)
        self._probe_at = self._clock() + wait_s * (1 - self._jitter() / 4)
        self._openings += 1
        self._cause = cause

    def _pass(self, call: Callable[[], T]) -> T:
        self.must_be_up()
        began = self._clock()
        try:
            found = call()
        except OutcomeUnknown:
            raise  # it may be up, and slow
        except WbemTimeout as exc:
            self._failed(exc, began)
            raise
        except CimiCimError as exc:
            if _is_down(exc):
                self._failed(exc, began)
            else:
                self._answered()
            raise
        self._answered()
        return found

    def _answered(self, *, is_probe: bool = False) -> None:
        with self._lock:
            was_open = self._cause is not None
            self._cause, self._probe_at = None, math.inf
            self._answered_at = self._clock()
            self._failures = 0
            if not is_probe:  # only who serves again waits anew: some answer probes alone
                self._openings = 0
        if was_open:
            self.on_change()

    def _failed(self, exc: CimiCimError, began: float) -> None:
        """Count a failure: one that followed a long silence is enough."""
        with self._lock:
            is_silent = self._answered_at <= began
            waited_long = self._clock() - began >= self._settings.silence_s
            if isinstance(exc, WbemTimeout) and not (is_silent and waited_long):
                return  # the request had no time left, or the server is only slow with this one
            self._failures += 1
            is_enough = self._failures >= self._settings.failures
            if self._cause is not None or not (is_enough or (is_silent and waited_long)):
                return
            self._open(exc)
        self.on_change()

    def _refusal(self, cause: CimiCimError) -> WbemServerDown:
        left_s = max(1, math.ceil(self._probe_at - self._clock()))
        reason = cause.reason if isinstance(cause, ProviderUnavailable) else None
        return WbemServerDown(
            f"{cause.message}; it is asked again in {left_s} s", reason=reason,
            retry_after_s=left_s, target_url=cause.fields.get("target_url"),
        )  # fmt: skip

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Pass on, or refuse."""
        return self._pass(
            lambda: self._inner.enumerate_instances(
                classname, namespace, properties, deadline=deadline
            ),
        )

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Pass on, or refuse."""
        return self._pass(lambda: self._inner.get_instance(path, properties, deadline=deadline))

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Pass on, or refuse."""
        return self._pass(lambda: self._inner.get_whole(path, deadline=deadline))

    def associators(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Pass on, or refuse."""
        return self._pass(
            lambda: self._inner.associators(path, properties, deadline=deadline, **filters),
        )

    def associator_names(
        self, path: InstancePath, *, deadline: Deadline, **filters: Any
    ) -> list[InstancePath]:
        """Pass on, or refuse."""
        return self._pass(lambda: self._inner.associator_names(path, deadline=deadline, **filters))

    def references(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Pass on, or refuse."""
        return self._pass(
            lambda: self._inner.references(path, properties, deadline=deadline, **filters),
        )

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Pass on, or refuse."""
        return self._pass(lambda: self._inner.class_names(classname, namespace, deadline=deadline))

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Pass on, or refuse: what is refused was not sent."""
        return self._pass(
            lambda: self._inner.invoke_method(path, method, parameters, deadline=deadline),
        )

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Pass on, or refuse: what is refused was not sent."""
        self._pass(lambda: self._inner.modify_instance(path, values, deadline=deadline))

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Pass on, or refuse: what is refused was not sent."""
        return self._pass(
            lambda: self._inner.create_instance(classname, namespace, values, deadline=deadline)
        )

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Pass on, or refuse: what is refused was not sent."""
        self._pass(lambda: self._inner.delete_instance(path, deadline=deadline))

    def close(self) -> None:
        """Give back every connection."""
        self._inner.close()


def _is_down(exc: CimiCimError) -> bool:
    """Whether a failure says that there is no server at work; bad credentials do not."""
    if isinstance(exc, WbemNotCimXml):
        return bool(exc.fields.get("http_status", 0) >= 500)
    return isinstance(exc, _REFUSALS)
