"""Submits Jobs, waits for them a moment, and stops and deletes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cimi_cim.model.paths import Location
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import NOBODY, Jobs, Request
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.outcome import Check, Written
from cimi_cim.service.repeats import made_by
from cimi_cim.service.store.writing import Writing
from cimi_cim.wbem.deadline import Deadline


class Submitting:
    """What requests do with Jobs; `wait_s` is how long one waits for its Job to be over."""

    def __init__(self, holdings: Holdings, jobs: Jobs, deadline_s: float, wait_s: float) -> None:
        self._holdings = holdings
        self._jobs = jobs
        self._store = holdings.store
        self._deadline_s = deadline_s
        self._wait_s = wait_s

    def submit(
        self,
        kind: str,
        work: Work,
        arguments: Mapping[str, Any],
        request: Request,
        holds: Sequence[str],
        *,
        is_gone: bool = False,
        first: Callable[[Writing], None] = lambda writing: None,
        path: str | None = None,
    ) -> Written:
        """Submit a Job, after `first` in the same transaction, and wait for it a moment.

        It has what it `holds` to itself, and waits for the Jobs that do before it.
        `path` is that of what is there as soon as the Job is.
        """
        with self._store.writing() as writing:
            if self._jobs.earlier(writing, request) is None:
                first(writing)
            job = self._jobs.submit(writing, kind, work, arguments, request, holds)
        if not self._jobs.wait(job, self._wait_s):
            return Written(job, None, is_done=False)
        with self._store.reading() as reading:
            failure = self._jobs.failure(reading, job)
            found = reading.find(job) if not is_gone else None
        if failure is not None:
            raise failure
        made = None if found is None else made_by(self._holdings.catalog, found.resource)
        return Written(job, made, is_done=True)

    def are_at_work_on(self, location: Location) -> bool:
        """Whether a Job that is not over has, or is to have, a resource to itself."""
        with self._store.reading() as reading:
            return self._jobs.holder(reading, location.path) is not None

    def stop(
        self, location: Location, check: Check, version: CimiVersion, request: Request = NOBODY
    ) -> Written:
        """Have a Job stopped (5.17.1.1); it is the Job itself that tells how that goes."""
        deadline = Deadline.after(self._deadline_s)
        check(self._holdings.resource(location, version, None, deadline))
        with self._store.writing() as writing:
            if self._jobs.earlier(writing, request) is None:
                self._jobs.stop(writing, location.path)
                self._jobs.remember(writing, request, location.path)
        return Written(location.path, is_done=self._jobs.wait(location.path, self._wait_s))

    def delete(
        self, location: Location, check: Check, version: CimiVersion, request: Request = NOBODY
    ) -> Written:
        """Delete a Job; one that runs is stopped first (5.17.1.1)."""
        deadline = Deadline.after(self._deadline_s)
        check(self._holdings.resource(location, version, None, deadline))
        with self._store.writing() as writing:
            is_gone = self._jobs.delete(writing, location.path)
            job = record(writing, Work("delete", "jobs"))
            self._jobs.remember(writing, request, job)
        return Written(job, is_done=is_gone)
