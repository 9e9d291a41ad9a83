"""Which target a new resource is made on, where it refers to nothing that is on one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from cimi_cim.errors import BadRequest, ConflictError, ProviderError
from cimi_cim.mapping.compiled import Pool, Taking
from cimi_cim.mapping.expressions import LOCAL
from cimi_cim.mapping.numbers import number
from cimi_cim.mapping.placement import rows_of_pool
from cimi_cim.mapping.results import Wanted, Wish
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Threads
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import Row

log = logging.getLogger(__name__)

FIRST, MOST_FREE = "first", "most-free"
MOST_SAID = 5
"""So many targets are told one by one where none has room."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds where a client names no target: one of the targets with all these labels."""

    kind: str = FIRST
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Room:
    """What a target has for something new: what counts for the rule, and what it lacks."""

    target: Target
    left: Fraction
    lacking: str = ""


class Placement:
    """Chooses targets by a rule, or as a client wishes."""

    def __init__(self, rule: Rule, threads: Threads) -> None:
        self._rule = rule
        self._threads = threads

    def choose(
        self,
        type_name: str,
        able: Sequence[Target],
        wish: Wish,
        deadline: Deadline,
        wanted: Wanted = (),
    ) -> Target:
        """Return the target for a new resource, of those that are able to make one.

        A target that is down is not chosen unless it is named; by `most-free` none is chosen
        whose pools have too little left for what is `wanted`, as far as that is told. Raises
        `BadRequest` where none fits, `ConflictError` where none has room, and
        `ProviderUnavailable` where all that fit are down.
        """
        fitting = self._fitting(type_name, able, wish)
        up = [target for target in fitting if not target.is_down]
        if not up:
            fitting[0].must_be_up()
        if self._rule.kind == MOST_FREE and (len(up) > 1 or (up and wanted)):
            return self._emptiest(type_name, up, wanted, deadline)
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

    def _emptiest(
        self, type_name: str, up: Sequence[Target], wanted: Wanted, deadline: Deadline
    ) -> Target:
        """The one whose emptiest pool has most left, of those with room for all that is wanted."""
        rooms = list(
            self._threads.map(lambda target: _room(target, type_name, wanted, deadline), up)
        )
        fitting = [room for room in rooms if not room.lacking]
        if not fitting:
            said = [f"{room.target.alias} {room.lacking}" for room in rooms[:MOST_SAID]]
            said += [f"{len(rooms) - MOST_SAID} more"] if len(rooms) > MOST_SAID else []
            raise ConflictError(
                f"no target has room for the {type_name}: {'; '.join(said)}. Ask for less, or"
                " delete what is not used",
                reason="no-capacity",
            )
        return max(fitting, key=lambda room: room.left).target


def _room(target: Target, type_name: str, wanted: Wanted, deadline: Deadline) -> _Room:
    """What a target has left; -1 for what it does not tell."""
    mapping = target.mapping
    counting = mapping.resources[type_name].room or ""
    takings = [
        (taking, values)
        for name, values in wanted
        if (resource := mapping.resources.get(name)) is not None
        for taking in resource.takes
    ]
    asked = dict.fromkeys([counting, *(taking.pool for taking, _ in takings)])
    pools = [mapping.pools[name] for name in asked if name in mapping.pools]
    left = {pool.alias: _left_in(target, pool, deadline) for pool in pools}
    lacking = [_lacking(taking, takings, left.get(taking.pool) or []) for taking, _ in takings]
    return _Room(
        target,
        max((each for each in left.get(counting) or () if each is not None), default=Fraction(-1)),
        "; ".join(dict.fromkeys(filter(None, lacking))),
    )


def _lacking(
    taking: Taking,
    takings: Sequence[tuple[Taking, Mapping[str, Any]]],
    left: Sequence[Fraction | None],
) -> str:
    """What a pool lacks for all that is taken from it; empty where it is enough, or not told.

    Everything has to fit into some pool of the kind, and all of it into all of them.
    """
    known = [each for each in left if each is not None]
    if not known or len(known) < len(left):
        return ""
    parts = [part for each, values in takings if each.pool == taking.pool
             for part in _amounts(each, values)]  # fmt: skip
    largest, total = max(parts, default=Fraction(0)), sum(parts)
    if largest <= max(known) and total <= sum(known):
        return ""
    wants, has = (largest, max(known)) if largest > max(known) else (total, sum(known))
    unit = f" {taking.unit}" if taking.unit != "count" else ""
    return (
        f"has {int(has / taking.factor)}{unit} left in its {taking.pool} of the"
        f" {int(wants / taking.factor)}{unit} of {taking.said} that are wanted"
    )


def _amounts(taking: Taking, values: Mapping[str, Any]) -> Iterator[Fraction]:
    """What a request takes of a pool, in base units: an amount for each item of a list."""
    first, _, rest = taking.said.partition(".")
    found = values.get(first)
    items = [each.get(rest) for each in found or () if isinstance(each, Mapping)] if rest else []
    for amount in items if rest else [found]:
        exact = number(amount)
        if exact is not None:
            yield Fraction(exact) * taking.factor


def _left_in(target: Target, pool: Pool, deadline: Deadline) -> list[Fraction | None]:
    """What is left in each pool, in base units; None for one that does not tell."""
    if pool.free is None:
        return []
    try:
        rows = rows_of_pool(target, pool, set(), target.within(deadline))
    except ProviderError as exc:
        log.warning("target %s does not tell what is left: %s", target.alias, exc.message)
        return []
    return [_left(row, pool) for row in rows]


def _left(row: Row, pool: Pool) -> Fraction | None:
    left = number(None if pool.free is None else pool.free({LOCAL: row}))
    said = row.get(pool.units) if pool.units else None
    try:
        unit = parse_unit(str(said or pool.default))
    except UnitError:
        return None
    return None if left is None else Fraction(left) * unit.factor
