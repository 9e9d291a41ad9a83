"""What the use cases ask of Jobs: submit, wait, stop, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cimi_cim.errors import CimiCimError
from cimi_cim.service.jobs.bodies import Json
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and what makes a repeated request the same one.

    Args:
        principal: Who asks, None where nobody had to log in.
        key: The client's Idempotency-Key, None if it gave none.
        fingerprint: A digest of method, target and document; equal for equal requests.
    """

    principal: str | None = None
    key: str | None = None
    fingerprint: str = ""


NOBODY = Request()


class Jobs(Protocol):
    """Durable work of one bridge; safe to use from several threads."""

    @property
    def retention_minutes(self) -> int:
        """How long a Job is kept at least, once it is over."""

    def earlier(self, reading: Reading, request: Request) -> str | None:
        """Return the Job of the same request if it was made before; ask before all else.

        Raises `ConflictError` (`idempotency-key-reused`) if the key was another request's.
        """

    def remember(self, writing: Writing, request: Request, job: str) -> None:
        """Keep the key of a request with the finished Job that `record` made for it."""

    def submit(
        self,
        writing: Writing,
        kind: str,
        work: Work,
        arguments: Mapping[str, Json],
        request: Request = NOBODY,
        holds: Sequence[str] = (),
    ) -> str:
        """Keep a Job in the caller's transaction, and carry it out once that is committed.

        It has the resources that it `holds`, and all below them, to itself: it is QUEUED until
        the Jobs that were submitted before, and hold any of them, are over.
        Returns its path; of a request that was made before, the path of the first Job.
        Raises as `earlier`, and `LookupError` for a kind that has no body.
        """

    def holder(self, reading: Reading, path: str) -> str | None:
        """Return a Job that is not over and has, or waits for, a resource to itself."""

    def wait(self, job: str, seconds: float) -> bool:
        """Wait for a Job that was submitted here to end; returns whether it is over."""

    def failure(self, reading: Reading, job: str) -> CimiCimError | None:
        """Return why a Job that is over did not succeed, as the error to answer with."""

    def can_stop(self, reading: Reading, job: str) -> bool:
        """Whether a Job takes "stop" now."""

    def stop(self, writing: Writing, job: str) -> None:
        """Ask a Job to stop: it is STOPPING, then STOPPED (DSP0263 5.17.1.1).

        Raises `ConflictError` for one that is over, or that cannot be stopped.
        """

    def delete(self, writing: Writing, job: str) -> bool:
        """Delete a Job; one that runs is stopped first. Returns whether it is gone by now.

        Raises `ConflictError` for one that runs and cannot be stopped.
        """
