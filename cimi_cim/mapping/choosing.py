"""Which target a new resource is made on, where it refers to nothing that is on one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cimi_cim.errors import BadRequest, ProviderError
from cimi_cim.mapping.compiled import Pool
from cimi_cim.mapping.expressions import LOCAL
from cimi_cim.mapping.numbers import number
from cimi_cim.mapping.results import Wish
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Threads
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import Row

log = logging.getLogger(__name__)

FIRST, MOST_FREE = "first", "most-free"


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds where a client names no target: one of the targets with all these labels."""

    kind: str = FIRST
    labels: Mapping[str, str] = field(default_factory=dict)


class Placement:
    """Chooses targets by a rule, or as a client wishes."""

    def __init__(self, rule: Rule, threads: Threads) -> None:
        self._rule = rule
        self._threads = threads

    def choose(
        self, type_name: str, able: Sequence[Target], wish: Wish, deadline: Deadline
    ) -> Target:
        """Return the target for a new resource, of those that are able to make one.

        A target that is down is not chosen unless it is named. Raises `BadRequest` where none
        fits, and `ProviderUnavailable` where all that fit are down.
        """
        fitting = self._fitting(type_name, able, wish)
        up = [target for target in fitting if not target.is_down]
        if not up:
            fitting[0].must_be_up()
        if self._rule.kind == MOST_FREE and len(up) > 1:
            return self._emptiest(type_name, up, deadline)
        return (up or fitting)[0]

    def _fitting(self, type_name: str, able: Sequence[Target], wish: Wish) -> Sequence[Target]:
        if wish.target is not None:
            found = [target for target in able if target.alias == wish.target]
            if not found:
                known = ", ".join(target.alias for target in able)
                raise BadRequest(
                    f"no target {wish.target[:40]!r} makes a {type_name}; those that do: {known}",
                    reason="no-such-target",
                )
        else:
            found = list(able)
        labels = wish.labels if wish.labels or wish.target else self._rule.labels
        fitting = [t for t in found if all(t.labels.get(n) == v for n, v in labels.items())]
        if not fitting:
            said = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
            raise BadRequest(
                f"no target that makes a {type_name} has the labels {said[:200]}",
                reason="no-target-fits",
            )
        return fitting

    def _emptiest(self, type_name: str, up: Sequence[Target], deadline: Deadline) -> Target:
        """The one whose emptiest pool has most left; one that does not tell comes last."""
        free = list(self._threads.map(lambda target: room_of(target, type_name, deadline), up))
        most = max(free)
        return up[free.index(most)]


def room_of(target: Target, type_name: str, deadline: Deadline) -> float:
    """Return what is left in the emptiest pool of a target, in base units; -1 if it is not told."""
    mapping = target.mapping
    pool = mapping.pools.get(mapping.resources[type_name].room or "")
    if pool is None or pool.free is None:
        return -1
    deadline = target.within(deadline)
    try:
        rows = target.gateway.enumerate_instances(
            pool.classname, target.namespace(pool.namespace, deadline), tuple(sorted(pool.needs)),
            deadline=deadline,
        )  # fmt: skip
    except ProviderError as exc:
        log.warning("target %s does not tell what is left: %s", target.alias, exc.message)
        return -1
    fitting = [row for row in rows if pool.accepts is None or pool.accepts({LOCAL: row})]
    return max((_left(row, pool) for row in fitting), default=-1)


def _left(row: Row, pool: Pool) -> float:
    left = number(None if pool.free is None else pool.free({LOCAL: row}))
    said = row.get(pool.units) if pool.units else None
    try:
        unit = parse_unit(str(said or pool.default))
    except UnitError:
        return -1
    return -1 if left is None else float(left * unit.factor)
