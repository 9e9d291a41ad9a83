"""What is looked after in the background: orphans, dead bridges, strange kinds, old Jobs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from cimi_cim.config import JobsConfig
from cimi_cim.errors import StoreUnavailable
from cimi_cim.service.jobs import keeper, ledger
from cimi_cim.service.jobs.asking import Request
from cimi_cim.service.jobs.engine import JobEngine
from cimi_cim.service.jobs.failures import SUCCESS
from cimi_cim.service.jobs.keeper import Keeper
from cimi_cim.service.jobs.ledger import New
from cimi_cim.service.jobs.pulse import Pulse
from cimi_cim.service.jobs.records import Work, record
from cimi_cim.service.jobs.requests import remember
from cimi_cim.service.jobs.signals import Signals, Slots
from cimi_cim.service.jobs.tools import Tools
from cimi_cim.service.store.database import Database, open_database
from cimi_cim.service.store.job_tables import BRIDGES, CALLS, JOB_TABLES, KEYS, NOTES, UNDOS
from cimi_cim.service.store.store import Store
from tests.databases import new_database
from tests.jobs.conftest import SETTINGS
from tests.jobs.waiting import LIMIT_S, until
from tests.jobs.work import TARGET, make_kinds
from tests.services import new_secrets


def _nobody() -> bool:
    """Lets in who waits: nobody does here."""
    return False


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """A keeper that makes its rounds when it is told, and what it had carried out."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    resumed: list[str] = field(default_factory=list)
    here: set[str] = field(default_factory=set)
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.database, new_secrets(), self.clock)
        kinds = make_kinds()
        is_alone = self.database.file is not None
        self.pulse = Pulse(self.store, "me", kinds, lease_s=60, is_alone=is_alone)
        self.settings = JobsConfig(workers=2, retention_minutes=60)
        self.tools = Tools(
            self.store, kinds, self.settings, self.pulse, Slots(2), Signals(),
            ThreadPoolExecutor(1), ThreadPoolExecutor(1),
        )  # fmt: skip
        self.keeper = Keeper(
            self.tools, lambda: self.here, self.resumed.append, self._forget, _nobody
        )

    def _forget(self, jobs: Iterable[str]) -> None:
        self.forgotten += jobs

    def enter(self, owner: str, kind: str = "calls") -> str:
        """Submit a Job in the name of a bridge."""
        with self.store.writing() as writing:
            new = New(kind, Work("start", TARGET), {}, can_stop=True)
            return ledger.enter(writing, new, owner).job

    def bridge(self, executor: str, *kinds: str, beat: float | None = None) -> None:
        """Put up another bridge, alive unless it is said when it gave its last sign of life."""
        at = func.extract("epoch", func.clock_timestamp()) if beat is None else beat
        row = {"executor": executor, "beat": at, "kinds": json.dumps(kinds)}
        with self.store.writing() as writing:
            writing.connection.execute(insert(BRIDGES).values(row))

    def owner(self, job: str) -> str | None:
        with self.store.reading() as reading:
            entry = ledger.find(reading, job)
        return None if entry is None else entry.owner

    def count(self, table: Any) -> int:
        with self.store.reading() as reading:
            return int(reading.connection.scalar(select(func.count()).select_from(table)) or 0)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@pytest.fixture
def fleet(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Office]:
    """An office on PostgreSQL, where there are others."""
    with new_database("postgresql", tmp_path, request) as url:
        database = open_database(url)
        yield Office(database)
        database.close()


def test_the_jobs_of_whoever_is_gone_are_taken_the_oldest_first(office: Office) -> None:
    jobs = []
    for _ in range(3):
        office.clock.now += timedelta(seconds=1)
        jobs.append(office.enter("gone"))
    office.keeper.make_round()
    assert office.resumed == jobs[:2]  # as many as there are workers
    assert [office.owner(job) for job in jobs] == ["me", "me", "gone"]
    office.here = set(jobs[:2])
    office.keeper.make_round()
    assert office.resumed == jobs


def test_a_job_that_could_not_be_started_is_started_later(office: Office) -> None:
    job, running = office.enter("me"), office.enter("me")
    office.here = {running}
    office.keeper.make_round()
    assert office.resumed == [job]


def test_nothing_is_taken_from_the_living(fleet: Office) -> None:
    fleet.bridge("other", "calls")
    job = fleet.enter("other")
    fleet.keeper.make_round()
    assert fleet.resumed == []
    assert not fleet.pulse.take(job)


def test_the_dead_are_forgotten_and_lose_what_they_hold(fleet: Office) -> None:
    """A process that stands still in the middle of a transaction would hold its Jobs for ever."""
    other = open_database(fleet.database.url.render_as_string(hide_password=False))
    job = fleet.enter(other.session)
    fleet.bridge(other.session, "calls", beat=0)
    holds, ends = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def stand_still() -> None:
        try:
            with Store(other, new_secrets()).writing() as writing:
                writing.lock(job)
                holds.set()
                ends.wait(LIMIT_S)
                writing.find(job)
        except StoreUnavailable as exc:
            failed.append(exc)

    thread = threading.Thread(target=stand_still)
    thread.start()
    assert holds.wait(LIMIT_S)
    fleet.keeper.make_round()
    assert fleet.resumed == [job]
    ends.set()
    thread.join()
    assert failed
    assert fleet.count(BRIDGES) == 1
    other.close()


