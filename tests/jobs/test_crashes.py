"""Programs that are killed at random: every call is made once, every Job comes to its end.

`CRASHES=100` makes a hundred runs on each database.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from cimi_cim.config import JobsConfig
from cimi_cim.service.jobs import ledger
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.job_tables import RUNS
from cimi_cim.service.store.store import Store
from tests.jobs.program import Order, Program, pass_by, running
from tests.jobs.recorder import Recorder
from tests.jobs.waiting import LIMIT_S, until
from tests.services import new_secrets

RUNS_EACH = int(os.environ.get("CRASHES", "2"))
SETTINGS = JobsConfig(workers=3, lease_s=1, settle_s=0.4, outage_s=5)
PATIENT = JobsConfig(lease_s=1, settle_s=60)
MOST_KILLS = 4


def jobs_of(port: int) -> list[tuple[str, dict[str, Any]]]:
    """Jobs of several calls: some alone, some nested, some that fail and are undone."""

    def calls(*names: str, **more: Any) -> dict[str, Any]:
        return {"port": port, "names": names, **more}

    return [
        ("calls", calls("a1", "a2", "a3", "a4")),
        ("calls", calls("b1", "b2", "b3", undo=True)),
        ("calls", calls("x1", "x2", "x3", undo=True, fail="made to fail")),
        ("nest", {"children": {"c": calls("c1", "c2"), "d": calls("d1", "d2", "d3")}}),
        ("nest", {"children": {"y": calls("y1", undo=True), "z": calls("z1", fail="so")}}),
    ]


ONCE = {
    *("a1", "a2", "a3", "a4"), *("b1", "b2", "b3"), *("x1", "x2", "x3"),
    *("c1", "c2"), *("d1", "d2", "d3"), "y1", "z1",
}  # fmt: skip
UNDONE = {"x1", "x2", "x3", "y1"}
ENDS = Counter(SUCCESS=2 + 3 + 1, FAILED=1 + 1 + 1)


def states(database: Database) -> Counter[str]:
    """How all Jobs stand, nested ones included."""
    with Store(database, new_secrets()).reading() as reading:
        return Counter(str(job.values["state"]) for job in reading.in_collection("jobs"))


def phases(database: Database) -> set[str]:
    with database.transaction(writes=False) as connection:
        return set(connection.scalars(select(RUNS.c.phase)))


def kill_at_random(draw: random.Random, program: Program, recorder: Recorder) -> None:
    """Kill a program after some time, or when the recorder is asked, or has just answered."""
    if draw.random() < 0.5:
        program.process.join(draw.uniform(0, 0.5))
    else:
        stage, left = draw.choice(["asked", "done"]), draw.randrange(6)

        def watch(seen: str, _: str) -> None:
            nonlocal left
            left -= seen == stage
            if left < 0:
                program.process.kill()

        recorder.watch = watch
        program.process.join(1.5)
        recorder.watch = lambda stage, line: None
    program.kill()


@pytest.mark.parametrize("seed", range(RUNS_EACH))
def test_killed_at_random_nothing_is_lost_and_nothing_done_twice(
    database: Database, store_url: str, recorder: Recorder, seed: int
) -> None:
    draw = random.Random(seed)
    recorder.takes_s = draw.choice([0, 0.02, 0.1])
    order = Order(store_url, SETTINGS, jobs_of(recorder.port))
    for _ in range(draw.randint(1, MOST_KILLS)):
        with running(order) as program:
            if draw.random() < 0.8:
                program.hear("ready")
            kill_at_random(draw, program, recorder)
    with running(order) as program:
        program.hear("ready")
        program.end()
    assert recorder.done() == Counter(ONCE)
    assert recorder.standing() == ONCE - UNDONE
    assert states(database) == ENDS
    assert phases(database) == {"over"}


def killed_at_work(order: Order, recorder: Recorder) -> None:
    """Run a program until it sends its first call; that takes effect when somebody asks for it."""
    was_asked_about = threading.Event()
    recorder.looked_up = was_asked_about.set
    with running(order) as program:

        def watch(stage: str, line: str) -> None:
            if stage == "asked" and line == "+a":
                program.process.kill()
                was_asked_about.wait(LIMIT_S)
                pass_by(0.2)

        recorder.watch = watch
        program.process.join(LIMIT_S)


def test_a_call_that_the_server_is_still_at_work_on_is_not_sent_again(
    database: Database, store_url: str, recorder: Recorder
) -> None:
    arguments = {"port": recorder.port, "names": ["a"]}
    killed_at_work(Order(store_url, PATIENT, [("calls", arguments)]), recorder)
    with running(Order(store_url, PATIENT)) as program:
        program.hear("ready")
        program.end()
    assert recorder.deeds == ["+a"]
    assert states(database) == Counter(SUCCESS=1)


def test_a_job_that_is_to_stop_first_finds_out_what_became_of_its_calls(
    database: Database, store_url: str, recorder: Recorder
) -> None:
    arguments = {"port": recorder.port, "names": ["a", "b"], "undo": True}
    killed_at_work(Order(store_url, PATIENT, [("calls", arguments)]), recorder)
    with Store(database, new_secrets()).writing() as writing:
        for job in list(writing.in_collection("jobs")):
            ledger.ask_to_stop(writing, job.path)
    with running(Order(store_url, PATIENT)) as program:
        program.hear("ready")
        program.end()
    assert recorder.deeds == ["+a", "-a"]
    assert states(database) == Counter(STOPPED=1)


def test_sigterm_loses_nothing_and_the_next_start_goes_on(
    database: Database, store_url: str, recorder: Recorder
) -> None:
    recorder.takes_s = 0.05
    order = Order(store_url, SETTINGS, jobs_of(recorder.port), ends=False)
    with running(order) as program:
        program.hear("ready")
        until(lambda: len(recorder.deeds) > 3)
        program.send(signal.SIGTERM)
        program.end()
    assert len(recorder.deeds) < len(ONCE)
    with running(Order(store_url, SETTINGS)) as program:
        program.hear("ready")
        program.end()
    assert recorder.done() == Counter(ONCE)
    assert states(database) == ENDS


def test_what_dbos_keeps_may_be_lost(
    database: Database, store_url: str, recorder: Recorder
) -> None:
    """The books of the store say what is to be done; DBOS may know less, or believe it over."""
    arguments = {"port": recorder.port, "names": ["a", "b"], "pause": 0.3}
    with running(Order(store_url, SETTINGS, [("calls", arguments)])) as program:
        until(lambda: recorder.deeds == ["+a"])
        program.kill()
    if database.file is not None:
        for path in database.file.parent.glob(f"{database.file.name}-dbos*"):
            path.unlink()
    else:
        engine = create_engine(database.url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE dbos.workflow_status SET status = 'SUCCESS'"))
        engine.dispose()
    with running(Order(store_url, SETTINGS)) as program:
        program.hear("ready")
        program.end()
    assert recorder.deeds == ["+a", "+b"]
    assert states(database) == Counter(SUCCESS=1)
