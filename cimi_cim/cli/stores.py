"""The store of a command: the one that the configuration names, or one for the time being."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimi_cim.cli.serving import removed_at_the_end
from cimi_cim.config import Config
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.service.store.database import Database, file_of, open_database
from cimi_cim.service.store.keys import (
    has_sealed,
    made_key_file,
    open_box,
    read_key_file,
    read_keys,
)
from cimi_cim.service.store.secrets import SecretBox


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


def opened_box(config: Config, database: Database) -> SecretBox:
    """Return what seals the secrets in the store of a configuration.

    Its key is the configured one, or for a file that of `FILE.key` beside it, which is made
    for a new store; a temporary store has one that nobody keeps. Raises `ConfigError` for
    another key than the store's, and for a PostgreSQL store without one.
    """
    return open_box(database, _keys(config, database))


def _keys(config: Config, database: Database) -> list[Secret]:
    if config.store is None:
        return [SecretBox.new_key()]
    if config.store_key is not None:
        return read_keys(config.store_key)
    if config.store_key_file is not None:
        return read_key_file(config.store_key_file)
    file = file_of(config.store.reveal())
    if file is None:
        raise ConfigError(
            "a PostgreSQL store wants a key to seal secrets with: make one with `openssl rand"
            " -base64 32`, keep it in a file, and name that file with `store_key_file`"
        )
    key_file = file.with_name(f"{file.name}.key")
    if not key_file.exists() and has_sealed(database):
        raise ConfigError(
            f"the store was used with a key, and {key_file} is not there; bring it back, or name"
            " the key with `store_key_file`"
        )
    return made_key_file(key_file)
