"""Looks at all servers, shared by those who need one at the same time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from cimi_cim.errors import ProviderTimeout
from cimi_cim.wbem.deadline import Deadline

T = TypeVar("T")

LONGEST_REST_S = 1.0


@dataclass(slots=True)
class _Kept(Generic[T]):
    """Of one key: the look under way, the one that is to come, and when that may begin."""

    running: Future[T] | None = None
    coming: Future[T] | None = None
    begins_at: float = 0.0


class Looks(Generic[T]):
    """One look per key at a time, which never takes more than half of the time.

    Whoever asks gets a look that began later: clients that ask for things that are not
    there, however many, have the servers asked in turn and not each for himself.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept[T]] = {}

    def look(self, key: Hashable, deadline: Deadline, look: Callable[[], T]) -> T:
        """Return what a look that began after this call found. Raises what it raises."""
        while True:
            with self._lock:
                kept = self._kept.setdefault(key, _Kept())
                coming = kept.coming
                if coming is None:
                    mine = kept.coming = Future()
            if coming is None:
                return self._lead(kept, mine, deadline, look)
            try:
                return coming.result(timeout=deadline.remaining_s())
            except TimeoutError as exc:
                raise _too_late() from exc
            except ProviderTimeout:
                if deadline.is_over:
                    raise

    def _lead(
        self, kept: _Kept[T], mine: Future[T], deadline: Deadline, look: Callable[[], T]
    ) -> T:
        try:
            self._wait_turn(kept, deadline)
        except BaseException as exc:
            with self._lock:
                kept.coming = None
            mine.set_exception(exc)
            raise
        with self._lock:
            kept.coming, kept.running = None, mine
        began = self._clock()
        try:
            found = look()
        except BaseException as exc:
            self._end(kept, began)
            mine.set_exception(exc)
            raise
        self._end(kept, began)
        mine.set_result(found)
        return found

    def _wait_turn(self, kept: _Kept[T], deadline: Deadline) -> None:
        if kept.running is not None:
            try:
                kept.running.exception(timeout=deadline.remaining_s())
            except TimeoutError as exc:
                raise _too_late() from exc
        rest_s = kept.begins_at - self._clock()
        if rest_s >= deadline.remaining_s():
            raise _too_late()
        if rest_s > 0:
            self._sleep(rest_s)

    def _end(self, kept: _Kept[T], began: float) -> None:
        with self._lock:
            ended = self._clock()
            kept.running = None
            kept.begins_at = ended + min(ended - began, LONGEST_REST_S)


class Recent:
    """What was seen within the last `seconds`; of very much, the oldest is forgotten earlier."""

    MOST = 10_000

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._seen: dict[Hashable, float] = {}  # in order of time

    def add(self, *what: Hashable) -> None:
        """See something now."""
        with self._lock:
            self._seen.pop(what, None)
            self._seen[what] = self._clock()
            if len(self._seen) > self.MOST:
                del self._seen[next(iter(self._seen))]

    def has(self, *what: Hashable) -> bool:
        """Whether something was seen lately."""
        with self._lock:
            return self._clock() - self._seen.get(what, -math.inf) < self._seconds


def _too_late() -> ProviderTimeout:
    return ProviderTimeout(
        "too many clients ask for what is not known, and the WBEM servers are asked for it in"
        " turn; try again"
    )
