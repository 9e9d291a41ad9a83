"""What every run of a Job in this bridge works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cimi_cim.service.jobs.bodies import Kinds
from cimi_cim.service.jobs.pulse import Pulse
from cimi_cim.service.jobs.signals import Signals, Slots
from cimi_cim.service.store.store import Store


@dataclass(frozen=True, slots=True)
class Settings:
    """How Jobs are carried out.

    Args:
        workers: Jobs at work at the same time; those that wait for something do not count.
        retention_minutes: How long finished Jobs are kept.
        lease_s: After how long without a sign of life a bridge is taken for dead.
        settle_s: How long a call whose answer was lost may still be carried out.
        outage_s: How long a Job waits for a WBEM server that cannot be reached.
    """

    workers: int = 16
    retention_minutes: int = 1440
    lease_s: float = 15
    settle_s: float = 10
    outage_s: float = 60


@dataclass(frozen=True, slots=True)
class Tools:
    """The things that all runs share; one set per bridge."""

    store: Store
    kinds: Kinds
    settings: Settings
    pulse: Pulse
    slots: Slots
    signals: Signals
    helpers: ThreadPoolExecutor
    now: Callable[[], float] = field(default=time.time)
