"""The one door to DBOS: each run of a Job is a workflow of DBOS under the Job's token.

DBOS gives a run its thread, in the order of submission, and keeps in tables of its own which
runs began and ended. What makes Jobs right (who may carry one out, what was sent, what comes
next) is in the books of the store, for DBOS cannot keep its tables in the store's
transactions: where both differ the books win, and a run is begun anew. So its tables need
not survive a loss of power, which spares SQLite two syncs per Job.

There is one DBOS per process, so there is one engine per process at a time.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import Serializer as DbosSerializer
from sqlalchemy import Engine, create_engine, event

from cimi_cim.service.store.database import Database

VERSION = "1"
"""Of the one workflow there is. It is fixed: an upgrade goes on with the Jobs it finds."""

_POOL: dict[str, Any] = {"pool_size": 4, "max_overflow": 8}
_log = logging.getLogger("dbos")
_open = threading.Lock()
_run: Callable[[str], None] | None = None


class _AsJson(DbosSerializer):
    """DBOS' own is pickle: whoever can write to the database could run code here."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=str)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "cimi_cim_json"


@DBOS.workflow(name="cimi-job", max_recovery_attempts=None)
def _carry_out(job: str) -> None:
    """What is raised here and is no `Exception` leaves the workflow pending."""
    if _run is not None:
        _run(job)


class Durable:
    """Runs of Jobs, on the database of a store or beside it."""

    def __init__(
        self, database: Database, executor: str, threads: int, run: Callable[[str], None]
    ) -> None:
        """Start DBOS. Raises `RuntimeError` where this process has one already."""
        global _run  # DBOS finds workflows by name in a registry of the process
        if not _open.acquire(blocking=False):
            raise RuntimeError("Jobs are carried out by this process already")
        _run = run
        if not _log.handlers:
            _log.addHandler(logging.NullHandler())  # else it writes to stderr by itself
        self._engine = _engine(database)
        config: DBOSConfig = {
            "name": "cimi-cim",
            "system_database_engine": self._engine,
            "application_version": VERSION,
            "executor_id": executor,
            "max_executor_threads": threads,
            "serializer": _AsJson(),
            "log_level": "WARNING",
            "enable_otlp": False,
            "use_listen_notify": False,
            "scheduler_polling_interval_sec": 3600.0,
            "notification_listener_polling_interval_sec": 0.1,  # how soon it ends; it reads nothing
        }
        try:
            DBOS(config=config)
            DBOS.launch()
        except BaseException:
            self.close()
            raise

    def start(self, job: str, *, is_new: bool) -> None:
        """Run a Job in a thread of DBOS, whatever DBOS knows of one that is not new."""
        if not is_new:
            self.forget([job])
        with SetWorkflowID(_token(job)):
            DBOS.start_workflow(_carry_out, job)

    def forget(self, jobs: Iterable[str]) -> None:
        """Delete what DBOS keeps of Jobs."""
        DBOS.delete_workflows([_token(job) for job in jobs])

    def close(self) -> None:
        """End DBOS. Runs that go on all the same have no DBOS to tell."""
        global _run
        DBOS.destroy()
        self._engine.dispose()
        _run = None
        _open.release()


def _token(job: str) -> str:
    return job.rpartition("/")[2]


def _engine(database: Database) -> Engine:
    if database.file is None:
        driver = database.url.set(drivername="postgresql+psycopg")
        engine = create_engine(driver, **_POOL, pool_pre_ping=True)

        @event.listens_for(engine, "connect")
        def _forgive(connection: Any, _: Any) -> None:
            connection.execute("SET synchronous_commit = off")  # what is lost is begun anew
            connection.commit()

        return engine
    file = f"{database.file}-dbos"
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    # In the same file its writers and ours starve each other: measured with 16 Jobs at work,
    # starts waited up to 2.8 s, beside it 0.6 s.
    engine = create_engine(f"sqlite:///{file}", **_POOL)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for setting in (
            "busy_timeout=30000",
            "foreign_keys=ON",
            "journal_mode=WAL",
            "synchronous=NORMAL",
        ):
            connection.execute(f"PRAGMA {setting}")

    return engine
