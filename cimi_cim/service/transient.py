"""States on the way: what a Job of this provider that is not over does to a resource.

Before the WBEM server shows anything of it, and where it never does (reference mapping, 2.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.jobs.ledger import WAITING, WORKING
from cimi_cim.service.store.documents import read_document
from cimi_cim.service.store.job_tables import RUNS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.tables import RESOURCES

_IMAGES = {"machineImages": "machines", "volumeImages": "volumes"}


@dataclass(frozen=True, slots=True)
class _Open:
    """A Job that is not over: its operation, what it was sent to, and what it is about."""

    action: str
    target: str
    affected: list[str]
    subject: str | None


class Transients:
    """Tells states on the way; one per bridge."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def states(self, reading: Reading) -> dict[str, str]:
        """Return by path the states that open Jobs bring about; costs one query.

        Of several Jobs on one resource the latest counts.
        """
        found: dict[str, str] = {}
        for job in _open_jobs(reading):
            for path, state in self._states_by(job):
                if self._has(path, state):
                    found[path] = state
        return found

    def on_its_way(self, item: Resource, state: str | None) -> Resource:
        """Return a resource with such a state, and the actions that this allows, if there is one.

        A state that was not asked for stays out.
        """
        if state is None:
            return item
        actions = self._catalog.model[item.type].actions
        offers = [
            offer
            for offer in item.operations
            if offer.name not in actions or state in actions[offer.name].from_states
        ]
        values = {**item.values, "state": state} if "state" in item.values else item.values
        return replace(item, values=values, operations=offers)

    def _states_by(self, job: _Open) -> Iterator[tuple[str, str]]:
        if job.action == "delete" and job.subject is not None:
            yield job.subject, "DELETING"
        elif job.action == "add":
            for path in job.affected:
                collection = path.rpartition("/")[0]
                if collection == self._home(job.target):
                    yield path, "CREATING"
                elif collection == _IMAGES.get(job.target):
                    yield path, "CAPTURING"
        else:
            at = self._catalog.locate(job.target, CimiVersion.V2)
            actions = self._catalog.model[at.type].actions if at is not None else {}
            state = actions[job.action].transient_state if job.action in actions else None
            if state is not None:
                yield job.target, state

    def _home(self, target: str) -> str:
        """Where what is added to a Collection lives."""
        at = self._catalog.locate(target, CimiVersion.V2)
        return self._catalog.home_of(at).path if at is not None and at.is_collection else target

    def _has(self, path: str, state: str) -> bool:
        """Whether what is at a path knows such a state."""
        at = self._catalog.locate(path, CimiVersion.V2)
        row = self._catalog.model[at.type].attributes.get("state") if at is not None else None
        return row is not None and state in row.values


def _open_jobs(reading: Reading) -> Iterator[_Open]:
    query = (
        select(RUNS.c.arguments, RESOURCES.c.document)
        .join(RESOURCES, RESOURCES.c.path == RUNS.c.job)
        .where(RUNS.c.phase.in_((WAITING, WORKING)))
        .order_by(RUNS.c.changed)
    )
    for row in reading.connection.execute(query):
        job, arguments = read_document(row.document), json.loads(row.arguments)
        target = job.get("targetResource")
        affected = [ref.path for ref in job.get("affectedResources", []) if isinstance(ref, Ref)]
        yield _Open(
            str(job.get("action")).rpartition("/")[2],
            target.path if isinstance(target, Ref) else "",
            affected,
            arguments.get("path"),
        )
