"""Durable Jobs of one bridge: submitted in the store's transactions, carried out by bodies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cimi_cim.config import JobsConfig
from cimi_cim.errors import CimiCimError, ConflictError, StoreUnavailable
from cimi_cim.service.jobs import ledger, requests, turns
from cimi_cim.service.jobs.alone import Alone
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.bodies import Json, Kinds
from cimi_cim.service.jobs.failures import STOPPED, error_of
from cimi_cim.service.jobs.family import Family, begin
from cimi_cim.service.jobs.keeper import Keeper
from cimi_cim.service.jobs.ledger import Entry, Fence, New
from cimi_cim.service.jobs.pulse import Pulse
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.jobs.signals import Signals, Slots
from cimi_cim.service.jobs.tools import Tools
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing

if TYPE_CHECKING:
    from cimi_cim.service.jobs.durable import Durable

MOST_THREADS = 256
"""Jobs that are RUNNING at the same time, most of them waiting for a provider."""
LOOKS_EVERY_S = 0.1
SCRIBES = 2
"""Threads that write down what became of calls while their Jobs go on."""
LOOKS_AT = 50
"""So many of the Jobs that wait for others are looked at in turn."""

log = logging.getLogger(__name__)


class JobEngine:
    """Carries out Jobs; one per process at a time. See `Jobs` for what it promises."""

    def __init__(
        self, database: Database, store: Store, kinds: Kinds, settings: JobsConfig | None = None
    ) -> None:
        settings = settings or JobsConfig()
        self._database = database
        self._store = store
        self._kinds = kinds
        self._executor = database.session
        is_alone = database.file is not None
        self._tools = Tools(
            store, kinds, settings,
            Pulse(store, self._executor, kinds, settings.lease_s, is_alone=is_alone),
            Slots(settings.workers), Signals(),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="cimi-nested-job"),
            ThreadPoolExecutor(SCRIBES, thread_name_prefix="cimi-outcomes"),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._here: dict[str, threading.Event] = {}
        self._line: dict[str, None] = {}
        self._begun: dict[str, Entry] = {}
        self._alone: Alone | None = None
        self._durable: Durable | None = None
        self._keeper: Keeper | None = None

    def start(self) -> None:
        """Begin to carry out Jobs, first of all those that earlier processes left open.

        Raises `ConfigError` where another bridge uses the same SQLite file.
        """
        from cimi_cim.service.jobs.durable import Durable  # it takes half a second to import

        if self._database.file is not None:
            self._alone = Alone(self._database.file)
        self._tools.pulse.beat()
        self._durable = Durable(self._database, self._executor, MOST_THREADS, self._carry_out)
        self._keeper = Keeper(
            self._tools, self._jobs_here, self._resume, self._durable.forget, self._let_in
        )
        self._keeper.start()

    def close(self, seconds: float = 30) -> bool:
        """Have every Job pause where it can be taken up again; returns whether all did in time.

        What is not over goes on at the next start, or in another bridge at once.
        """
        self._tools.signals.close()
        if self._keeper is not None:
            self._keeper.close()
        until = time.monotonic() + seconds
        are_over = all(
            event.wait(max(0.0, until - time.monotonic())) for event in self._events_here()
        )
        self._tools.scribes.shutdown()
        with suppress(StoreUnavailable):
            self._tools.pulse.leave()
        if self._durable is not None:
            self._durable.close()
        self._tools.helpers.shutdown(wait=False, cancel_futures=True)
        if self._alone is not None:
            self._alone.close()
        return are_over

    @property
    def retention_minutes(self) -> int:
        """How long a Job is kept at least, once it is over."""
        return self._tools.settings.retention_minutes

    def earlier(self, reading: Reading, request: Request) -> str | None:
        """See `Jobs`."""
        return requests.earlier(reading, request)

    def remember(self, writing: Writing, request: Request, job: str) -> None:
        """See `Jobs`."""
        requests.remember(writing, request, job)

    def submit(
        self,
        writing: Writing,
        kind: str,
        work: Work,
        arguments: Mapping[str, Json],
        request: Request = NOBODY,
        holds: Sequence[str] = (),
    ) -> str:
        """See `Jobs`."""
        known = self._kinds.find(kind)
        if known is None:
            raise LookupError(f"no body carries out {kind!r}")
        before = requests.earlier(writing, request)
        if before is not None:
            return before
        new = New(kind, work, arguments, known.can_stop, request.principal)
        before = turns.first_of(writing, holds)
        begins = before is None and self._tools.slots.free > len(self._begun)
        entry = ledger.enter(writing, new, self._executor, begins=begins)
        job = entry.job
        requests.remember(writing, request, job)
        turns.ask(writing, job, holds, is_held=begins)
        if before is not None:
            ledger.change(writing, job, {"statusMessage": f"waits for {before} to be over"})
            writing.after_commit.append(lambda: self._line_up(job))
        else:
            begun = entry if begins else None
            writing.after_commit.append(lambda: self._begin(job, is_new=True, begun=begun))
        return job

    def holder(self, reading: Reading, path: str) -> str | None:
        """See `Jobs`."""
        return turns.first_of(reading, [path])

    def wait(self, job: str, seconds: float) -> bool:
        """See `Jobs`."""
        until = time.monotonic() + seconds
        while True:
            event = self._here.get(job)
            if event is not None:
                event.wait(max(0.0, until - time.monotonic()))
            with self._store.reading() as reading:
                entry = ledger.find(reading, job)
            if entry is None or entry.phase == ledger.OVER:
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._tools.signals.wait(job, min(LOOKS_EVERY_S, left), heeds_stop=False)

    def failure(self, reading: Reading, job: str) -> CimiCimError | None:
        """See `Jobs`."""
        entry = ledger.find(reading, job)
        if entry is None or entry.phase != ledger.OVER or entry.failure is None:
            return None
        error = error_of(entry.failure)
        error.fields["job"] = job
        return error

    def can_stop(self, reading: Reading, job: str) -> bool:
        """See `Jobs`."""
        entry = ledger.find(reading, job)
        return entry is not None and entry.may_stop

    def stop(self, writing: Writing, job: str) -> None:
        """See `Jobs`."""
        entry = ledger.find(writing, job)
        if entry is None or entry.phase == ledger.OVER:
            raise ConflictError("the Job is over; there is nothing to stop", reason="job-is-over")
        if entry.is_stopping:
            return
        if not entry.may_stop:
            why = (
                "it failed, and is being undone"
                if entry.phase == ledger.UNDOING
                else "it is at work"
            )
            raise ConflictError(f"the Job cannot be stopped: {why}", reason="cannot-be-stopped")
        self._stop(writing, entry)

    def delete(self, writing: Writing, job: str) -> bool:
        """See `Jobs`."""
        entry = ledger.find(writing, job)
        if entry is None:
            ledger.forget(writing, job)
            return True
        root = entry if entry.is_root else ledger.find(writing, entry.root)
        if root is not None and root.phase != ledger.OVER:
            if not entry.is_root:
                raise ConflictError(
                    f"the Job is part of {entry.root}, which is not over; stop that one",
                    reason="part-of-a-job",
                )
            if entry.phase != ledger.UNDOING:
                self.stop(writing, job)
            ledger.doom(writing, job)
            if entry.phase != ledger.WAITING:
                return False
        ledger.forget_family(writing, job)
        return True

    def _stop(self, writing: Writing, entry: Entry) -> None:
        if entry.is_root and entry.phase == ledger.WAITING:
            ledger.end(writing, entry.job, STOPPED)
            event = self._here.get(entry.job)
            if event is not None:
                writing.after_commit.append(event.set)
            return
        family = ledger.family(writing, entry.root)
        stopped = [each.job for each in ledger.below(family, entry.job) if each.may_stop]
        for job in stopped:
            ledger.ask_to_stop(writing, job)
            ledger.change(writing, job, {"state": "STOPPING"})
        writing.after_commit.append(lambda: self._tools.signals.stop(stopped))

    def _begin(self, job: str, *, is_new: bool, begun: Entry | None = None) -> None:
        """Have a Job carried out by a thread; what fails here is done by the keeper later on."""
        with self._lock:
            if self._durable is None or job in self._here or job in self._line:
                return
            self._here[job] = threading.Event()
            if begun is not None:
                self._begun[job] = begun
        try:
            self._durable.start(job, is_new=is_new)
        except Exception:
            log.exception("%s could not be started, and will be tried again", job)
            self._gone(job)

    def _resume(self, job: str) -> None:
        self._begin(job, is_new=False)

    def _carry_out(self, job: str) -> None:
        """Bring a Job to its end. Raises `LeavesJob` if it is to go on elsewhere or later."""
        try:
            with self._tools.slots.taken():
                self._tools.signals.check()
                entry = self._begun.pop(job, None) or self._claim(job)
                if entry is not None:
                    fence = Fence(job, self._executor, entry.attempt)
                    Family(self._tools, fence).go_on(entry)
        finally:
            self._gone(job)

    def _claim(self, job: str) -> Entry | None:
        """Begin a new run, which alone may go on with the Job; None if none is to be now."""
        while True:
            try:
                with self._store.writing() as writing:
                    entry = ledger.find(writing, job)
                    if entry is None or entry.phase == ledger.OVER:
                        return None
                    if entry.owner != self._executor:
                        raise ledger.Fenced
                    if entry.phase == ledger.WAITING and turns.begin(writing, job) is not None:
                        self._line_up(job)
                        return None
                    ledger.begin_attempt(writing, entry)
                    begin(writing, entry)
                    return replace(entry, attempt=entry.attempt + 1)
            except StoreUnavailable:
                self._tools.signals.wait(job, LOOKS_EVERY_S, heeds_stop=False)

    def _line_up(self, job: str) -> None:
        """Have a Job wait, without a thread, until others are over."""
        with self._lock:
            self._line[job] = None

    def _let_in(self) -> bool:
        """Begin with Jobs whose turn has come; returns whether some still wait."""
        with self._lock:
            line = list(self._line)[:LOOKS_AT]
        for job in line:
            with self._store.reading() as reading:
                is_next = turns.before_it(reading, job) is None
            with self._lock:
                del self._line[job]
                if not is_next:
                    self._line[job] = None  # behind the others, so that all are looked at
            if is_next:
                self._resume(job)
        return bool(self._line)

    def _jobs_here(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._here)

    def _events_here(self) -> list[threading.Event]:
        with self._lock:
            return list(self._here.values())

    def _gone(self, job: str) -> None:
        self._tools.signals.forget(job)
        with self._lock:
            self._begun.pop(job, None)
            event = self._here.pop(job, None)
        if event is not None:
            event.set()
        if self._line and self._keeper is not None:
            self._keeper.wake()
