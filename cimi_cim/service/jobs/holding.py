"""How a Job that has begun comes to hold more, and waits for those that hold it (`turns`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from cimi_cim.errors import ConflictError
from cimi_cim.service.jobs import circles, ledger, turns
from cimi_cim.service.jobs.turns import Late
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

T = TypeVar("T")

LOOKS_AFTER_S, LOOKS_EVERY_S = 0.02, 0.5
"""How soon a Job looks whether another one is over, and how seldom in the end."""


class WaitsInCircle(ConflictError):
    """Jobs wait for each other, and this one gives way."""

    default_reason = "jobs-wait-for-each-other"


class Waiter(Protocol):
    """A Job that is being carried out; see `Context`."""

    job: str

    @property
    def root(self) -> str:
        """The topmost Job of its family, which holds what all of them hold."""

    @property
    def late(self) -> Late:
        """How readily it gives way."""

    def read(self, look: Callable[[Reading], T]) -> T:
        """Look into the store."""

    def change(self, make: Callable[[Writing], T], *, may_stop: bool = True) -> T:
        """Change the store in one transaction; raises `JobStopped` if the Job is to stop."""

    def rest(self, seconds: float) -> None:
        """Wait, even if the Job is to stop."""

    def check_cancelled(self) -> None:
        """Raise `JobStopped` if the Job is to stop."""

    def recall(self, key: str, default: Any = None) -> Any:
        """Return what was kept under a key."""

    def keep_note(self, writing: Writing, key: str, value: Any) -> None:
        """Keep something under a key, with what else a transaction changes."""


def hold(waiter: Waiter, paths: Sequence[str]) -> None:
    """Hold some paths. Raises `WaitsInCircle` if it is for this Job to give way."""
    is_held = _try(waiter, paths, is_told=False)
    while not is_held:
        try:
            _wait(waiter, paths)
        except Exception:
            _leave_line(waiter, paths)
            raise
        is_held = _try(waiter, paths, is_told=True)


def hold_first(waiter: Waiter, key: str, look: Callable[[], Sequence[str]]) -> list[str]:
    """Hold what is seen, before anything is done; returns what was seen, now and ever after.

    Where it is for this Job to give way, it gives back all that it holds until it can have that
    again together with what it waits for, and looks anew.
    """
    kept, is_told = waiter.recall(key), False
    while kept is None:
        kept, is_told = _look_and_hold(waiter, key, look, is_told), True
    return [str(each) for each in kept]


def _try(waiter: Waiter, paths: Sequence[str], *, is_told: bool) -> bool:
    """Hold some paths, unless another one holds any of them; returns whether they are held."""
    late = waiter.late
    return waiter.change(lambda writing: _hold(waiter, writing, paths, late, is_told)) is None


def _look_and_hold(
    waiter: Waiter, key: str, look: Callable[[], Sequence[str]], is_told: bool
) -> Sequence[str] | None:
    """Try once to hold what is seen; returns it, or None after others were in the way."""
    holder = None
    wanted = waiter.read(lambda reading: turns.given_back(reading, waiter.root))
    if wanted:
        holder = waiter.change(lambda writing: turns.take_back(writing, waiter.root))
    if holder is None:
        wanted = list(look())
        holder = waiter.change(lambda writing: _hold_seen(waiter, writing, key, wanted, is_told))
    if holder is None:
        return wanted
    try:
        _wait(waiter, wanted)
    except WaitsInCircle:
        waiter.change(lambda writing: turns.give_way(writing, waiter.root))
    except Exception:
        _leave_line(waiter, wanted)
        raise
    return None


def _hold(
    waiter: Waiter, writing: Writing, paths: Sequence[str], late: Late, is_told: bool
) -> str | None:
    """Hold some paths, or stand in line for them; returns who holds any of them.

    The Job says for whom it waits, and no more once it waits for nobody (`is_told`).
    """
    holder = turns.hold(writing, waiter.root, paths, late)
    if holder is not None or is_told:
        message = None if holder is None else f"waits for {holder} to be over"
        ledger.change(writing, waiter.job, {"statusMessage": message})
    return holder


def _hold_seen(
    waiter: Waiter, writing: Writing, key: str, paths: Sequence[str], is_told: bool
) -> str | None:
    holder = _hold(waiter, writing, paths, Late.FIRST, is_told)
    if holder is None:
        waiter.keep_note(writing, key, paths)
    return holder


def _wait(waiter: Waiter, paths: Sequence[str]) -> None:
    """Wait until nobody else holds any of some paths."""
    wait_s = LOOKS_AFTER_S
    while holder := waiter.read(lambda reading: turns.holder(reading, waiter.root, paths)):
        if waiter.read(lambda reading: circles.gives_way(reading, waiter.root, paths)):
            raise WaitsInCircle(
                f"{holder} has {', '.join(paths)[:500]}, which this Job needs, and waits for what"
                " this one has; send the request again once that one is over"
            )
        waiter.rest(wait_s)
        waiter.check_cancelled()
        wait_s = min(wait_s * 2, LOOKS_EVERY_S)


def _leave_line(waiter: Waiter, paths: Sequence[str]) -> None:
    """Nobody is to wait for a Job that gave up."""
    waiter.change(lambda writing: turns.stop_waiting(writing, waiter.root, paths), may_stop=False)
