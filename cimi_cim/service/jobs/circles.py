"""Circles: Jobs that wait for each other, each for what another one of them holds.

Each Job that waits for more looks whether it is in a circle, and whether it is its turn to give
way. All see the same books and go by the same rule, so in each circle there is one that does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from cimi_cim.service.jobs.turns import Late, above
from cimi_cim.service.store.job_tables import CLAIMS, OVER, RUNS
from cimi_cim.service.store.reading import Reading


def gives_way(reading: Reading, root: str, paths: Collection[str]) -> bool:
    """Whether it is for a Job that waits for some paths to give way.

    Of a circle it is the one that did least (`Late`), and of several of those the one that
    began last.
    """
    waits = _waits(reading)
    roots = {row.root for row in waits}
    if root not in roots or len(roots) < 2:
        return False
    held = select(CLAIMS).where(CLAIMS.c.root.in_(sorted(roots)), CLAIMS.c.is_held == 1)
    holders = _by_path(reading.connection.execute(held))
    waits_for: dict[str, set[str]] = defaultdict(set)
    for row in waits:
        waits_for[row.root] |= _touching(holders, row.path) - {row.root}
    circle = {each for each in _reached(waits_for, root) if root in _reached(waits_for, each)}
    if not any(_touching(holders, path) & (circle - {root}) for path in paths):
        return False  # it is another wait of the same Job, in a Job nested in it
    return _first(waits, circle) == root


def _waits(reading: Reading) -> Sequence[Row[Any]]:
    """What Jobs that have begun wait for, with when they began."""
    query = (
        select(CLAIMS, RUNS.c.changed)
        .join(RUNS, RUNS.c.job == CLAIMS.c.root)
        .where(CLAIMS.c.is_held == 0, CLAIMS.c.position.between(Late.FIRST, Late.UNDOING))
        .where(RUNS.c.phase != OVER)
    )
    return reading.connection.execute(query).all()


def _first(waits: Sequence[Row[Any]], circle: Collection[str]) -> str:
    reluctance: dict[str, int] = {}
    began: dict[str, str] = {}
    for row in waits:
        if row.root in circle:
            reluctance[row.root] = max(row.position, reluctance.get(row.root, Late.FIRST))
            began[row.root] = row.changed
    least = min(reluctance.values())
    return max((began[root], root) for root, much in reluctance.items() if much == least)[1]


def _by_path(rows: Iterable[Row[Any]]) -> dict[str, set[str]]:
    """Who holds something, by what; and by all that is above it, marked with a slash."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.path].add(row.root)
        for path in above(row.path):
            found[f"{path}/"].add(row.root)
    return found


def _touching(holders: Mapping[str, set[str]], path: str) -> set[str]:
    """Who holds a path, something above it, or something below it."""
    found = set(holders.get(f"{path}/", ()))
    return found.union(*(holders.get(each, ()) for each in above(path)))


def _reached(waits_for: Mapping[str, set[str]], root: str) -> set[str]:
    """All for which a Job waits, and for which those wait, and so on; itself in a circle."""
    found: set[str] = set()
    more = [root]
    while more:
        new = waits_for.get(more.pop(), set()) - found
        found |= new
        more += new
    return found
