"""A Job's context as the `Run` that the mapping engine asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cimi_cim.mapping.journal import Intent, Journal, Outcome
from cimi_cim.mapping.run import Waits
from cimi_cim.service.jobs.bodies import JobContext
from cimi_cim.wbem.deadline import Deadline

FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 0.02, 2.0, 1.6


class JobRun:
    """Carries out one operation of a Job; `prefix` keeps its keys apart from others'.

    `share` is the part of the Job's progress, from and to, that it makes up.
    """

    def __init__(
        self,
        context: JobContext,
        deadline_s: float,
        prefix: str = "",
        share: tuple[int, int] = (0, 100),
    ) -> None:
        self._context = context
        self._deadline_s = deadline_s
        self._prefix = prefix
        self._share = share

    @property
    def journal(self) -> Journal:
        """The Job's journal."""
        return _Prefixed(self._context.journal, self._prefix)

    def deadline(self) -> Deadline:
        """Return a new deadline: a Job has time, a WBEM operation has not."""
        return Deadline.after(self._deadline_s)

    def waits(self, limit_s: float | None) -> Waits:
        """Return waits that grow; other Jobs are at work meanwhile."""
        return _JobWaits(self._context, limit_s)

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what `make` gave when the key was first asked for in this Job."""
        return self._context.seen(f"{self._prefix}{key}", make)

    def secure(self) -> None:
        """Keep what was said so far."""
        self._context.secure()

    def progress(self, percent: int) -> None:
        """Tell how far the operation has come."""
        begin, end = self._share
        self._context.progress(begin + (end - begin) * max(0, min(percent, 100)) // 100)


class _Prefixed:
    def __init__(self, journal: Journal, prefix: str) -> None:
        self._journal = journal
        self._prefix = prefix

    def call(
        self,
        intent: Callable[[], Intent],
        key: str,
        send: Callable[[], Outcome],
        find_out: Callable[[Intent], Outcome | None],
    ) -> Outcome:
        return self._journal.call(intent, f"{self._prefix}{key}", send, find_out)


class _JobWaits:
    def __init__(self, context: JobContext, limit_s: float | None) -> None:
        self._context = context
        self._ends_at = None if limit_s is None else time.monotonic() + limit_s
        self._wait_s = FIRST_WAIT_S

    def wait(self) -> bool:
        wait_s = self._wait_s
        if self._ends_at is not None:
            left_s = self._ends_at - time.monotonic()
            if left_s <= 0:
                return False
            wait_s = min(wait_s, left_s)
        self._context.sleep(wait_s)  # which ends, and raises, where the Job is to stop
        self._wait_s = min(self._wait_s * GROWTH, LONGEST_WAIT_S)
        return True
