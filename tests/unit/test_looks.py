"""Looks at all servers are shared, and what they find is never older than the question."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cimi_cim.errors import ProviderFailed, ProviderTimeout
from cimi_cim.mapping.looks import Looks, Recent
from cimi_cim.wbem.deadline import Deadline

LONG_S = 20.0


class World:
    """Counts looks; each waits until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.looks = 0

    def look(self) -> int:
        self.looks += 1
        number = self.looks
        self.began.release()
        assert self.go_on.acquire(timeout=LONG_S)
        return number


def ask(looks: Looks[int], world: World, seconds: float = LONG_S) -> int:
    return looks.look("machines", Deadline.after(seconds), world.look)


def test_all_who_ask_while_a_look_is_under_way_share_the_next_one() -> None:
    looks: Looks[int] = Looks(sleep=lambda _: None)
    world = World()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(ask, looks, world)
        world.began.acquire(timeout=LONG_S)
        others = [pool.submit(ask, looks, world) for _ in range(10)]
        world.go_on.release()
        assert first.result(LONG_S) == 1
        world.go_on.release(20)
        answers = {other.result(LONG_S) for other in others}
    assert min(answers) == 2
    assert world.looks <= 3


def test_looks_never_take_more_than_half_of_the_time() -> None:
    slept: list[float] = []
    now = [0.0]
    looks: Looks[int] = Looks(clock=lambda: now[0], sleep=slept.append)

    def look() -> int:
        now[0] += 0.3
        return 1

    for _ in range(2):
        looks.look("machines", Deadline.after(LONG_S), look)
    assert slept == [pytest.approx(0.3)]
    now[0] += 5
    looks.look("machines", Deadline.after(LONG_S), look)
    assert len(slept) == 1


def test_what_a_look_raises_reaches_who_asked_and_the_next_one_looks_again() -> None:
    looks: Looks[int] = Looks(sleep=lambda _: None)

    def fails() -> int:
        raise ProviderFailed("no")

    with pytest.raises(ProviderFailed):
        looks.look("machines", Deadline.after(LONG_S), fails)
    assert looks.look("machines", Deadline.after(LONG_S), lambda: 7) == 7


def test_who_has_no_time_for_the_look_of_another_is_told_so() -> None:
    looks: Looks[int] = Looks(sleep=lambda _: None)
    world = World()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, looks, world)
        world.began.acquire(timeout=LONG_S)
        with pytest.raises(ProviderTimeout):
            ask(looks, world, 0.05)
        world.go_on.release(2)
        assert first.result(LONG_S) == 1
        assert ask(looks, world) == 2


def test_what_was_seen_is_remembered_for_a_while_and_never_too_much_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    recent = Recent(30, clock=lambda: now[0])
    monkeypatch.setattr(Recent, "MOST", 3)
    recent.add("Machine", "a")
    assert recent.has("Machine", "a")
    assert not recent.has("Volume", "a")
    now[0] = 30
    assert not recent.has("Machine", "a")
    for token in "abcd":
        recent.add("Machine", token)
    assert [recent.has("Machine", token) for token in "abcd"] == [False, True, True, True]
