"""What became of a request that changes something, and what may keep it from doing so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cimi_cim.model.resources import Resource

Check = Callable[[Resource], None]
"""Raises what keeps a request from changing the resource as it is now (If-Match)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a request that changed something.

    Args:
        job: Path of the Job that tells it.
        path: Path of the resource that was made or changed, None if it is gone, or not there
            yet.
        is_done: Whether the work is over; else the Job goes on.
    """

    job: str
    path: str | None = None
    is_done: bool = True


def no_check(_: Resource) -> None:
    """Any state will do."""
