"""Puts the use cases together."""

from __future__ import annotations

from dataclasses import dataclass

from cimi_cim.mapping.results import Engine
from cimi_cim.model.types import Model
from cimi_cim.service.act import Actor
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.changing import Changing
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import Jobs
from cimi_cim.service.metadata.metadata import Metadata
from cimi_cim.service.provision.provisioner import Provisioner
from cimi_cim.service.read import Reader
from cimi_cim.service.repeats import Repeats
from cimi_cim.service.store.store import Store
from cimi_cim.service.write import Writer


@dataclass(frozen=True, slots=True)
class Service:
    """What `http/` asks for; one per bridge."""

    model: Model
    catalog: Catalog
    reader: Reader
    changing: Changing
    actor: Actor
    parts: Parts


@dataclass(frozen=True, slots=True)
class Parts:
    """What the use cases are made of."""

    engine: Engine
    store: Store
    jobs: Jobs | None
    holdings: Holdings
    deadline_s: float


def make_service(
    model: Model,
    engine: Engine,
    store: Store,
    *,
    jobs: Jobs | None = None,
    deadline_s: float = 30,
) -> Service:
    """Return the use cases over an engine and a store.

    `deadline_s` bounds all that one request asks of WBEM servers. Without `jobs` nothing is
    made, changed or deleted there.
    """
    catalog = Catalog(model, engine, can_provision=jobs is not None)
    retention_min = jobs.retention_minutes if jobs is not None else None
    metadata = Metadata(catalog, job_retention_min=retention_min)
    holdings = Holdings(catalog, engine, store, metadata, jobs)
    provisioner = None
    if jobs is not None:
        provisioner = Provisioner(holdings, engine, jobs, deadline_s=deadline_s)
    repeats = Repeats(catalog, store, jobs)
    writer = Writer(holdings, store, repeats, deadline_s=deadline_s)
    return Service(
        model,
        catalog,
        Reader(holdings, deadline_s=deadline_s),
        Changing(holdings, engine, writer, provisioner, repeats, deadline_s=deadline_s),
        Actor(holdings, engine, store, writer, provisioner, repeats, deadline_s=deadline_s),
        Parts(engine, store, jobs, holdings, deadline_s),
    )
