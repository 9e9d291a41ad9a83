"""How an operation is carried out: within one request, or as durable work without haste."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from cimi_cim.mapping.jobs import Patience, Sleep
from cimi_cim.mapping.journal import Journal, Unjournaled
from cimi_cim.wbem.deadline import Deadline


class Waits(Protocol):
    """Waits between looks at something that takes its time."""

    def wait(self) -> bool:
        """Wait before the next look; False, at once, when there is no time left.

        Raises what ends the work when somebody wants it to stop.
        """


class Run(Protocol):
    """One carrying out of an operation; what is durable runs again after a crash."""

    @property
    def journal(self) -> Journal:
        """Keeps method calls from being sent twice."""

    def deadline(self) -> Deadline:
        """Return the deadline of the next WBEM operation."""

    def waits(self, limit_s: float | None) -> Waits:
        """Return waits of `limit_s` seconds at most; None for as long as it takes."""

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what `make` (a JSON value) gave when the key was first asked for.

        `make` only reads; what it gave is kept before the next call of the journal.
        """

    def secure(self) -> None:
        """Keep what was said so far, before something is changed without the journal."""

    def progress(self, percent: int) -> None:
        """Tell how far the work has come."""


class Immediate:
    """Everything within the deadline of one request; nothing outlives it."""

    def __init__(self, deadline: Deadline, *, sleep: Sleep = time.sleep) -> None:
        self._deadline = deadline
        self._sleep = sleep
        self.journal: Journal = Unjournaled()

    def deadline(self) -> Deadline:
        """Return the deadline of the request."""
        return self._deadline

    def waits(self, limit_s: float | None) -> Waits:
        """Return waits until the limit or the deadline, whichever is first."""
        limit = self._deadline.remaining_s() if limit_s is None else limit_s
        return Patience(self._deadline, limit, self._sleep)

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what `make` gives."""
        return make()

    def secure(self) -> None:
        """Nothing is kept."""

    def progress(self, percent: int) -> None:
        """Nobody asks."""
