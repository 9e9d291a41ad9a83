"""Opens the engine of Jobs with the bodies that this program knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cimi_cim.config import JobsConfig
from cimi_cim.mapping.results import Engine
from cimi_cim.model.types import Model
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.bodies import Kinds
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.metadata.metadata import Metadata
from cimi_cim.service.provision.bodies import Bodies
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.store import Store


@contextmanager
def opened_jobs(
    model: Model,
    engine: Engine,
    database: Database,
    store: Store,
    deadline_s: float,
    settings: JobsConfig | None = None,
    *,
    drain_s: float = 30,
    cut: Callable[[], None] = lambda: None,
) -> Iterator[JobEngine]:
    """Carry out Jobs as long as the context lasts, those left open by an earlier one first.

    `deadline_s` bounds each WBEM operation of a Job. At the end every Job pauses at its next
    step; `cut` is called if a step is not over after `drain_s` seconds. Raises `ConfigError`
    where another bridge uses the same SQLite file.
    """
    kinds = Kinds()
    catalog = Catalog(model, engine, can_provision=True)
    holdings = Holdings(catalog, engine, store, Metadata(catalog))
    Bodies(holdings, engine, deadline_s).register(kinds)
    jobs = JobEngine(database, store, kinds, settings)
    try:
        jobs.start()
        yield jobs
    finally:
        if not jobs.close(drain_s):
            cut()
