"""Which machines and volumes there are at first: the same for the same seed."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

from cimi_cim.lab.personality import Personality

MIB = 2**20
DAY_S = 86400
# Everything is older than this moment (2026-01-01 UTC), so that a seed gives the same
# dates too.
BUILT = 1_767_225_600.0
MACHINES_PER_HOST = 40
_ROLES = ("web", "db", "mail", "build", "cache", "test", "app", "proxy", "log", "dns")


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """One machine of the initial population. Sizes in bytes, `created` in seconds since 1970."""

    name: str
    title: str
    uuid: str
    host: int
    created: float
    state: str
    cpus: int
    clock_mhz: int
    memory_bytes: int
    disks_bytes: tuple[int, ...]
    volume_bytes: int | None
    mac_addresses: tuple[str, ...]


def host_count(machines: int) -> int:
    """Return how many hosts carry that many machines: two at least."""
    return max(2, -(-machines // MACHINES_PER_HOST))


def machine_specs(count: int, seed: int, personality: Personality) -> list[MachineSpec]:
    """Return the machines; the n-th is the same however many there are."""
    return [_spec(number, seed, personality, host_count(count)) for number in range(count)]


def _spec(number: int, seed: int, personality: Personality, hosts: int) -> MachineSpec:
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - an inventory, not a secret
    role = _ROLES[number % len(_ROLES)]
    return MachineSpec(
        name=f"vm{number + 1:05d}",
        title=f"{role}-{number + 1:05d}",
        uuid=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        host=number % hosts,
        created=BUILT - DAY_S * (1 + number % 300),
        state=personality.population[number % len(personality.population)],
        cpus=rng.choice((1, 1, 2, 2, 4, 8)),
        clock_mhz=rng.choice((2400, 2700, 3100)),
        memory_bytes=rng.choice((512, 1024, 2048, 4096, 8192)) * MIB,
        disks_bytes=tuple(
            rng.choice((8, 16, 40, 80)) * 1024 * MIB for _ in range(rng.choice((1, 1, 2)))
        ),
        volume_bytes=rng.choice((10, 50, 100)) * 10**9 if number % 4 == 1 else None,
        mac_addresses=tuple(
            "52:54:00:" + ":".join(f"{rng.getrandbits(8):02x}" for _ in range(3))
            for _ in range(rng.choice((1, 1, 2)))
        ),
    )
