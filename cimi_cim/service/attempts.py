"""Changes that are planned first and then made: nothing slow is done while others wait.

A plan may ask WBEM servers. It is made in a transaction, which changes the store only if what
the plan saw is still so; else there is another attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cimi_cim.errors import ConflictError
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from cimi_cim.wbem.deadline import Deadline

Result = TypeVar("Result")


class Overtaken(ConflictError):
    """What a change was planned on is not so any more (409, where nobody plans again)."""

    default_reason = "overtaken"

    def __init__(self) -> None:
        super().__init__("what it refers to has been changed meanwhile; try again")


def attempt(
    store: Store, deadline: Deadline, plan: Callable[[], Callable[[Writing], Result]]
) -> Result:
    """Plan a change, and make it, until nothing comes between; returns what it returns.

    `plan` returns what changes the store in a transaction, and raises `Overtaken` there. Each
    time it does, another change has been made, so somebody gets on; it is raised if it is
    never this one.
    """
    while True:
        change = plan()
        try:
            with store.writing() as writing:
                return change(writing)
        except Overtaken:
            if deadline.is_over:
                raise
