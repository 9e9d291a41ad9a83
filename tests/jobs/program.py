"""A bridge for tests that carries out Jobs in a process of its own, and can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import func, select

from cimi_cim.config import JobsConfig
from cimi_cim.service.jobs.asking import Request
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.job_tables import RUNS
from cimi_cim.service.store.store import Store
from tests.jobs.waiting import LIMIT_S
from tests.jobs.work import TARGET, make_kinds
from tests.services import new_secrets

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "cimi_cim.service.jobs.durable"])


@dataclass(frozen=True)
class Order:
    """What a program does: submits these Jobs (kind, arguments), unless they were before.

    With `ends` it ends by itself when every Job in the store is over, else on SIGTERM.
    """

    url: str
    settings: JobsConfig
    jobs: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ends: bool = True
    without_kinds: Sequence[str] = field(default=())


def run(order: Order, told: Connection) -> None:
    """Be a bridge; tells "ready" once everything is submitted."""
    database = open_database(order.url)
    store = Store(database, new_secrets())
    kinds = make_kinds()
    for kind in order.without_kinds:
        del kinds._kinds[kind]
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    engine = JobEngine(database, store, kinds, order.settings)
    engine.start()
    for number, (kind, arguments) in enumerate(order.jobs):
        with store.writing() as writing:
            request = Request("test", str(number), "same")
            engine.submit(writing, kind, Work("start", TARGET), arguments, request)
    told.send("ready")
    while not ended.is_set() and not (order.ends and _are_over(store)):
        ended.wait(0.02)
    if engine.close(LIMIT_S):
        told.send("ended")


def _are_over(store: Store) -> bool:
    query = select(func.count()).select_from(RUNS).where(RUNS.c.phase != "over")
    with store.reading() as reading:
        return reading.connection.scalar(query) == 0


class Program:
    """A running program."""

    def __init__(self, order: Order) -> None:
        self._told, theirs = _processes.Pipe(duplex=False)
        self.process = _processes.Process(target=run, args=(order, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self, what: str) -> None:
        """Wait until it tells something."""
        heard = ""
        while heard != what:
            assert self._told.poll(LIMIT_S), f"it never was {what}"
            heard = self._told.recv()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; it may be gone already."""
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()
        self.process.join(LIMIT_S)

    def end(self) -> None:
        """Wait for it to end well."""
        self.hear("ended")
        self.process.join(LIMIT_S)
        assert self.process.exitcode == 0


@contextmanager
def running(order: Order) -> Iterator[Program]:
    """Run a program for as long as the context lasts, if it does not end before."""
    program = Program(order)
    try:
        yield program
    finally:
        program.kill()


def pass_by(seconds: float) -> None:
    """Let time pass for another process."""
    time.sleep(seconds)
