"""Threads that work for a request carry its context with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


class Threads(Protocol):
    """What runs tasks, each in a copy of the context of whoever submits it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a task run."""

    def map(self, fn: Callable[[U], T], items: Iterable[U], /) -> Iterator[T]:
        """Have a task run on each item; yields the results in their order."""


class ContextThreads(ThreadPoolExecutor):
    """Runs each task in a copy of the context of whoever submits it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a task run; it sees the context variables as they are now."""
        return super().submit(copy_context().run, partial(fn, *args, **kwargs))
