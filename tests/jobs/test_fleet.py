"""Several bridges on one PostgreSQL: the Jobs of a dead one are taken over, by exactly one."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cimi_cim.config import JobsConfig
from cimi_cim.errors import ConfigError
from cimi_cim.service.jobs.alone import Alone
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.store.database import Database, open_database
from cimi_cim.service.store.store import Store
from tests.databases import new_database
from tests.jobs.program import Order, pass_by, running
from tests.jobs.recorder import Recorder
from tests.jobs.test_crashes import ENDS, ONCE, UNDONE, jobs_of, states
from tests.jobs.waiting import until
from tests.jobs.work import make_kinds
from tests.services import new_secrets

LEASE_S = 1.0
SETTINGS = JobsConfig(workers=3, lease_s=LEASE_S, settle_s=0.3)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database("postgresql", tmp_path, request) as made:
        yield made


@pytest.fixture
def shared(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


def test_the_jobs_of_a_killed_bridge_are_taken_over_within_the_lease(
    url: str, shared: Database, recorder: Recorder
) -> None:
    recorder.takes_s = 0.05
    idle = Order(url, SETTINGS, ends=False)
    with running(idle) as second, running(idle) as third:
        second.hear("ready")
        third.hear("ready")
        with running(Order(url, SETTINGS, jobs_of(recorder.port))) as first:
            first.hear("ready")
            until(lambda: len(recorder.deeds) > 2)
            first.kill()
        killed_at, deeds = time.monotonic(), len(recorder.deeds)
        until(lambda: len(recorder.deeds) > deeds + 1)
        taken_over_s = time.monotonic() - killed_at
        until(lambda: states(shared) == ENDS)
    assert deeds < len(ONCE)
    assert taken_over_s < 3 * LEASE_S
    assert recorder.done() == Counter(ONCE)
    assert recorder.standing() == ONCE - UNDONE


def test_the_jobs_of_a_bridge_that_ends_well_are_taken_over_at_once(
    url: str, shared: Database, recorder: Recorder
) -> None:
    slow = JobsConfig(workers=3, lease_s=6, settle_s=0.3)
    with running(Order(url, slow, ends=False)) as second:
        second.hear("ready")
        arguments = {"port": recorder.port, "names": ["a", "b"], "pause": 0.5}
        order = Order(url, slow, [("calls", arguments)], ends=False)
        with running(order) as first:
            until(lambda: recorder.deeds == ["+a"])
            first.send(signal.SIGTERM)
            first.end()
        ended_at = time.monotonic()
        until(lambda: states(shared) == Counter(SUCCESS=1))
        assert time.monotonic() - ended_at < 5
    assert recorder.deeds == ["+a", "+b"]


def test_a_bridge_that_only_stood_still_does_nothing_more_for_what_it_lost(
    url: str, shared: Database, recorder: Recorder
) -> None:
    arguments = {"port": recorder.port, "names": ["a", "b", "c"], "pause": 0.4}
    with running(Order(url, SETTINGS, [("calls", arguments)], ends=False)) as first:
        until(lambda: recorder.deeds == ["+a"])
        first.send(signal.SIGSTOP)
        with running(Order(url, SETTINGS, ends=False)) as second:
            second.hear("ready")
            until(lambda: states(shared) == Counter(SUCCESS=1))
        first.send(signal.SIGCONT)
        pass_by(1)
        order = Order(url, SETTINGS, [("calls", arguments), ("calls", {**arguments, "names": "x"})])
        with running(order) as third:
            third.hear("ready")
            third.end()
    assert recorder.deeds == ["+a", "+b", "+c", "+x"]


def test_a_kind_that_only_another_bridge_knows_is_left_to_it(
    url: str, shared: Database, recorder: Recorder
) -> None:
    arguments = {"port": recorder.port, "names": ["a", "b"], "pause": 0.4}
    with running(Order(url, SETTINGS, ends=False, without_kinds=["calls"])) as older:
        older.hear("ready")
        with running(Order(url, SETTINGS, [("calls", arguments)])) as newer:
            until(lambda: recorder.deeds == ["+a"])
            newer.kill()
        pass_by(2 * LEASE_S)
        assert states(shared) == Counter(RUNNING=1)
        with running(Order(url, SETTINGS)) as newer:
            newer.hear("ready")
            newer.end()
    assert recorder.deeds == ["+a", "+b"]
    assert states(shared) == Counter(SUCCESS=1)


def test_one_bridge_alone_uses_an_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with running(Order(url, SETTINGS, ends=False)) as first:
        first.hear("ready")
        database = open_database(url)
        engine = JobEngine(database, Store(database, new_secrets()), make_kinds())
        with pytest.raises(ConfigError, match="another bridge uses"):
            engine.start()
        first.kill()
        Alone(tmp_path / "store.db").close()
    database.close()
