"""Resource pools (DSP1041) that run out: what is reserved of them, and what is promised.

`Reserved` of a pool is always the sum of what is allocated from it. What a job has been
promised and has not allocated yet counts against the pool too, but shows only when it
is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Reason, Refusal
from cimi_cim.wbem.values import CimValue, InstancePath


@dataclass(slots=True)
class _Level:
    """How full a pool is, in its unit."""

    path: InstancePath
    capacity: int
    reserved: int = 0
    promised: int = 0

    @property
    def left(self) -> int:
        return self.capacity - self.reserved - self.promised


class Promise:
    """Amounts that are set aside for work under way; given back once, by `end`."""

    def __init__(self, levels: list[tuple[_Level, int]]) -> None:
        self._levels = levels

    def end(self) -> None:
        """Give back what was set aside, because it is allocated now, or never will be."""
        for level, amount in self._levels:
            level.promised -= amount
        self._levels = []


class Pools:
    """The pools of all hosts, by the path of their instance."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._levels: dict[str, _Level] = {}

    def know(self, pool: Instance) -> None:
        """Take in a pool, of which nothing is reserved yet."""
        capacity = pool.values["Capacity"]
        assert isinstance(capacity, int)  # noqa: S101 - the lab made it
        self._levels[pool.path.canonical] = _Level(pool.path, capacity)

    def left(self, pool: InstancePath) -> int:
        """Return how much can still be allocated from a pool."""
        return self._levels[pool.canonical].left

    def promise(self, wanted: Mapping[InstancePath, int]) -> Promise:
        """Set amounts aside, all or none. Raises `Refusal` if a pool has not got so much."""
        levels = [(self._levels[path.canonical], amount) for path, amount in wanted.items()]
        for level, amount in levels:
            if amount > max(0, level.left):
                raise Refusal(Reason.FULL, self._shortage(level, amount))
        for level, amount in levels:
            level.promised += amount
        return Promise(levels)

    def _shortage(self, level: _Level, amount: int) -> str:
        pool = self._builder.repository.get(level.path)
        values = {} if pool is None else pool.values
        return (
            f"the pool {values.get('PoolID')} has {max(0, level.left)} of the {amount} wanted"
            f" left ({values.get('AllocationUnits')})"
        )

    def allocate(self, pool: InstancePath, amount: int) -> None:
        """Reserve an amount; a negative one is given back."""
        if amount == 0:
            return
        level = self._levels[pool.canonical]
        level.reserved += amount
        found = self._builder.repository.get(pool)
        if found is None:
            return
        changes: dict[str, CimValue] = {"Reserved": level.reserved}
        if "RemainingManagedSpace" in found.values:
            changes["RemainingManagedSpace"] = level.capacity - level.reserved
        self._builder.repository.put(found.changed(changes))
