"""Threads that all targets share, without one of them being able to keep them all.

Reads spend their time waiting for WBEM servers, and a server may hang: a thread that waits for
one is then not there for the others. So each target has a lane with a limit of its own, and a
task that takes long does not count: another thread takes its place, as long as there are not
too many. Tasks see the context variables of whoever submitted them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

USUAL, MOST = 64, 512
LONG_S = 0.5
LOOKS_S = 0.1
IDLE_S = 5.0


class Threads(Protocol):
    """What runs tasks, each in a copy of the context of whoever submits it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a task run."""

    def map(self, fn: Callable[[U], T], items: Iterable[U], /) -> Iterator[T]:
        """Have a task run on each item; yields the results in their order."""


class Crew:
    """Threads that come with the work and go when there is none for `IDLE_S`.

    At most `usual` of them work on tasks that are younger than `long_s`, and there are at
    most `most`: so many tasks have to hang before others wait for one of them to end.
    """

    def __init__(
        self, name: str, *, usual: int = USUAL, most: int = MOST, long_s: float = LONG_S
    ) -> None:
        self._name, self._usual, self._most, self._long_s = name, usual, most, long_s
        self._turns_or_end = threading.Condition()
        self._turns: deque[Lane] = deque()  # of those whose next task may run
        self._idle = 0
        self._began: dict[int, float] = {}  # by thread, of the task that it works on
        self._threads: set[threading.Thread] = set()
        self._lanes: list[Lane] = []
        self._is_watched = self._is_closed = False

    @property
    def size(self) -> int:
        """How many threads there are now."""
        return len(self._threads)

    @property
    def is_closed(self) -> bool:
        """Whether no more tasks are begun."""
        return self._is_closed

    def lane(self, limit: int) -> Lane:
        """Return a lane in which at most `limit` tasks run at the same time."""
        lane = Lane(self, limit)
        self._lanes.append(lane)
        return lane

    def close(self, wait_s: float = 1.0) -> None:
        """Begin no more tasks, and wait a moment for those that run."""
        with self._turns_or_end:
            self._is_closed = True
            self._turns.clear()
            self._turns_or_end.notify_all()
            threads = list(self._threads)
        for lane in self._lanes:
            lane.clear()
        ends_at = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def turn(self, lane: Lane) -> None:
        """Have a thread take the next task of a lane."""
        with self._turns_or_end:
            if self._is_closed:
                return
            self._turns.append(lane)
            self._staff()
            self._turns_or_end.notify()

    def _staff(self) -> None:
        """Have one more thread if it is wanted and allowed, else look again in a moment."""
        if len(self._turns) <= self._idle:
            return
        if len(self._threads) < min(self._most, self._usual + self._long()):
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()
        elif not self._is_watched:
            self._is_watched = True
            threading.Thread(target=self._watch, name=f"{self._name}-watch", daemon=True).start()

    def _long(self) -> int:
        """How many tasks have been running for long."""
        if len(self._threads) < self._usual:
            return 0
        since = time.monotonic() - self._long_s
        return sum(began < since for began in self._began.values())

    def _watch(self) -> None:
        """Add threads as long as tasks wait behind such as take long."""
        while True:
            time.sleep(min(LOOKS_S, self._long_s))
            with self._turns_or_end:
                wanted = len(self._turns) - self._idle
                if wanted <= 0:
                    self._is_watched = False
                    return
                for _ in range(wanted):
                    self._staff()

    def _work(self) -> None:
        me = threading.current_thread()
        ident = threading.get_ident()
        while (lane := self._next(me)) is not None:
            task = lane.take()
            if task is not None:
                self._began[ident] = time.monotonic()
                task()
                del task  # what it worked on may be large, and the wait for the next one long
                del self._began[ident]
            lane.leave()

    def _next(self, me: threading.Thread) -> Lane | None:
        """The next lane whose turn it is, None for the end of the thread."""
        with self._turns_or_end:
            while not self._turns:
                is_called = False
                if not self._is_closed:
                    self._idle += 1
                    is_called = self._turns_or_end.wait(IDLE_S)
                    self._idle -= 1
                if not is_called and not self._turns:
                    self._threads.discard(me)
                    return None
            return self._turns.popleft()


class Lane:
    """Implements `Threads` for one target: at most `limit` tasks at the same time."""

    def __init__(self, crew: Crew, limit: int) -> None:
        self._crew = crew
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a task run; it sees the context variables as they are now."""
        future: Future[T] = Future()
        call = partial(copy_context().run, partial(fn, *args, **kwargs))
        with self._lock:
            self._waiting.append((future, call))
            has_room = self._running < self._limit
            self._running += has_room
        if has_room:
            self._crew.turn(self)
        if self._crew.is_closed:
            future.cancel()
        return future

    def map(self, fn: Callable[[U], T], items: Iterable[U], /) -> Iterator[T]:
        """Have a task run on each item; after a failure none is begun that was not."""
        futures = [self.submit(fn, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def take(self) -> Callable[[], None] | None:
        """The next task, None where there is none; for the crew."""
        with self._lock:
            return partial(_run, *self._waiting.popleft()) if self._waiting else None

    def clear(self) -> None:
        """Cancel what waits; for the crew."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for future, _ in waiting:
            future.cancel()

    def leave(self) -> None:
        """A task has ended, and its place is another's; for the crew."""
        with self._lock:
            if not self._waiting:
                self._running -= 1
                return
        self._crew.turn(self)


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as exc:
        future.set_exception(exc)
    else:
        future.set_result(result)
