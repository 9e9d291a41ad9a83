"""What Jobs at work have in common: they wait their turn, and end early when they are told."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cimi_cim.service.jobs.ledger import LeavesJob


class Interrupted(LeavesJob):
    """The program ends; the Job goes on at its next start, or in another bridge."""


class Signals:
    """Tells threads that wait that the program ends, or that their Job is to stop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_closing = False
        self._stopping: set[str] = set()

    def close(self) -> None:
        """Have every run of a body end at the next point where it can."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def stop(self, jobs: Iterable[str]) -> None:
        """Wake what waits for these Jobs."""
        with self._changed:
            self._stopping |= set(jobs)
            self._changed.notify_all()

    def forget(self, job: str) -> None:
        """A Job is over."""
        with self._changed:
            self._stopping.discard(job)

    def check(self) -> None:
        """Raise `Interrupted` if the program ends."""
        if self._is_closing:
            raise Interrupted

    def wants_stop(self, job: str) -> bool:
        """Whether somebody wants a Job to stop, as far as it is known here."""
        return job in self._stopping

    def wait(self, job: str, seconds: float, *, heeds_stop: bool) -> None:
        """Wait; less where the Job is to stop. Raises `Interrupted` if the program ends."""
        until = time.monotonic() + seconds
        with self._changed:
            while not (heeds_stop and job in self._stopping):
                self.check()
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)


class Slots:
    """Lets so many threads work at the same time, in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._free = count
        self._waiting: deque[threading.Event] = deque()

    @property
    def free(self) -> int:
        """How many could be had at once."""
        return self._free

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot for as long as the context lasts."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let others have the slot of this thread for as long as the context lasts."""
        self._give()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # the slot goes from hand to hand
            else:
                self._free += 1
