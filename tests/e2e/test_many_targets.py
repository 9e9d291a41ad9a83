"""Hundreds of WBEM servers, some dead, some hanging: the living are served in time.

`TARGETS=200` has the full size; the figures are printed (`pytest -s`).
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from tests.processes import started

TARGETS = int(os.environ.get("TARGETS", "40"))
DEAD, HANGING = 10, 5
MACHINES = 3
DEADLINE_S = 6.0 if TARGETS <= 50 else 30.0
CLIENTS = 4
MOST_MIB = 400
MOST_THREADS = 16 + 2 * (100 + TARGETS)


@dataclass
class Bridge:
    base: str
    pid: int
    machines: int
    dead: set[str]
    hanging: set[str]

    def list(self) -> tuple[float, set[str], int]:
        """GET /machines: the time it took, the aliases left out, and how many there are."""
        began = time.monotonic()
        with urllib.request.urlopen(f"{self.base}/machines", timeout=90) as reply:
            body: Any = json.loads(reply.read())
            left_out = set((reply.headers["X-CIMI-Incomplete"] or "").split(",")) - {""}
        assert body["count"] == len(body["machines"])
        return time.monotonic() - began, left_out, body["count"]

    def status(self, key: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    folder = tmp_path_factory.mktemp("many")
    urls: dict[str, str] = {}
    with ExitStack() as stack:
        for number in range(DEAD):
            closed = stack.enter_context(socket.socket())  # bound, so that nobody else gets it
            closed.bind(("127.0.0.1", 0))
            urls[f"dead-{number}"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for number in range(HANGING):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            urls[f"hanging-{number}"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        dead, hanging = ({a for a in urls if a.startswith(k)} for k in ("dead", "hanging"))
        for number in range(TARGETS - DEAD - HANGING):
            front = stack.enter_context(WbemFront(Simulation(MACHINES, seed=number)))
            urls[f"lab-{number}"] = front.url
        targets = [
            {"alias": alias, "url": url, "deadline_s": DEADLINE_S} for alias, url in urls.items()
        ]
        file = folder / "bridge.yaml"
        file.write_text(json.dumps({"targets": targets}))
        program = stack.enter_context(started(folder, "serve", "--config", str(file)))
        base = program.urls["cimi2"].rpartition("/")[0]
        living = MACHINES * (TARGETS - DEAD - HANGING)
        yield Bridge(base, program.process.pid, living, dead, hanging)


def test_all_machines_of_the_living_come_by_the_deadline(bridge: Bridge) -> None:
    took_s, left_out, count = bridge.list()
    assert left_out == bridge.dead | bridge.hanging
    assert count == bridge.machines
    assert took_s <= DEADLINE_S + 1
    print(f"first: {took_s:.2f} s of {DEADLINE_S:g} s; {_figures(bridge)}")


def test_nobody_waits_for_the_hanging_once_they_are_known(bridge: Bridge) -> None:
    bridge.list()
    times = sorted(bridge.list()[0] for _ in range(3))
    print(f"then: {times[1]:.2f} s; {_figures(bridge)}")
    assert times[1] < DEADLINE_S / 2


def test_many_clients_at_once_are_served_too_and_memory_and_threads_are_bounded(
    bridge: Bridge,
) -> None:
    seen: list[tuple[float, set[str], int]] = []
    clients = [threading.Thread(target=lambda: seen.append(bridge.list())) for _ in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(f"{CLIENTS} at once: {time.monotonic() - began:.2f} s; {_figures(bridge)}")
    assert len(seen) == CLIENTS
    assert {count for _, _, count in seen} == {bridge.machines}
    assert bridge.status("VmHWM") <= MOST_MIB * 1024
    assert bridge.status("Threads") <= MOST_THREADS


def _figures(bridge: Bridge) -> str:
    peak, threads = bridge.status("VmHWM") >> 10, bridge.status("Threads")
    return f"at most {peak} MiB resident, {threads} threads"
