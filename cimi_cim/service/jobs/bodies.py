"""What carries out Jobs: bodies, registered by kind, and what a body is given.

A body may be run again from its top, by this process or by another, at any moment of its
life: after a crash, at an upgrade, when another bridge takes over. So it does nothing to the
world but through its context. What it asks of WBEM servers goes through the journal, what it
changes in the store through `write`, what it draws by lot or by the clock through `once`; all
of these answer a second time what they answered first. Everything else in it is reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.journal import Intent, Journal, Outcome
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.writing import Writing

Json: TypeAlias = Any
"""What JSON can hold: None, booleans, numbers, text, lists, and dicts by text."""


@dataclass(frozen=True, slots=True)
class Child:
    """A nested Job that is to be made.

    Args:
        key: Names it within its parent; the same when the parent's body runs again.
        kind: Kind of the body that carries it out.
        work: What it does, for people and for its Job.
        arguments: What its body is given.
    """

    key: str
    kind: str
    work: Work
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a nested Job ended: its key, its path, SUCCESS, FAILED or STOPPED, and why."""

    key: str
    job: str
    state: str
    message: str = ""


class JobStopped(CimiCimError):
    """The Job was asked to stop; a body lets it pass, and cleans up by `undo` alone."""

    status = 409
    default_reason = "job-stopped"


class NestedFailed(CimiCimError):
    """A nested Job did not succeed, so the Job it is part of does not, either."""

    status = 409
    default_reason = "nested-job-failed"


class JobContext(Protocol):
    """What a body is given. Keys name things within one Job, whatever the kind of thing.

    Every method may raise `JobStopped`, and leaves by an exception that no body catches
    (not an `Exception`) where the program ends or another bridge has taken over.
    """

    @property
    def job(self) -> str:
        """Path of the Job."""

    @property
    def principal(self) -> str | None:
        """Who asked for it."""

    @property
    def journal(self) -> Journal:
        """Sends each method call at most once; see `mapping.journal`."""

    def outcomes(self, job: str) -> list[tuple[Intent, Outcome]]:
        """Return the calls of this Job, or of one nested in it, that came to something."""

    def progress(self, percent: int, message: str | None = None) -> None:
        """Tell how far it has come (0 to 100), and how it stands in a few words.

        Never goes back. What follows closely upon another is written with the next call.
        """

    def affected(self, path: str) -> None:
        """List a resource among those that the Job changed or made; it holds it from then on.

        Both are kept with the next thing that is. If another Job holds it by then, this one
        waits for that to be over, and its body runs again from the top.
        """

    def hold(self, paths: Sequence[str]) -> None:
        """Have resources to itself until the Job is over; waits for Jobs that hold any of them.

        Raises `ConflictError` where one of those waits for what this one holds, and it is for
        this one to give way.
        """

    def hold_first(self, key: str, look: Callable[[], Sequence[str]]) -> list[str]:
        """Have what `look` sees to itself until the Job is over; returns what it saw first.

        For what comes before every deed: instead of failing, the Job gives way by giving back
        all that it holds for a while, and looks again. `look` only reads.
        """

    def check_cancelled(self) -> None:
        """Raise `JobStopped` if somebody wants the Job to stop."""

    def sleep(self, seconds: float) -> None:
        """Wait; other Jobs are at work meanwhile. Ends early where the Job is to stop."""

    def note(self, key: str, value: Json) -> None:
        """Keep a small result, instead of what was kept under the key before."""

    def recall(self, key: str, default: Json = None) -> Json:
        """Return what was kept under a key, by this run or by one before."""

    def seen(self, key: str, look: Callable[[], Json]) -> Json:
        """Return what was seen first; `look` only reads.

        It is kept with the next thing that is, and so before anything is sent.
        """

    def once(self, key: str, make: Callable[[], Json]) -> Json:
        """Return what was kept under a key; if nothing was, make it and keep it first.

        `make` may run again if a crash comes before its result is kept.
        """

    def write(self, key: str, change: Callable[[Writing], Json]) -> Json:
        """Change the store once: the change and its result are kept in one transaction.

        Returns the result, of this run or of one before. `change` may write to the Job only
        through this context, and not within the change.
        """

    def also(self, key: str, change: Callable[[Writing], None]) -> None:
        """Change the store once, with the next thing that is kept: the Job's end at the latest.

        What it raises fails the Job.
        """

    def secure(self) -> None:
        """Keep now what is to be kept with the next thing, as before a deed of one's own."""

    def undo(self, key: str, kind: str, arguments: Mapping[str, Json], what: str) -> None:
        """Have something undone if the Job fails or is stopped: the last one first.

        To be said *before* the deed, for a crash may come right after it; it is kept with the
        next thing that is, such as the intent of the deed (else `secure` it). The body of
        the kind must take it that nothing is there to undo. `what` completes "could not ...",
        such as "delete the volume data-1".
        """

    def keep(self) -> None:
        """What was done so far stays, whatever comes: nothing of it is undone any more."""

    def nested(self, children: Sequence[Child]) -> list[Ended]:
        """Make nested Jobs, carry them out side by side, and wait for all of them.

        Returns how each ended, in order; raises `NestedFailed` if one of them did not
        succeed, after all are over. When the Job fails later on, what its nested Jobs did is
        undone, too. Called again with the same keys, it goes on with the same Jobs.
        """


Body: TypeAlias = Callable[[JobContext, Mapping[str, Json]], None]
"""Carries out a Job, or undoes something; returns for SUCCESS, raises for FAILED."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered kind: its body, and whether its Jobs can be stopped once they run."""

    body: Body
    can_stop: bool = True


class Kinds:
    """The bodies that this program knows, by kind; filled before the engine opens.

    Names of kinds and the arguments of their bodies outlive the program: a Job that was
    submitted by an older one is carried out by this one.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def register(self, kind: str, body: Body, *, can_stop: bool = True) -> None:
        """Have Jobs of a kind carried out by a body. Raises `ValueError` for a second body."""
        if kind in self._kinds:
            raise ValueError(f"the kind {kind!r} has a body already")
        self._kinds[kind] = Kind(body, can_stop)

    def find(self, kind: str) -> Kind | None:
        """Return a kind, None if this program does not know it."""
        return self._kinds.get(kind)

    @property
    def names(self) -> frozenset[str]:
        """Every kind that this program knows."""
        return frozenset(self._kinds)
