"""What the engine notes of a request that is to be explained: its plans and what it made of rows.

A story holds for the context it is begun in, threads that carry it on included. Without one
a plan and an item cost one look at a context variable each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from cimi_cim.mapping.compiled import CompiledMapping, Way
from cimi_cim.mapping.expressions import Binding
from cimi_cim.mapping.plan import Plan
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.tracing import Trace, traced
from cimi_cim.wbem.values import InstancePath


class TargetInSight(Protocol):
    """What an explanation needs to know of a target."""

    alias: str
    mapping: CompiledMapping

    def is_walked(self, association: str) -> bool:
        """Whether an association class cannot be trusted to enumerate."""


@dataclass(slots=True)
class RunOfPlan:
    """A plan that was run on a target: from an instance, or (None) as a batch.

    `walked` are the associations that were not trusted when it began; `rows` is how many
    candidates there were, None if it did not get so far.
    """

    plan: Plan
    target: TargetInSight
    start: InstancePath | None
    walked: frozenset[str]
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class MadeItem:
    """A resource that was made of rows on a target."""

    plan: Plan
    mapping: CompiledMapping
    server: str
    binding: Binding
    resource: Resource


class Story:
    """What happened in one request, in the order in which it did."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.runs: list[RunOfPlan] = []
        self._items: dict[str, MadeItem] = {}

    @property
    def items(self) -> Mapping[str, MadeItem]:
        """The resources that were made, by path; of one made twice, the later one."""
        return dict(self._items)

    def ran(self, plan: Plan, target: TargetInSight, start: InstancePath | None) -> None:
        """Note a plan that is run now; `got` tells its end."""
        relations = (*plan.outer, *plan.inner)
        associations = {r.association for r in relations if r.way is Way.VIA}
        walked = frozenset(a for a in associations if target.is_walked(a))
        self.runs.append(RunOfPlan(plan, target, start, walked))

    def got(self, plan: Plan, rows: int) -> None:
        """Note how many candidates for resources a plan found."""
        for run in self.runs:
            if run.plan is plan:
                run.rows = rows

    def made(self, item: MadeItem) -> None:
        """Note a resource."""
        self._items[item.resource.path] = item


_story: ContextVar[Story | None] = ContextVar("story", default=None)


def current_story() -> Story | None:
    """Return the story of the request that this code works for, None where nobody asks."""
    return _story.get()


@contextmanager
def told(*, is_rehearsal: bool = False) -> Iterator[Story]:
    """Note what happens in this context; in a rehearsal nothing on a server is changed."""
    with traced(Trace(is_rehearsal=is_rehearsal)) as trace:
        story = Story(trace)
        token = _story.set(story)
        try:
            yield story
        finally:
            _story.reset(token)
