"""Machines made and deleted while the bridge is killed: nothing lost, stuck, or done twice.

`CRASHES` says how often the bridge is killed (`make crash`); a few times by default.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from tests.crash.clients import Client, at_work, settled
from tests.crash.verdict import Verdict
from tests.processes import started

CRASHES = int(os.environ.get("CRASHES", "5"))
SEED = int(os.environ.get("CRASH_SEED", "1"))


def test_no_crash_loses_doubles_or_strands_anything(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    simulation = Simulation(2, pace=0.05)
    with lab_server(simulation) as front:
        verdict = Verdict(simulation, front.url)
        config = tmp_path / "bridge.yaml"
        config.write_text(
            f"store: sqlite:///{tmp_path / 'store.db'}\n"
            f"targets: [{{alias: lab, url: '{front.url}', deadline_s: 10}}]\n"
        )
        for number in range(CRASHES):
            with (
                started(tmp_path, "serve", "--config", str(config)) as program,
                at_work(Client(program.urls["cimi2"]), f"m{number}"),
            ):
                time.sleep(chance.uniform(0.05, 1.5))
                program.process.kill()
                program.process.wait()
            program.ready_file.unlink(missing_ok=True)
        with started(tmp_path, "serve", "--config", str(config)) as program:
            client = Client(program.urls["cimi2"])
            print(verdict.check(client, settled(client)))
