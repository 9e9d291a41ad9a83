"""Use cases over an engine, with a store of their own that goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cimi_cim.mapping.engine import Engine
from cimi_cim.model.load import load_model
from cimi_cim.service.events import outages_kept_in
from cimi_cim.service.provision.open import opened_jobs
from cimi_cim.service.service import Service, make_service
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.secrets import SecretBox, Secrets
from cimi_cim.service.store.store import Store


def new_secrets() -> Secrets:
    """Seals secrets with a key that nobody else has."""
    return Secrets(load_model(), SecretBox([SecretBox.new_key()]))


@contextmanager
def service_over(
    engine: Engine,
    *,
    deadline_s: float = 30,
    with_jobs: bool = False,
    store_url: str | None = None,
) -> Iterator[Service]:
    """Open the use cases on an empty store, for as long as the context lasts.

    A process carries out Jobs for one store at a time, so only who needs them asks for them.
    """
    model = load_model()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        database = open_database(store_url or f"sqlite:///{Path(folder) / 'store.db'}")
        stack.callback(database.close)
        store = Store(database, new_secrets())
        engine.on_outage(outages_kept_in(store))
        jobs = None
        if with_jobs:
            opened = opened_jobs(model, engine, database, store, deadline_s)
            jobs = stack.enter_context(opened)
        yield make_service(model, engine, store, jobs=jobs, deadline_s=deadline_s)
