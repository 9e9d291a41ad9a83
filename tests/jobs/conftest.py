"""An engine of Jobs over each database, with a recorder for its bodies to talk to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cimi_cim.config import JobsConfig
from cimi_cim.errors import CimiCimError
from cimi_cim.model.resources import Value
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.bodies import Body, Kinds
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.store import Store
from tests.databases import KINDS, new_database
from tests.jobs.recorder import Recorder, recording
from tests.jobs.waiting import LIMIT_S
from tests.jobs.work import TARGET, make_kinds
from tests.services import new_secrets

SETTINGS = JobsConfig(workers=4, lease_s=2, settle_s=0.3, outage_s=0.5)


@dataclass
class Bench:
    """An engine, and shorthands for what a use case does with it."""

    store: Store
    kinds: Kinds
    engine: JobEngine

    def body(self, body: Body, *, can_stop: bool = True) -> str:
        """Register one more body; returns its kind."""
        kind = f"kind-{len(self.kinds.names)}"
        self.kinds.register(kind, body, can_stop=can_stop)
        return kind

    def submit(
        self,
        kind: str,
        arguments: Mapping[str, Any] | None = None,
        request: Request = NOBODY,
        holds: Sequence[str] = (),
    ) -> str:
        """Submit a Job and commit."""
        with self.store.writing() as writing:
            work = Work("start", TARGET)
            return self.engine.submit(writing, kind, work, arguments or {}, request, holds)

    def end(self, job: str) -> Mapping[str, Value]:
        """Wait for a Job to be over; returns its attributes."""
        assert self.engine.wait(job, LIMIT_S), self.values(job)
        return self.values(job)

    def run(self, kind: str, arguments: Mapping[str, Any] | None = None) -> Mapping[str, Value]:
        """Submit a Job, and return its attributes when it is over."""
        return self.end(self.submit(kind, arguments))

    def values(self, job: str) -> Mapping[str, Value]:
        """Return the attributes of a Job now; none if it is gone."""
        with self.store.reading() as reading:
            found = reading.find(job)
        return {} if found is None else found.resource.values

    def failure(self, job: str) -> CimiCimError | None:
        """Return why a Job that is over did not succeed."""
        with self.store.reading() as reading:
            return self.engine.failure(reading, job)

    def stop(self, job: str) -> None:
        """Ask a Job to stop."""
        with self.store.writing() as writing:
            self.engine.stop(writing, job)

    def delete(self, job: str) -> bool:
        """Delete a Job; returns whether it is gone by now."""
        with self.store.writing() as writing:
            return self.engine.delete(writing, job)


@pytest.fixture(scope="module", params=KINDS)
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A running engine, which tests of a module share: each looks at its own Jobs only."""
    with new_database(request.param, tmp_path_factory.mktemp("jobs"), request) as url:
        database = open_database(url)
        store, kinds = Store(database, new_secrets()), make_kinds()
        engine = JobEngine(database, store, kinds, SETTINGS)
        engine.start()
        yield Bench(store, kinds, engine)
        assert engine.close(LIMIT_S)
        database.close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recorder of its own for each test."""
    with recording() as started:
        yield started
