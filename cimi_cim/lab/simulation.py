"""The simulated virtualization platform behind our CIM-XML front."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.estate import build_estate
from cimi_cim.lab.exporting import Exporter
from cimi_cim.lab.failures import Called, Failures, suffer
from cimi_cim.lab.instances import ClassTable
from cimi_cim.lab.inventory import populate
from cimi_cim.lab.ledger import CallRecord, Ledger
from cimi_cim.lab.methods import Methods
from cimi_cim.lab.modifications import Modifications
from cimi_cim.lab.operations import Operations
from cimi_cim.lab.personality import Personality, load_personality
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.progress import show_progress
from cimi_cim.lab.repository import Repository
from cimi_cim.lab.services import method_handlers
from cimi_cim.lab.subscriptions import Subscriptions
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.render import load_class_elements
from cimi_cim.wbem.values import InstancePath


class Simulation:
    """Implements `Backend`: hosts, machines, volumes and networks that only exist here.

    Args:
        machines: How many; 0 to 10,000.
        seed: The same seed gives the same inventory.
        pace: What the duration of all work is multiplied by; 0 makes everything happen at
            once, without jobs.
        clock: Seconds since 1970.
        sleep: Waits so many seconds, for failures that are delays.
        failures: What goes wrong on purpose (docs/lab.md).
        may_make_filters: Whether clients may make filters of indications; else there are some.
    """

    def __init__(
        self,
        machines: int = 20,
        *,
        seed: int = 1,
        pace: float = 1.0,
        personality: Personality | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        failures: Sequence[str] = (),
        may_make_filters: bool = True,
    ) -> None:
        self.personality = personality or load_personality()
        schema = load_schema(self.personality.mof_folders)
        self.repository = Repository(ClassTable(schema))
        self._platform = Platform(self.repository, self.personality, seed, clock, pace)
        with _uncollected():
            estate = build_estate(self._platform, seed)
            populate(estate, machines, seed)
        self._ledger = Ledger(self._platform.builder)
        self._failures = Failures(failures, seed, self.personality.prefix)
        self._sleep = sleep
        self._methods = Methods(
            self._platform, self._ledger, self._failures, method_handlers(estate)
        )
        subscriptions = Subscriptions(self._platform, may_make_filters=may_make_filters)
        self._exporter = Exporter(self._platform, subscriptions)
        self._modifications = Modifications(self._platform, subscriptions)
        self._operations = Operations(
            self.repository,
            load_class_elements(self.personality.mof_folders),
            (self.personality.implementation, self.personality.interop),
            self.personality.host,
            clock,
        )

    def close(self) -> None:
        """Export no more indications."""
        self._exporter.close()

    @property
    def failures(self) -> Failures:
        """What goes wrong on purpose; `add` and `clear` change it at any time."""
        return self._failures

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
        happening = self._failures.happening(self._called(call))
        try:
            return suffer(happening, lambda trouble: self._intrinsic(call), self._sleep)
        finally:
            self._exporter.wake()

    def _called(self, call: IntrinsicCall) -> Called:
        """What an intrinsic call is about: a class, or an instance of one."""
        subject = call.parameters.get("InstanceName", call.parameters.get("ObjectName"))
        name = subject.classname if isinstance(subject, InstancePath) else subject
        found = self.repository.classes.find(str(name or call.parameters.get("ClassName", "")))
        lineage = frozenset[str]() if found is None else found.lineage
        return Called(call.operation, lineage, (), is_intrinsic=True)

    def _intrinsic(self, call: IntrinsicCall) -> Reply:
        with self.repository.lock:
            self._platform.works.settle()
            show_progress(self._platform, call)
            handler = self._modifications.operations.get(call.operation)
            if handler is not None:
                return handler(call)
        return self._operations.answer(call)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call on an instance."""
        try:
            return self._methods.answer(call, self._sleep)
        finally:
            self._exporter.wake()


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
