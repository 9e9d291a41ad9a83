"""Use cases over an engine, with a store of their own that goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cimi_cim.mapping.engine import Engine
from cimi_cim.model.load import load_model
from cimi_cim.service.service import Service, make_service
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.secrets import SecretBox, Secrets
from cimi_cim.service.store.store import Store


def new_secrets() -> Secrets:
    """Seals secrets with a key that nobody else has."""
    return Secrets(load_model(), SecretBox([SecretBox.new_key()]))


@contextmanager
def service_over(engine: Engine, *, deadline_s: float = 30) -> Iterator[Service]:
    """Open the use cases on an empty store, for as long as the context lasts."""
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'store.db'}")
        try:
            store = Store(database, new_secrets())
            yield make_service(load_model(), engine, store, deadline_s=deadline_s)
        finally:
            database.close()
