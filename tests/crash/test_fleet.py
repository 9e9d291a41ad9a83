"""Two bridges on one PostgreSQL, one of them killed: the other ends what it had begun.

`CRASHES` says how often one is killed (`make crash`); a few times by default.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.service.store.secrets import SecretBox
from tests.crash.clients import Client, at_work, local, settled
from tests.crash.verdict import Verdict
from tests.databases import new_database
from tests.processes import Running, started

CRASHES = int(os.environ.get("CRASHES", "3"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
LEASE_S = 2
FAILURES = ["DefineSystem:every=7:cim=1", "DefineSystem:every=5:drop-reply"]
"""Some machines cannot be made, so that crashes also come while things are undone."""
TAKEN_OVER_S = 30
"""A lease, the other's next round, and the work that was left, on a busy machine."""


@pytest.fixture
def shared_store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with new_database("postgresql", tmp_path, request) as url:
        yield url


class Bridge:
    """One of the bridges, which is started again after each crash."""

    def __init__(self, folder: Path, config: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._config = config
        self._stack = ExitStack()
        self.program: Running

    def start(self) -> None:
        program = started(self._folder, "serve", "--config", str(self._config))
        self.program = self._stack.enter_context(program)

    def kill(self) -> None:
        self.program.process.kill()
        self.program.process.wait()
        self.program.ready_file.unlink(missing_ok=True)
        self._stack.close()

    @property
    def client(self) -> Client:
        return Client(self.program.urls["cimi2"])


def test_the_jobs_of_a_dead_bridge_are_taken_over(tmp_path: Path, shared_store: str) -> None:
    chance = random.Random(SEED)
    simulation = Simulation(2, pace=0.05, failures=FAILURES)
    with lab_server(simulation) as front, ExitStack() as stack:
        verdict = Verdict(simulation, front.url)
        config = tmp_path / "bridge.yaml"
        config.write_text(
            f"store: '{shared_store}'\nstore_key: {SecretBox.new_key().reveal()}\n"
            f"targets: [{{alias: lab, url: '{front.url}', deadline_s: 10}}]\n"
            f"jobs: {{lease_s: {LEASE_S}, settle_s: 1}}\n"
        )
        bridges = [Bridge(tmp_path / name, config) for name in ("one", "two")]
        for bridge in bridges:
            bridge.start()
            stack.callback(bridge.kill)
        taken_over = 0
        for number in range(CRASHES):
            dying, living = chance.sample(bridges, 2)
            with at_work(living.client, f"l{number}"):
                with at_work(dying.client, f"d{number}"):
                    time.sleep(chance.uniform(0.05, 1.5))
                    dying.kill()
                taken_over += end_of_those_open_now(living.client)
            dying.start()
        for bridge in bridges:
            jobs = settled(bridge.client)
        print(f"{taken_over} Jobs open at {CRASHES} crashes; {verdict.check(bridge.client, jobs)}")


def end_of_those_open_now(client: Client) -> int:
    """Wait until every Job that is open now is over; returns how many there were."""
    waiting = {local(job["id"]) for job in client.open_jobs()}
    count, limit = len(waiting), time.monotonic() + TAKEN_OVER_S
    while waiting:
        still = client.open_jobs()
        waiting &= {local(job["id"]) for job in still}
        assert time.monotonic() < limit, [job for job in still if local(job["id"]) in waiting][:3]
        time.sleep(0.1)
    return count
