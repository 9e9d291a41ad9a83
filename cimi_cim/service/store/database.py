"""Opens the database of a store, and turns its failures into ours."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cimi_cim.errors import ConfigError, StoreUnavailable
from cimi_cim.service.store.migrations import migrate

BUSY_TIMEOUT_S = 10
_WRITES = "cimi_cim_writes"
_ADVISORY_LOCK = 0x77726974  # "writ"
_LIMITS = (
    f"SELECT set_config('lock_timeout', '{BUSY_TIMEOUT_S}s', true),"
    f" set_config('idle_in_transaction_session_timeout', '{BUSY_TIMEOUT_S}s', true)"
)
"""Of PostgreSQL: a bridge that stands still in the middle of a change must not stop others."""
_TURN = f"pg_advisory_xact_lock({_ADVISORY_LOCK})"


class Database:
    """A pool of connections to one database; safe to use from several threads."""

    def __init__(self, engine: Engine, session: str) -> None:
        self._engine = engine
        self.session = session
        """A name that no other process has; on PostgreSQL its connections bear it."""
        self._turn = threading.Lock()

    @property
    def url(self) -> URL:
        """Where the database is, password included."""
        return self._engine.url

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database, None for a database that other hosts can reach."""
        url = self._engine.url
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else None

    @contextmanager
    def transaction(self, *, writes: bool = True, apart: bool = False) -> Iterator[Connection]:
        """Run the block in one transaction. Raises `StoreUnavailable`.

        One that only reads sees a single state of the database, and waits for nobody. Those
        that write take turns, of all processes that use the database: what one has read
        stays true until it ends. So it should do nothing slow.

        One that is `apart` writes what nobody else does, and where the database can it does
        not wait for its turn, which somebody that stands still may have.
        """
        is_free = apart and self.file is None
        try:
            with (
                self._turn_to_write() if writes and not is_free else nullcontext(),
                self._engine.connect() as connection,
                _begun(connection, writes=writes, apart=apart) as begun,
            ):
                yield begun
        except (DBAPIError, PoolTimeout) as exc:
            raise _unavailable(_brief(exc)) from exc

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """Wait here: SQLite lets writers try again now and then, in no order.

        With sixteen of them some waited for seconds; in a queue the longest wait is a tenth.
        """
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise _unavailable("another change takes too long")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


@contextmanager
def _begun(connection: Connection, *, writes: bool, apart: bool) -> Iterator[Connection]:
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql and not writes:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    connection = connection.execution_options(**{_WRITES: writes})
    with connection.begin():
        if is_postgresql and writes:
            connection.exec_driver_sql(_LIMITS if apart else f"{_LIMITS}, {_TURN}")
        yield connection


def open_database(url: str) -> Database:
    """Open the database at a URL (`sqlite:///FILE`, `postgresql://...`), brought up to date.

    Raises `ConfigError` for a URL or a database that cannot be used.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise ConfigError(
            "store: no database URL; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from exc
    shown = parsed.render_as_string(hide_password=True)
    session = f"{socket.gethostname()[:40]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    elif parsed.get_backend_name() == "postgresql":
        driver = parsed.set(drivername="postgresql+psycopg")
        try:
            engine = create_engine(
                driver, pool_pre_ping=True, pool_size=16, max_overflow=48,
                connect_args={"application_name": session},
            )  # fmt: skip
        except ModuleNotFoundError as exc:
            raise ConfigError(
                "store: PostgreSQL needs the driver psycopg: pip install 'cimi-cim[postgresql]'"
            ) from exc
    else:
        raise ConfigError(f"store: {shown}: SQLite and PostgreSQL are supported")
    try:
        migrate(engine)
    except SQLAlchemyError as exc:
        engine.dispose()
        raise ConfigError(f"store: {shown} cannot be used: {_brief(exc)}") from exc
    return Database(engine, session)


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for another database."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if is_file and parsed.database else None


def _sqlite(url: URL) -> Engine:
    if url.database:
        # Made here, for its owner alone: SQLite would let everybody read what users said.
        with suppress(OSError):  # what is wrong with the file is told when it is opened
            os.close(os.open(url.database, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, max_overflow=59)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads and then writes must not find that another wrote between.
        writes = connection.get_execution_options().get(_WRITES, True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _unavailable(cause: str) -> StoreUnavailable:
    return StoreUnavailable(
        "the bridge's store cannot be used at the moment; try again, and tell the operator if it"
        " stays so",
        cause=cause,
    )


def _brief(exc: Exception) -> str:
    cause = getattr(exc, "orig", None) or exc
    return str(cause).strip().splitlines()[0][:200]