def test_one_of_several_takes_a_job(fleet: Office) -> None:
    for _ in range(6):
        fleet.enter("gone")
    pulses = [Pulse(fleet.store, str(n), make_kinds(), 60, is_alone=False) for n in range(4)]
    for pulse in pulses:
        pulse.beat()
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda pulse: pulse.take_over(6), pulses))
    assert sorted(job for jobs in taken for job in jobs) == sorted(
        job for pulse in pulses for job in pulse.mine()
    )
    assert len({job for jobs in taken for job in jobs}) == 6


def test_a_sign_of_life_is_given_before_the_last_one_is_too_old(fleet: Office) -> None:
    pulse = Pulse(fleet.store, "other", make_kinds(), lease_s=0.2, is_alone=False)

    def last_beat() -> float | None:
        pulse.be_fresh()
        with fleet.store.reading() as reading:
            return reading.connection.scalar(select(BRIDGES.c.beat))

    first = last_beat()
    assert first is not None
    until(lambda: last_beat() != first)


def test_a_job_nobody_knows_waits_for_a_while_then_fails(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = office.enter("gone", "of-the-future")
    office.keeper.make_round()
    office.keeper.make_round()
    assert (office.resumed, office.owner(job)) == ([], "gone")
    monkeypatch.setattr(keeper, "UNKNOWN_FOR_S", 0)
    office.keeper.make_round()
    assert (office.resumed, office.owner(job)) == ([job], "me")


def test_a_job_that_another_bridge_knows_is_left_to_it(
    fleet: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "UNKNOWN_FOR_S", 0)
    fleet.bridge("newer", "of-the-future")
    fleet.enter("gone", "of-the-future")
    fleet.keeper.make_round()
    assert fleet.resumed == []


def test_a_job_of_an_unknown_kind_fails_clearly(tmp_path: Any) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'store.db'}")
    office = Office(database)
    engine = JobEngine(database, office.store, make_kinds(), SETTINGS)
    engine.start()
    job = office.enter(database.session, "of-the-future")
    assert engine.wait(job, LIMIT_S)
    with office.store.reading() as reading:
        failure = engine.failure(reading, job)
    assert failure is not None
    assert failure.reason == "unknown-kind"
    assert "another version of it submitted the Job" in failure.message
    assert engine.close(LIMIT_S)
    database.close()


def test_who_waits_is_told_of_a_stop_that_came_through_another_bridge(office: Office) -> None:
    job = office.enter("me")
    with office.store.writing() as writing:
        ledger.ask_to_stop(writing, job)
    office.keeper.make_round()
    office.tools.signals.wait(job, 3600, heeds_stop=True)


def test_old_jobs_go_with_all_that_is_kept_of_them(office: Office) -> None:
    with office.store.writing() as writing:
        recorded = record(writing, Work("edit", TARGET))
        remember(writing, Request("ann", "k", "f"), recorded)
    over, open_ = office.enter("me"), office.enter("me")
    with office.store.writing() as writing:
        entry = ledger.find(writing, over)
        assert entry is not None
        new = New("calls", Work("start", TARGET), {}, can_stop=True, key="c")
        (nested,) = ledger.enter_nested(writing, [new], entry)
        for job in (nested, over):
            _fill(writing.connection, job)
            ledger.end(writing, job, SUCCESS)
    office.clock.now += timedelta(minutes=59)
    office.keeper.make_round()
    assert office.forgotten == []
    office.clock.now += timedelta(minutes=2)
    late = office.enter("me")
    fresh = Keeper(office.tools, lambda: (open_, late), lambda _: None, office._forget, _nobody)
    fresh.make_round()
    assert sorted(office.forgotten) == sorted([recorded, over])
    with office.store.reading() as reading:
        assert {job.path for job in reading.in_collection("jobs")} == {open_, late}
    assert [office.count(table) for table in JOB_TABLES] == [2, 0, 0, 0, 0, 1]


def _fill(connection: Any, job: str) -> None:
    connection.execute(insert(CALLS).values(job=job, key="k", intent="{}", began=0))
    connection.execute(insert(NOTES).values(job=job, key="k", value="1"))
    connection.execute(insert(KEYS).values(principal="", key=job, fingerprint="", job=job))
    row = {"root": job, "position": 1, "job": job, "key": "k", "kind": "calls",
           "arguments": "{}", "what": "", "state": "open"}  # fmt: skip
    connection.execute(insert(UNDOS).values(row))


def test_thousands_of_old_jobs_go_in_the_end(office: Office) -> None:
    with office.store.writing() as writing:
        for _ in range(120):
            record(writing, Work("edit", TARGET))
    office.clock.now += timedelta(days=1)
    office.keeper.make_round()
    assert len(office.forgotten) == 120
    with office.store.reading() as reading:
        assert reading.count("jobs") == 0


def test_a_round_that_fails_is_not_the_last(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = threading.Semaphore(0)

    def here() -> frozenset[str]:
        rounds.release()
        raise ZeroDivisionError

    settings = JobsConfig(lease_s=0.03)
    tools = Tools(
        office.store, office.tools.kinds, settings, office.pulse, Slots(1), Signals(),
        office.tools.helpers, office.tools.scribes,
    )  # fmt: skip
    tireless = Keeper(tools, here, office.resumed.append, office._forget, _nobody)
    tireless.start()
    for _ in range(3):
        assert rounds.acquire(timeout=LIMIT_S)
    tireless.close()
    assert "could not be looked after" in caplog.text
