"""Repeated requests: the same Idempotency-Key gets the answer of the first one."""

from __future__ import annotations

from collections.abc import Callable

from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.jobs import requests
from cimi_cim.service.jobs.asking import Jobs, Request
from cimi_cim.service.outcome import Written
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing

_OPEN = frozenset({"QUEUED", "RUNNING", "STOPPING"})

Change = Callable[[Writing], Written]


class Repeats:
    """Knows what became of requests that had a key; one per bridge."""

    def __init__(self, catalog: Catalog, store: Store, jobs: Jobs | None) -> None:
        self._catalog = catalog
        self._store = store
        self._jobs = jobs

    def earlier(self, request: Request) -> Written | None:
        """Return what became of the same request, if it was made before; ask before all else.

        Raises `ConflictError` if the key was another request's, and what the first one failed
        with.
        """
        if request.key is None:
            return None
        with self._store.reading() as reading:
            found = self._found(reading, request)
            failure = None
            if self._jobs is not None and found is not None and found.is_done:
                failure = self._jobs.failure(reading, found.job)
        if failure is not None:
            raise failure
        return found

    def once(self, request: Request, change: Change) -> Change:
        """Return a change that a transaction makes only if the request is a new one."""
        if request.key is None:
            return change

        def change_once(writing: Writing) -> Written:
            before = self._found(writing, request)
            if before is not None:
                return before
            written = change(writing)
            requests.remember(writing, request, written.job)
            return written

        return change_once

    def _found(self, reading: Reading, request: Request) -> Written | None:
        job = requests.earlier(reading, request)
        if job is None:
            return None
        stored = reading.find(job)
        if stored is None:
            return Written(job)
        is_done = stored.resource.values.get("state") not in _OPEN
        made = made_by(self._catalog, stored.resource) if is_done else None
        return Written(job, made, is_done=is_done)


def made_by(catalog: Catalog, job: Resource) -> str | None:
    """Return the path of what a finished Job made or changed, None if that is gone.

    What was added is the first that it affected where the Collection's items live; what was
    listed there is found under its own token (joins of 1.x).
    """
    target, affected = job.values.get("targetResource"), job.values.get("affectedResources", [])
    if not isinstance(target, Ref):
        return None
    others = [ref.path for ref in affected if isinstance(ref, Ref) and ref != target]
    name = str(job.values.get("action")).rpartition("/")[2]
    if name == "add":
        version = CimiVersion.V2
        at = catalog.locate(target.path, version) or catalog.locate(target.path, CimiVersion.V1)
        home = catalog.home_of(at).path if at is not None else target.path
        made = [path for path in others if path.rpartition("/")[0] == home]
        return made[0] if made else None
    if name == "insert":
        return f"{target.path}/{others[-1].rpartition('/')[2]}" if others else None
    return None if name in ("delete", "remove") else target.path
