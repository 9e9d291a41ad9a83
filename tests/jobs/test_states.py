"""Whatever is asked of Jobs in whatever order, restarts included, they keep to their states.

`CRASHES=100` tries a hundred orders.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from cimi_cim.errors import ConflictError
from cimi_cim.service.jobs.bodies import JobContext, Kinds
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.store import Store
from tests.jobs.conftest import SETTINGS, Bench
from tests.jobs.waiting import LIMIT_S, until
from tests.services import new_secrets

FOLLOWS = {
    "QUEUED": {"RUNNING", "STOPPED", "STOPPING"},
    "RUNNING": {"SUCCESS", "FAILED", "STOPPING"},
    "STOPPING": {"STOPPED", "SUCCESS", "FAILED"},
    "SUCCESS": set(), "FAILED": set(), "STOPPED": set(),
}  # fmt: skip
OVER = {"SUCCESS", "FAILED", "STOPPED"}
DEEDS = 3


class World:
    """What bodies wait for, and what they did; it outlives engines."""

    def __init__(self) -> None:
        self.ways: dict[str, str] = {}
        self.done: dict[str, list[int]] = {}
        self.lock = threading.Lock()

    def body(self, context: JobContext, arguments: Mapping[str, Any]) -> None:
        """Do some deeds, then wait to be told which way to go."""
        name = arguments["name"]
        for number in range(DEEDS):
            context.undo(str(number), "undo", {"name": name, "number": number}, "undo it")
            context.once(f"did-{number}", lambda n=number: self.do(name, n))  # type: ignore[misc]
            context.progress(20 * (number + 1), f"did {number}")
        while name not in self.ways:
            context.sleep(0.005)
        if self.ways[name] == "fail":
            raise ConflictError("it was told to fail")

    def do(self, name: str, number: int) -> int:
        """Do something that can be undone."""
        with self.lock:
            self.done.setdefault(name, []).append(number)
        return number

    def undo(self, context: JobContext, arguments: Mapping[str, Any]) -> None:
        """Undo it, if it was done."""
        with self.lock:
            done = self.done.get(arguments["name"], [])
            while arguments["number"] in done:
                done.remove(arguments["number"])


class Jobs(RuleBasedStateMachine):
    """Clients and operators at work on one store."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.world = World()
        self.names: dict[str, str] = {}
        self.seen: dict[str, list[str]] = {}
        self.deleted: set[str] = set()
        self.bench = self.opened()

    def opened(self) -> Bench:
        self.database = open_database(f"sqlite:///{Path(self.folder.name) / 'store.db'}")
        kinds = Kinds()
        kinds.register("scripted", self.world.body)
        kinds.register("undo", self.world.undo)
        store = Store(self.database, new_secrets())
        engine = JobEngine(self.database, store, kinds, SETTINGS)
        engine.start()
        return Bench(store, kinds, engine)

    def closed(self) -> None:
        assert self.bench.engine.close(LIMIT_S)
        self.database.close()

    def state(self, job: str) -> str | None:
        values = self.bench.values(job)
        return str(values["state"]) if values else None

    @rule(target=jobs)
    def submit(self) -> str:
        name = f"j{len(self.names)}"
        job = self.bench.submit("scripted", {"name": name})
        self.names[job] = name
        self.seen[job] = ["QUEUED"]
        return job

    @rule(job=jobs)
    def let_it_begin(self, job: str) -> None:
        until(lambda: self.state(job) != "QUEUED")

    @rule(job=consumes(jobs), way=st.sampled_from(["succeed", "fail"]))
    def let_it_end(self, job: str, way: str) -> None:
        was_stopped = self.state(job) in ("STOPPING", "STOPPED", None)
        self.world.ways[self.names[job]] = way
        assert self.bench.engine.wait(job, LIMIT_S)
        ended = self.state(job)
        if job in self.deleted:
            assert ended is None
        elif not was_stopped:
            assert ended == {"succeed": "SUCCESS", "fail": "FAILED"}[way]
        done = self.world.done.get(self.names[job], [])
        if ended in ("SUCCESS", "FAILED", "STOPPED"):
            assert done == ([0, 1, 2] if ended == "SUCCESS" else [])

    @rule(job=jobs)
    def stop(self, job: str) -> None:
        before = self.state(job)
        try:
            self.bench.stop(job)
        except ConflictError:
            assert before in OVER | {"STOPPING", None}
        else:
            assert self.state(job) in {"STOPPING", "STOPPED", None}

    @rule(job=jobs)
    def delete(self, job: str) -> None:
        gone = self.bench.delete(job)
        self.deleted.add(job)
        if gone:
            assert self.state(job) is None
        else:
            until(lambda: self.state(job) is None)

    @rule()
    def restart(self) -> None:
        self.closed()
        self.bench = self.opened()

    @invariant()
    def states_follow_one_another(self) -> None:
        for job, seen in self.seen.items():
            values = self.bench.values(job)
            if not values:
                assert job in self.deleted
                continue
            state = str(values["state"])
            if state != seen[-1]:
                assert _leads_to(seen[-1], state), (seen, state)
                seen.append(state)
            assert (values["progress"] == 100) == (state in OVER)
            assert ("returnCode" in values) == (state in OVER)

    def teardown(self) -> None:
        for name in self.names.values():
            self.world.ways.setdefault(name, "succeed")
        for job in self.names:
            assert self.bench.engine.wait(job, LIMIT_S)
        self.states_follow_one_another()
        self.closed()
        self.folder.cleanup()


def _leads_to(before: str, after: str) -> bool:
    """Whether a state follows another one, at once or over others that nobody saw."""
    return after in FOLLOWS[before] or any(_leads_to(each, after) for each in FOLLOWS[before])


Jobs.TestCase.settings = settings(
    max_examples=int(os.environ.get("CRASHES", "4")), stateful_step_count=15, deadline=None
)
TestJobs = Jobs.TestCase
