"""What work on virtual systems reserves before it is done."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from cimi_cim.lab.estate import Estate
from cimi_cim.lab.hosts import amounts
from cimi_cim.lab.outcomes import Refusal, Result
from cimi_cim.lab.platform import Host
from cimi_cim.lab.pools import Promise
from cimi_cim.lab.resources import Resource
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import InstancePath


class Claim:
    """Reserves names, volumes and room in the pools of a host for a machine, until the work ends.

    A context manager: whatever prevents the work from beginning gives everything back.
    """

    def __init__(self, estate: Estate, host: Host, machine: str) -> None:
        self._estate = estate
        self._host = host
        self._machine = machine
        self._names: list[tuple[str, str]] = []
        self._volumes: list[InstancePath] = []
        self._promise = Promise([])

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.undo()

    def name(self, space: str, name: str) -> None:
        """Reserve a name. Raises `Refusal`."""
        self._estate.platform.names.take(space, name)
        self._names.append((space, name))

    def volumes(self, wanted: Iterable[Resource], had: Iterable[Resource] = ()) -> None:
        """Reserve the volumes behind resources, those apart that there were. Raises `Refusal`."""
        own = {resource.volume for resource in had}
        for resource in wanted:
            if resource.volume is None or resource.volume in own:
                continue
            self._estate.volumes.use(resource.volume, self._machine)
            self._volumes.append(resource.volume)

    def pools(self, wanted: Iterable[Resource], freed: Iterable[Resource] = ()) -> Refusal | None:
        """Set aside what the pools lose beyond what is freed; return why that cannot be."""
        back = amounts(self._host, freed)
        needs = {
            pool: more
            for pool, amount in amounts(self._host, wanted).items()
            if (more := amount - back.get(pool, 0)) > 0
        }
        try:
            self._promise = self._estate.platform.pools.promise(needs)
        except Refusal as refusal:
            return refusal
        return None

    def begin(self, task: Task) -> Result:
        """Begin the work that this is for."""
        return self._estate.platform.works.begin(task)

    def end(self) -> None:
        """Give back what the finished work takes by itself: names, and room in the pools."""
        self._promise.end()
        for space, name in self._names:
            self._estate.platform.names.give_back(space, name)
        self._names = []

    def undo(self, now: float = 0.0) -> None:
        """Give everything back; `now` does not matter."""
        self.end()
        for volume in self._volumes:
            self._estate.volumes.leave(volume, self._machine)
        self._volumes = []
