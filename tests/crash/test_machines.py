"""Machines made and deleted while the bridge is killed: nothing lost, stuck, or done twice.

`CRASHES` says how often the bridge is killed (`make crash`); a few times by default.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pywbem

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from tests.processes import started

CRASHES = int(os.environ.get("CRASHES", "5"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
LIMIT_S = 60
OVER = ("SUCCESS", "FAILED", "STOPPED")


class Client:
    """A client that does not mind when the bridge goes away."""

    def __init__(self, entry: str) -> None:
        self.base = entry.rpartition("/")[0]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else f"{self.base}/{path}"
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as exc:
            return {"status": exc.code, **json.loads(exc.read() or b"{}")}
        except OSError:
            return None

    def all(self, collection: str, array: str) -> list[dict[str, Any]]:
        found = self.ask("GET", collection)
        items: list[dict[str, Any]] = (found or {}).get(array, [])
        return items


def work(client: Client, number: int, stop: threading.Event) -> None:
    """Make machines, one after another, and delete every second one."""
    count = 0
    while not stop.is_set():
        count += 1
        name = f"m{number}-{count}"
        template = {
            "machineConfig": {"cpu": 1, "memory": 262144, "disks": [{"capacity": 4096}]},
            "initialState": "STARTED" if count % 2 else "STOPPED",
        }
        client.ask("POST", "machines", {"name": name, "machineTemplate": template})
        if count % 2:
            for machine in client.all(f"machines?$filter=name='{name}'", "machines"):
                client.ask("DELETE", machine["id"])


def settled(client: Client) -> list[dict[str, Any]]:
    """All Jobs, once none is open any more."""
    limit = time.monotonic() + LIMIT_S
    while True:
        jobs = client.all("jobs", "jobs")
        waiting = [job for job in jobs if job["state"] not in OVER]
        if jobs and not waiting:
            return jobs
        assert time.monotonic() < limit, f"stuck: {waiting[:3]}"
        time.sleep(0.1)


def test_no_crash_loses_doubles_or_strands_anything(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    simulation = Simulation(2, pace=0.05)
    with lab_server(simulation) as front:
        config = tmp_path / "bridge.yaml"
        config.write_text(
            f"store: sqlite:///{tmp_path / 'store.db'}\n"
            f"targets: [{{alias: lab, url: '{front.url}', deadline_s: 10}}]\n"
        )
        for number in range(CRASHES):
            with started(tmp_path, "serve", "--config", str(config)) as program:
                client, stop = Client(program.urls["cimi2"]), threading.Event()
                worker = threading.Thread(target=work, args=(client, number, stop))
                worker.start()
                time.sleep(chance.uniform(0.05, 1.5))
                program.process.kill()
                program.process.wait()
                stop.set()
                worker.join()
            program.ready_file.unlink(missing_ok=True)
        with started(tmp_path, "serve", "--config", str(config)) as program:
            client = Client(program.urls["cimi2"])
            jobs = settled(client)
            simulation.settle()
            check(client, jobs, simulation, front.url)


def check(client: Client, jobs: list[dict[str, Any]], simulation: Simulation, url: str) -> None:
    """What the Jobs tell is what the server has, and every call was sent once."""
    counts = Counter(job["state"] for job in jobs)
    told = [(job["action"], job.get("statusMessage")) for job in jobs]
    assert counts["SUCCESS"], told
    for method in ("DefineSystem", "DestroySystem"):
        sent = Counter(
            (*call.tokens, *call.references) for call in simulation.calls if call.method == method
        )
        assert max(sent.values(), default=0) <= 1, (method, sent.most_common(3))
    with pywbem.WBEMConnection(url, default_namespace="root/virt") as lab:
        names = Counter(
            system["ElementName"] for system in lab.EnumerateInstances("CIM_ComputerSystem")
        )
    ours = {name: count for name, count in names.items() if name.startswith("m") and "-" in name}
    assert all(count == 1 for count in ours.values()), ours
    shown = {machine["name"] for machine in client.all("machines", "machines")}
    assert set(ours) <= shown
    made = {
        ref["href"]
        for job in jobs
        if job["state"] == "SUCCESS" and job["action"].endswith("/add")
        for ref in job["affectedResources"]
    }
    for machine in client.all("machines", "machines"):
        if machine["name"] in ours:
            assert machine["id"] in made, f"{machine['name']} is nobody's: no Job tells of it"
