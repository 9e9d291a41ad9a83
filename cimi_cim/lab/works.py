"""Work that takes time, and the jobs that show it; nothing runs in between.

What is due is done by `settle`, which is called before each operation, so the server
needs no thread of its own and looks the same as if it had one. All of it happens under
the repository's lock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cimi_cim.lab.instances import Instance
from cimi_cim.lab.jobs import Jobs, RunningJob
from cimi_cim.lab.outcomes import Outcome, Reason, Refusal, Result
from cimi_cim.wbem.values import CimValue, InstancePath

Made = Mapping[str, CimValue]
"""Output parameters: what was made, by the names of the method."""


def _nothing(now: float) -> None:
    """Nothing is to be undone."""


@dataclass(slots=True)
class Task:
    """A piece of work.

    Args:
        name: For people.
        owner: Who answers for it: the service, or the element that changes its state.
        elements: What nobody else may work on meanwhile.
        seconds: How long it takes at pace 1.
        finish: Does it, all of it or nothing (`Refusal`), and returns what was made.
        undo: Gives back what was reserved when the work was begun.
        refusal: Why it will fail, where that is known when it is begun.
        is_state_change: Another state change may break it off.
    """

    name: str
    owner: Instance
    elements: tuple[InstancePath, ...]
    seconds: float
    finish: Callable[[float], Made]
    undo: Callable[[float], None] = _nothing
    refusal: Refusal | None = None
    is_state_change: bool = False
    job: RunningJob | None = field(default=None, init=False)
    is_over: bool = field(default=False, init=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a failure that is injected does to the work of one call."""

    error: str | None = None
    hangs: bool = False


class Works:
    """All work that is under way."""

    def __init__(
        self, jobs: Jobs, clock: Callable[[], float], pace: float, *, has_jobs: bool
    ) -> None:
        self.jobs = jobs
        self.clock = clock
        self._pace = pace
        self._has_jobs = has_jobs
        self._busy: dict[str, Task] = {}
        self._by_job: dict[str, Task] = {}
        self._agenda: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._trouble: Trouble | None = None

    def busy(self, path: InstancePath) -> Task | None:
        """Return the work on an element, None if nobody works on it."""
        return self._busy.get(path.canonical)

    @contextmanager
    def troubled(self, trouble: Trouble | None) -> Iterator[None]:
        """Let the work that begins in this context go wrong."""
        self._trouble = trouble
        try:
            yield
        finally:
            self._trouble = None

    def takes_time(self, task: Task) -> bool:
        """Whether work will not be over when it has begun."""
        return task.seconds * self._pace > 0 or self._trouble is not None

    def begin(self, task: Task, out: Made | None = None) -> Result:
        """Begin work: a job, or all of it at once where it takes no time or there are no jobs.

        `out` are the output parameters that are known at the beginning. Raises
        `Refusal` for work that cannot be done, after undoing it, where there is no job.
        """
        trouble, now = self._trouble, self.clock()
        self._spoil(task)
        seconds: float | None = task.seconds * self._pace
        if not self._has_jobs or (seconds == 0 and trouble is None):
            return Result(Outcome.DONE, {**(out or {}), **self._at_once(task, now)})
        if trouble is not None and trouble.hangs:
            seconds = None
        self._occupy(task, now, seconds)
        task.job = self.jobs.start(task.name, task.owner, task.elements, now, seconds)
        self._by_job[task.job.path.canonical] = task
        job = task.job.path
        if seconds == 0:
            self.settle()
        return Result(Outcome.STARTED, {**(out or {}), "Job": job})

    def begin_silently(self, task: Task) -> None:
        """Begin work that takes its time without a job. Raises `Refusal`."""
        self._spoil(task)
        if task.refusal is not None:
            task.undo(self.clock())
            raise task.refusal
        self._occupy(task, self.clock(), task.seconds * self._pace)

    def _spoil(self, task: Task) -> None:
        if self._trouble is not None and self._trouble.error is not None:
            task.refusal = Refusal(Reason.FAILED, self._trouble.error)

    def _at_once(self, task: Task, now: float) -> Made:
        try:
            if task.refusal is not None:
                raise task.refusal
            return task.finish(now)
        except Refusal:
            task.undo(now)
            raise

    def _occupy(self, task: Task, now: float, seconds: float | None) -> None:
        for path in task.elements:
            self._busy[path.canonical] = task
        if seconds is not None:
            heapq.heappush(self._agenda, (now + seconds, next(self._numbers), task))

    @property
    def next_due(self) -> float | None:
        """When something becomes due next, by the clock; None for nothing."""
        return self._agenda[0][0] if self._agenda else None

    def settle(self) -> None:
        """Do what has become due since the last time."""
        now = self.clock()
        while self._agenda and self._agenda[0][0] <= now:
            due, _, task = heapq.heappop(self._agenda)
            if not task.is_over:
                self._finish(task, due)
        self.jobs.remove_old(now)

    def _finish(self, task: Task, due: float) -> None:
        self._release(task)
        try:
            made = self._at_once(task, due)
        except Refusal as refusal:
            if task.job is not None:
                self.jobs.fail(task.job, due, refusal)
        else:
            if task.job is not None:
                self.jobs.complete(task.job, due, _paths(made))

    def _release(self, task: Task) -> None:
        task.is_over = True
        for path in task.elements:
            self._busy.pop(path.canonical, None)
        if task.job is not None:
            self._by_job.pop(task.job.path.canonical, None)

    def break_off(self, task: Task) -> None:
        """End work for other work on the same element; what it has done so far stays."""
        self._release(task)
        if task.job is not None:
            self.jobs.give_up(task.job, self.clock())

    def give_up(self, job: InstancePath, state: int) -> bool:
        """End a job and undo its work; False for a job that is not running."""
        task = self._by_job.get(job.canonical)
        if task is None or task.job is None:
            return False
        now = self.clock()
        self._release(task)
        self.jobs.give_up(task.job, now, state)
        task.undo(now)
        return True


def _paths(made: Made) -> Iterator[InstancePath]:
    for value in made.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, InstancePath):
                yield item
