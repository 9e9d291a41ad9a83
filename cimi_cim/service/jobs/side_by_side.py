"""Does several things at the same time, with the threads that there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from cimi_cim.service.jobs.tools import Tools


class _Task:
    """One of the things; whoever takes it first does it."""

    def __init__(self, do: Callable[[str], None], what: str) -> None:
        self._do = do
        self._what = what
        self._free = threading.Lock()
        self.is_over = threading.Event()
        self.raised: BaseException | None = None

    def take(self) -> bool:
        """Whether it falls to the caller to do it."""
        return self._free.acquire(blocking=False)

    def do(self) -> None:
        """Do it, and keep what it raises."""
        try:
            self._do(self._what)
        except BaseException as exc:
            self.raised = exc
        finally:
            self.is_over.set()


def side_by_side(tools: Tools, do: Callable[[str], None], what: Sequence[str]) -> None:
    """Do the same with each; returns when all is over, and raises what the first one raised.

    This thread does what no helper has taken yet. So things may be done within things to any
    depth: nobody ever waits for something that has no thread.
    """
    tasks = [_Task(do, each) for each in what]

    def help_with(task: _Task) -> None:
        if task.take():
            with tools.slots.taken():
                task.do()

    with suppress(RuntimeError):  # the program ends, and takes no helpers any more
        for task in tasks[1:]:
            tools.helpers.submit(help_with, task)
    for task in tasks:
        if task.take():
            task.do()
    with tools.slots.lent():
        for task in tasks:
            task.is_over.wait()
    for task in tasks:
        if task.raised is not None:
            raise task.raised
