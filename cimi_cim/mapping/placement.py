"""Chooses the pools that what is made comes from."""

from __future__ import annotations

from cimi_cim.errors import ProviderFailed
from cimi_cim.mapping.compiled import MethodUse, Pool
from cimi_cim.mapping.expressions import LOCAL
from cimi_cim.mapping.meanings import Meaning, error_of
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.templates import needs_of
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import Row


def chosen_pools(target: Target, use: MethodUse, deadline: Deadline) -> dict[str, Row]:
    """Return the pool of each kind that the arguments of a call name, as it is now.

    One that is taken only by name, and is not named, is left out.

    Raises `ConflictError` where there is none, `ProviderFailed` where the target's settings
    name one that is not there.
    """
    properties, aliases = needs_of(use.arguments)
    found = {}
    for alias, pool in target.mapping.pools.items():
        wanted = {p.name for p in properties if p.alias == alias}
        if (wanted or alias in aliases) and (pool.named or pool.free is not None):
            found[alias] = _chosen(target, pool, wanted, deadline)
    return found


def rows_of_pool(target: Target, pool: Pool, wanted: set[str], deadline: Deadline) -> list[Row]:
    """Return the pools of a kind that something can be taken from, as they are now."""
    namespace = target.namespace(pool.namespace, deadline)
    rows = target.gateway.enumerate_instances(
        pool.classname, namespace, tuple(sorted(pool.needs | wanted)), deadline=deadline
    )
    return [
        row
        for row in rows
        if (pool.accepts is None or pool.accepts({LOCAL: row}))
        and (not pool.named or any(row.get(name) == value for name, value in pool.named))
    ]


def _chosen(target: Target, pool: Pool, wanted: set[str], deadline: Deadline) -> Row:
    rows = rows_of_pool(target, pool, wanted, deadline)
    if pool.named:
        if rows:
            return rows[0]
        raise ProviderFailed(
            f"the target's settings name a {pool.alias} that is not there; check them",
            reason="no-such-pool",
        )
    if not rows:
        raise error_of(Meaning.CAPACITY, f"there is no {pool.alias} to take from", None)
    return max(rows, key=lambda row: _free(pool, row))


def _free(pool: Pool, row: Row) -> float:
    left = None if pool.free is None else pool.free({LOCAL: row})
    return left if isinstance(left, int | float) else -1
