"""Asks every configured WBEM server once at the start, so that its operator hears of trouble."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from cimi_cim.config import TargetConfig
from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.threads import Crew
from cimi_cim.wbem.deadline import Deadline

LONGEST_WAIT_S = 10.0
AT_ONCE = 32


@contextmanager
def greeted(engine: Engine, targets: Sequence[TargetConfig]) -> Iterator[None]:
    """Tell on stderr which servers cannot be used, and what to do.

    The start does not wait for the answers: a server may come later than the bridge, and
    every request asks again. Nothing is told any more once the context has ended.
    """
    is_over = threading.Event()

    def greet(target: TargetConfig) -> None:
        try:
            engine.greet(target.alias, Deadline.after(min(target.deadline_s, LONGEST_WAIT_S)))
        except CimiCimError as exc:
            if not is_over.is_set():
                click.echo(
                    f"cimi-cim: target {target.alias} ({target.url}): {exc.message}", err=True
                )

    crew = Crew("greeting", usual=AT_ONCE, most=AT_ONCE)
    lane = crew.lane(AT_ONCE)
    for target in targets:
        lane.submit(greet, target)
    try:
        yield
    finally:
        is_over.set()
        crew.close(wait_s=0)
