"""Numbered steps that bring a store of any age to the present tables.

Each step runs once, in a transaction of its own with its number; on PostgreSQL several
bridges that start at the same time take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, insert, select, text

from cimi_cim.errors import ConfigError
from cimi_cim.service.store.documents import read_document
from cimi_cim.service.store.job_tables import CLAIMS, JOB_TABLES
from cimi_cim.service.store.tables import (
    COLLECTIONS,
    KEY_CHECK,
    LINKS,
    LISTINGS,
    MIGRATIONS,
    OVERLAYS,
    RESOURCES,
    USERS,
)
from cimi_cim.service.store.writing import link_rows

_ADVISORY_LOCK = 0x63696D69  # "cimi"


def _first(connection: Connection) -> None:
    RESOURCES.create(connection)
    LINKS.create(connection)


def _listings(connection: Connection) -> None:
    LISTINGS.create(connection)
    OVERLAYS.create(connection)


def _users(connection: Connection) -> None:
    USERS.create(connection)


def _keys(connection: Connection) -> None:
    KEY_CHECK.create(connection)


def _jobs(connection: Connection) -> None:
    for table in JOB_TABLES:
        table.create(connection)


def _owners(connection: Connection) -> None:
    """Links say what goes with what; paths sort by bytes; Collections know their last change."""
    if connection.dialect.name == "postgresql":
        for table in (RESOURCES, LISTINGS, OVERLAYS):
            for column in table.columns:
                if column.name in ("path", "collection", "member"):
                    connection.execute(text(
                        f'ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE text COLLATE "C"'
                    ))  # fmt: skip
    LINKS.drop(connection)
    LINKS.create(connection)
    for index in LISTINGS.indexes:
        index.create(connection, checkfirst=True)
    COLLECTIONS.create(connection)
    kept = select(RESOURCES.c.path, RESOURCES.c.type, RESOURCES.c.document)
    rows = [(row.path, row.type, row.document) for row in connection.execute(kept)]
    rows += [(row.path, None, row.document) for row in connection.execute(select(OVERLAYS))]
    for path, type_name, document in rows:
        links = link_rows(path, type_name, read_document(document))
        if links:
            connection.execute(insert(LINKS), links)


def _claims(connection: Connection) -> None:
    CLAIMS.create(connection)


STEPS: tuple[Callable[[Connection], None], ...] = (
    _first, _listings, _users, _keys, _jobs, _owners, _claims,
)  # fmt: skip
"""In order; never changed or removed once released, only added to."""


def migrate(engine: Engine) -> None:
    """Apply what is missing. Raises `ConfigError` for a store of a newer program."""
    with engine.begin() as connection:
        _take_turns(connection)
        MIGRATIONS.create(connection, checkfirst=True)
    for number, step in enumerate(STEPS, start=1):
        with engine.begin() as connection:
            _take_turns(connection)
            done = connection.scalars(select(MIGRATIONS.c.number)).all()
            if max(done, default=0) > len(STEPS):
                raise ConfigError(
                    f"the store is at version {max(done)}, and this program knows {len(STEPS)};"
                    " start the newer program it was used with"
                )
            if number not in done:
                step(connection)
                now = datetime.now(UTC).isoformat(timespec="seconds")
                connection.execute(insert(MIGRATIONS).values(number=number, applied=now))


def _take_turns(connection: Connection) -> None:
    """Until the end of the transaction; SQLite lets only one writer in anyway."""
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        connection.execute(lock, {"key": _ADVISORY_LOCK})
