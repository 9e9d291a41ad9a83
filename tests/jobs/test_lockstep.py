"""Whoever holds what, and asks for more in whatever order: Jobs that wait all come to an end.

The Jobs of an example take their steps one at a time, in an order that is drawn.
`CRASHES=100` tries as many as 150 of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cimi_cim.service.jobs import holding, ledger, turns
from cimi_cim.service.jobs.failures import STOPPED, SUCCESS
from cimi_cim.service.jobs.ledger import New
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.jobs.turns import Late
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.job_tables import CLAIMS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from tests.services import new_secrets

T = TypeVar("T")

EXAMPLES = int(os.environ.get("CRASHES", "10")) * 3 // 2
MOST_ROUNDS = 400
PATHS = ["m/a", "m/a/disks/1", "m/b", "m/b/disks", "m/c"]


@dataclass(frozen=True)
class Script:
    """What a Job asks for: when it is submitted, before all else, then, and when it failed."""

    holds: list[str]
    first: list[str]
    more: list[list[str]]
    undo: list[str]


scripts = st.builds(
    Script,
    st.lists(st.sampled_from(PATHS), max_size=2),
    st.lists(st.sampled_from(PATHS), max_size=2),
    st.lists(st.lists(st.sampled_from(PATHS), min_size=1, max_size=2), max_size=2),
    st.lists(st.sampled_from(PATHS), max_size=1),
)


class Actor:
    """A Job that goes on by one step when it is told to; implements `holding.Waiter`."""

    def __init__(self, store: Store, script: Script) -> None:
        self.store, self.script = store, script
        self.late, self.is_over, self.raised = Late.AT_WORK, False, list[BaseException]()
        self.notes: dict[str, Any] = {}
        with store.writing() as writing:
            new = New("play", Work("start", "m/a"), {}, True)
            self.job = self.root = ledger.enter(writing, new, "here").job
            turns.ask(writing, self.job, script.holds, is_held=False)
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()
        self._waits.acquire()

    def step(self) -> None:
        """Have it go on until it changes the store again, or waits."""
        if not self.is_over:
            self._go.release()
            self._waits.acquire()

    def read(self, look: Callable[[Reading], T]) -> T:
        with self.store.reading() as reading:
            return look(reading)

    def change(self, make: Callable[[Writing], T], *, may_stop: bool = True) -> T:
        self.rest(0)
        with self.store.writing() as writing:
            return make(writing)

    def rest(self, seconds: float) -> None:
        self._waits.release()
        self._go.acquire()

    def check_cancelled(self) -> None:
        """Nobody stops it."""

    def recall(self, key: str, default: Any = None) -> Any:
        return self.notes.get(key, default)

    def keep_note(self, writing: Writing, key: str, value: Any) -> None:
        self.notes[key] = value

    def _run(self) -> None:
        try:
            self._play()
        except BaseException as exc:
            self.raised.append(exc)
        self.is_over = True
        self._waits.release()

    def _play(self) -> None:
        while self.change(lambda writing: turns.begin(writing, self.job)) is not None:
            pass
        self.change(lambda writing: ledger.set_phase(writing, self.job, ledger.WORKING))
        how = SUCCESS
        try:
            holding.hold_first(self, "first", lambda: self.script.first)
            for paths in self.script.more:
                holding.hold(self, paths)
        except holding.WaitsInCircle:
            how = STOPPED
            self._undo()
        self.change(lambda writing: ledger.end(writing, self.job, how))

    def _undo(self) -> None:
        self.late = Late.UNDOING
        self.change(lambda writing: ledger.set_phase(writing, self.job, ledger.UNDOING))
        try:
            holding.hold(self, self.script.undo)
        except holding.WaitsInCircle:
            return


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that all examples share: each leaves nothing behind that is held."""
    folder: Path = tmp_path_factory.mktemp("lockstep")
    database = open_database(f"sqlite:///{folder / 'store'}")
    yield Store(database, new_secrets())
    database.close()


def must_be_apart(reading: Reading) -> None:
    """No two Jobs hold what touches."""
    held = reading.connection.execute(select(CLAIMS).where(CLAIMS.c.is_held == 1)).all()
    for one in held:
        for other in held:
            if one.root != other.root:
                assert one.path not in turns.above(other.path), (one, other)


def play(store: Store, actors: Sequence[Actor], order: Sequence[int]) -> None:
    """Have Jobs take steps in an order, and then in turns, until all are over."""
    picks = [actors[number % len(actors)] for number in order]
    for actor in [*picks, *(each for _ in range(MOST_ROUNDS) for each in actors)]:
        if all(each.is_over for each in actors):
            return
        actor.step()
        with store.reading() as reading:
            must_be_apart(reading)
    raise AssertionError([actor.script for actor in actors if not actor.is_over])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(scripts, min_size=2, max_size=4), st.lists(st.integers(0, 3), max_size=40))
def test_all_jobs_come_to_an_end_whatever_they_ask_for(
    store: Store, drawn: list[Script], order: list[int]
) -> None:
    actors = [Actor(store, script) for script in drawn]
    play(store, actors, order)
    assert [actor.raised for actor in actors] == [[]] * len(actors)
    with store.reading() as reading:
        assert reading.connection.execute(select(CLAIMS)).first() is None


def test_a_job_that_gives_way_costs_nobody_anything(store: Store) -> None:
    """Two that did nothing yet, each with what the other one needs: both succeed."""
    ways = [Script(["m/a"], ["m/b"], [], []), Script(["m/b"], ["m/a"], [], [])]
    actors = [Actor(store, script) for script in ways]
    play(store, actors, [])
    with store.reading() as reading:
        found = [reading.find(actor.job) for actor in actors]
    assert [each.resource.values["state"] for each in found if each] == ["SUCCESS"] * 2
