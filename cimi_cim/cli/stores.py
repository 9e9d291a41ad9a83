"""The store of a command: the one that the configuration names, or one for the time being."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimi_cim.cli.serving import removed_at_the_end
from cimi_cim.config import Config
from cimi_cim.service.store.database import Database, open_database


@contextmanager
def opened_store(config: Config) -> Iterator[Database]:
    """Open the store as long as the context lasts.

    Where the configuration names none it is a temporary SQLite file that goes with the
    context. Raises `ConfigError` for a store that cannot be used.
    """
    if config.store is None:
        with _temporary_url() as url, _opened(url) as database:
            yield database
    else:
        with _opened(config.store.reveal()) as database:
            yield database


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _temporary_url() -> Iterator[str]:
    with removed_at_the_end(Path(tempfile.mkdtemp(prefix="cimi-cim-"))) as folder:
        yield f"sqlite:///{folder / 'store.db'}"
