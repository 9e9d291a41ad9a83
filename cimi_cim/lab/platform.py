"""What all services of the simulated platform share: its instances, pools, work and names."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.jobs import Jobs
from cimi_cim.lab.outcomes import Reason, Refusal
from cimi_cim.lab.personality import Personality
from cimi_cim.lab.pools import Pools
from cimi_cim.lab.repository import Repository
from cimi_cim.lab.resources import Kind
from cimi_cim.lab.works import Works
from cimi_cim.wbem.values import InstancePath


@dataclass(frozen=True, slots=True)
class Host:
    """A host system with what its machines are allocated from.

    `pool_ids` are the PoolIDs of `pools`; `switch` is the name of the switch that
    adapters are connected to when nobody says another.
    """

    system: Instance
    pools: Mapping[Kind, InstancePath]
    pool_ids: Mapping[Kind, str]
    capabilities: Instance
    switch: str


class Names:
    """Names that may be there once: identifiers of systems, and what people call them."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, str]] = set()

    def take(self, space: str, name: str) -> None:
        """Take a name. Raises `Refusal` if it is taken."""
        if (space, name) in self._taken:
            raise Refusal(Reason.DUPLICATE, f"there is a system with the {space} {name!r}")
        self._taken.add((space, name))

    def give_back(self, space: str, name: str) -> None:
        """Free a name."""
        self._taken.discard((space, name))


class Platform:
    """The state of the simulated platform apart from what its services know themselves."""

    def __init__(
        self, repository: Repository, personality: Personality, seed: int,
        clock: Callable[[], float], pace: float,
    ) -> None:  # fmt: skip
        self.repository = repository
        self.personality = personality
        self.clock = clock
        self.builder = Builder(repository, personality)
        self.pools = Pools(self.builder)
        self.jobs = Jobs(self.builder)
        self.works = Works(self.jobs, clock, pace, has_jobs=personality.has_jobs)
        self.names = Names()
        self._rng = random.Random(f"{seed}/run")  # noqa: S311 - an inventory, not a secret

    def new_uuid(self) -> str:
        """Return a UUID that nothing else has; the same ones for the same seed."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def new_mac_address(self) -> str:
        """Return a MAC address of the platform's range."""
        return "52:54:00:" + ":".join(f"{self._rng.getrandbits(8):02x}" for _ in range(3))

    def seconds(self, work: str) -> float:
        """Return how long a kind of work takes at pace 1."""
        return self.personality.durations[work]

    def get(self, path: InstancePath, *classes: str) -> Instance | None:
        """Return the instance at a path if it is of one of the classes, without prefix."""
        found = self.repository.get(path)
        wanted = {self.builder.cls(name).name for name in classes}
        return found if found is not None and found.cls.name in wanted else None
