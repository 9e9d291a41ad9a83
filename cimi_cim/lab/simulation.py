"""The simulated virtualization platform behind our CIM-XML front."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.estate import build_estate
from cimi_cim.lab.instances import ClassTable
from cimi_cim.lab.inventory import populate
from cimi_cim.lab.ledger import CallRecord, Ledger
from cimi_cim.lab.methods import Methods
from cimi_cim.lab.operations import Operations
from cimi_cim.lab.personality import Personality, load_personality
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.progress import show_progress
from cimi_cim.lab.repository import Repository
from cimi_cim.lab.services import method_handlers
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.render import load_class_elements


class Simulation:
    """Implements `Backend`: hosts, machines, volumes and networks that only exist here.

    Args:
        machines: How many; 0 to 10,000.
        seed: The same seed gives the same inventory.
        pace: What the duration of all work is multiplied by; 0 makes everything happen at
            once, without jobs.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        machines: int = 20,
        *,
        seed: int = 1,
        pace: float = 1.0,
        personality: Personality | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.personality = personality or load_personality()
        schema = load_schema(self.personality.mof_folders)
        self.repository = Repository(ClassTable(schema))
        self._platform = Platform(self.repository, self.personality, seed, clock, pace)
        with _uncollected():
            estate = build_estate(self._platform, seed)
            populate(estate, machines, seed)
        self._ledger = Ledger(self._platform.builder)
        self._methods = Methods(self._platform, self._ledger, method_handlers(estate))
        self._operations = Operations(
            self.repository,
            load_class_elements(self.personality.mof_folders),
            (self.personality.implementation, self.personality.interop),
            self.personality.host,
            clock,
        )

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """The method calls so far, the oldest first (the last 50,000 of them)."""
        with self.repository.lock:
            return self._ledger.records

    def settle(self) -> None:
        """Do what has become due by the clock, as every operation does first."""
        with self.repository.lock:
            self._platform.works.settle()

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""
        with self.repository.lock:
            self._platform.works.settle()
            show_progress(self._platform, call)
        return self._operations.answer(call)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call on an instance."""
        return self._methods.answer(call)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Half a million objects that all stay: looking for garbage takes as long as making them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
