"""What every run of a Job in this bridge works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cimi_cim.config import JobsConfig
from cimi_cim.service.jobs.bodies import Kinds
from cimi_cim.service.jobs.pulse import Pulse
from cimi_cim.service.jobs.signals import Signals, Slots
from cimi_cim.service.store.store import Store


@dataclass(frozen=True, slots=True)
class Tools:
    """The things that all runs share; one set per bridge."""

    store: Store
    kinds: Kinds
    settings: JobsConfig
    pulse: Pulse
    slots: Slots
    signals: Signals
    helpers: ThreadPoolExecutor
    scribes: ThreadPoolExecutor
    now: Callable[[], float] = field(default=time.time)
