"""Waiting for what other threads and processes do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from cimi_cim.service.jobs.bodies import JobContext

LIMIT_S = 60


def until(holds: Callable[[], bool]) -> None:
    """Return as soon as something holds; it must before long."""
    limit = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.01)


class Gate:
    """A body that waits until it is let go, and says that it began."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_go = threading.Event()

    def __call__(self, context: JobContext, arguments: Mapping[str, Any]) -> None:
        """Wait."""
        self.began.set()
        while not self.may_go.is_set():
            context.sleep(0.02)
