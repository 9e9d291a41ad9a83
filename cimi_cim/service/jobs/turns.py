"""Turns: Jobs that change the same resource come one after another, as they were submitted.

A Job asks for the resources it is to change when it is submitted, and holds them from its
beginning until all of its family is over. What it makes it holds as soon as it tells of it.
A resource goes with all that is below its path: who holds a Machine holds its disks.

Nobody waits for ever: a Job that has not begun holds nothing, and one that has begun waits
only where it asks for more, for others that have begun, and gets all of that at once. Where
such ones wait for each other one of them gives way (`circles`). Who waits for more goes before
all that have not begun, so it is not passed by for ever, either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update

from cimi_cim.service.store.job_tables import CLAIMS, OVER, RUNS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

FEW = 10
"""So many paths are looked for one by one; for more, all claims are read."""


class Late(IntEnum):
    """Places in line of Jobs that have begun and ask for more; the least gives way first."""

    GAVE_BACK = -3
    """It gave way: it holds nothing, and will hold all of that again."""
    FIRST = -2
    """It did nothing yet."""
    AT_WORK = -1
    UNDOING = 0


def ask(writing: Writing, root: str, paths: Iterable[str], *, is_held: bool) -> None:
    """Have a Job stand in line for resources, behind all that stand there already.

    It holds them at once if it begins at once, since nobody has them (`first_of`).
    """
    wanted = list(dict.fromkeys(paths))
    if wanted:
        last = writing.connection.scalar(select(func.max(CLAIMS.c.position))) or 0
        _enter(writing, root, wanted, position=last + 1, is_held=int(is_held))


def first_of(reading: Reading, paths: Sequence[str]) -> str | None:
    """Return a Job that holds any of the resources, or stands in line for it; None for none."""
    return next((row.root for row in _in_the_way(reading, "", paths)), None) if paths else None


def begin(writing: Writing, root: str) -> str | None:
    """Have a Job hold what it asked for, unless it is another's turn: then return that one."""
    before = before_it(writing, root)
    if before is None:
        mine = update(CLAIMS).where(CLAIMS.c.root == root, CLAIMS.c.is_held == 0)
        writing.connection.execute(mine.values(is_held=1))
    return before


def before_it(reading: Reading, root: str) -> str | None:
    """Return the Job that holds, or asked earlier for, what a Job stands in line for."""
    mine = list(reading.connection.execute(select(CLAIMS).where(CLAIMS.c.root == root)))
    paths = [row.path for row in mine if not row.is_held]
    if not paths:
        return None
    position = max(row.position for row in mine)
    found = _in_the_way(reading, root, paths)
    return next((row.root for row in found if row.is_held or row.position < position), None)


def hold(
    writing: Writing, root: str, paths: Sequence[str], late: Late = Late.AT_WORK
) -> str | None:
    """Have a Job that has begun hold more, unless another one holds it: then return that one.

    Then it stands in line for it, too: asks again, or says that it does not want it any more
    (`stop_waiting`).
    """
    new = _new(writing, root, paths)
    if not new:
        return None
    other = holder(writing, root, new)
    stop_waiting(writing, root, new)
    if other is None:
        _enter(writing, root, new, position=0, is_held=1)
    else:
        _enter(writing, root, new, position=late, is_held=0)
    return other


def stop_waiting(writing: Writing, root: str, paths: Collection[str] | None = None) -> None:
    """Have a Job that has begun not stand in line any more for some paths; for none by default."""
    waits = delete(CLAIMS).where(
        CLAIMS.c.root == root, CLAIMS.c.is_held == 0, CLAIMS.c.position > Late.GAVE_BACK
    )
    if paths is not None:
        waits = waits.where(CLAIMS.c.path.in_(sorted(paths)))
    writing.connection.execute(waits)


def give_way(writing: Writing, root: str) -> None:
    """Take all that a Job holds from it until `take_back`, with what it waits for."""
    mine = update(CLAIMS).where(CLAIMS.c.root == root)
    writing.connection.execute(mine.values(is_held=0, position=Late.GAVE_BACK))


def given_back(reading: Reading, root: str) -> list[str]:
    """Return what a Job gave back by `give_way`; nothing if it did not."""
    given = select(CLAIMS.c.path).where(
        CLAIMS.c.root == root, CLAIMS.c.is_held == 0, CLAIMS.c.position == Late.GAVE_BACK
    )
    return list(reading.connection.scalars(given))


def holder(reading: Reading, root: str, paths: Sequence[str]) -> str | None:
    """Return another Job that holds any of the paths; None for none."""
    found = _in_the_way(reading, root, paths) if paths else ()
    return next((row.root for row in found if row.is_held), None)


def take_back(writing: Writing, root: str) -> str | None:
    """Have a Job that gave way hold all of that again, unless another one holds some of it."""
    other = holder(writing, root, given_back(writing, root))
    if other is None:
        mine = update(CLAIMS).where(CLAIMS.c.root == root, CLAIMS.c.position == Late.GAVE_BACK)
        writing.connection.execute(mine.values(is_held=1, position=0))
    return other


def leave(writing: Writing, root: str) -> None:
    """Give back all that a Job holds, or stands in line for."""
    writing.connection.execute(delete(CLAIMS).where(CLAIMS.c.root == root))


def _new(reading: Reading, root: str, paths: Sequence[str]) -> list[str]:
    """Those of the paths that a Job does not hold."""
    here = select(CLAIMS.c.path).where(CLAIMS.c.root == root, CLAIMS.c.is_held == 1)
    held = set(reading.connection.scalars(here)) if paths else set()
    return [path for path in dict.fromkeys(paths) if not held.intersection(above(path))]


def _enter(
    writing: Writing, root: str, paths: Collection[str], *, position: int, is_held: int
) -> None:
    rows = [
        {"root": root, "path": path, "position": position, "is_held": is_held} for path in paths
    ]
    if rows:
        writing.connection.execute(insert(CLAIMS), rows)


def _in_the_way(reading: Reading, root: str, paths: Sequence[str]) -> Iterator[Row[Any]]:
    """The claims of others that touch any of the paths, the earliest first.

    A bridge that knew of no turns may have ended a Job, and left its claims behind.
    """
    at_work = select(RUNS.c.job).where(RUNS.c.phase != OVER)
    query: Select[Any] = (
        select(CLAIMS)
        .where(CLAIMS.c.root != root, CLAIMS.c.root.in_(at_work))
        .order_by(CLAIMS.c.position)
    )
    wanted = set(paths)
    at_or_above = {each for path in paths for each in above(path)}
    if len(paths) <= FEW:
        below = [(CLAIMS.c.path > f"{path}/") & (CLAIMS.c.path < f"{path}0") for path in paths]
        query = query.where(or_(CLAIMS.c.path.in_(sorted(at_or_above)), *below))
    for row in reading.connection.execute(query):
        if row.path in at_or_above or wanted.intersection(above(row.path)):
            yield row


def above(path: str) -> Iterator[str]:
    """Yield a path, and those that it is below of."""
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
