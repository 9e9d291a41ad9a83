"""Looks after the Jobs in the background: signs of life, orphans, requests to stop, old Jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable

from cimi_cim.errors import CimiCimError
from cimi_cim.service.jobs.retention import delete_old
from cimi_cim.service.jobs.tools import Tools
from cimi_cim.service.store.job_tables import RUNS

UNKNOWN_FOR_S = 900
"""How long a Job waits for a bridge that knows its kind, such as a newer one, to come back."""
CLEANS_EVERY_S = 60
BEATS_PER_LEASE = 3
LONGEST_ROUND_S = 5
LETS_IN_EVERY_S = 0.5
"""How often to look whether Jobs of other bridges are over, for which Jobs here wait."""

log = logging.getLogger(__name__)


class Keeper:
    """One thread that makes its rounds until it is told to end.

    Args:
        tools: What the runs work with.
        here: Gives the Jobs that run in this process, or wait for a thread of it.
        resume: Carries out a Job that another process, or an earlier one, had begun.
        forget: Deletes what is kept of Jobs elsewhere.
        let_in: Begins with Jobs that waited for others; returns whether some still do.
    """

    def __init__(
        self,
        tools: Tools,
        here: Callable[[], Collection[str]],
        resume: Callable[[str], None],
        forget: Callable[[Iterable[str]], None],
        let_in: Callable[[], bool],
    ) -> None:
        self._tools = tools
        self._here = here
        self._resume = resume
        self._forget = forget
        self._let_in = let_in
        self._ends = threading.Event()
        self._woken = threading.Event()
        self._strange: dict[str, float] = {}
        self._cleaned_at = float("-inf")
        self._thread = threading.Thread(target=self._make_rounds, name="cimi-jobs", daemon=True)

    def start(self) -> None:
        """Begin; the first round comes at once."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait for the round under way."""
        self._ends.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Look at once whether Jobs can begin that waited for others."""
        self._woken.set()

    def make_round(self) -> None:
        """Look after everything once."""
        pulse, settings = self._tools.pulse, self._tools.settings
        pulse.beat()
        pulse.bury()
        self._tools.signals.stop(pulse.mine(RUNS.c.is_stopping == 1))
        here = self._here()
        for job in pulse.mine():
            if job not in here:
                self._resume(job)
        for job in pulse.take_over(most=max(settings.workers - len(here), 1)):
            self._resume(job)
        self._end_strange()
        if time.monotonic() - self._cleaned_at >= CLEANS_EVERY_S:
            delete_old(self._tools.store, settings.retention_minutes, self._forget)
            self._cleaned_at = time.monotonic()

    def _end_strange(self) -> None:
        """Have Jobs fail that nobody has known how to carry out for a while."""
        now = time.monotonic()
        self._strange = {job: self._strange.get(job, now) for job in self._tools.pulse.unknown()}
        for job, since in self._strange.items():
            if now - since >= UNKNOWN_FOR_S and self._tools.pulse.take(job):
                self._resume(job)

    def _make_rounds(self) -> None:
        every_s = min(self._tools.settings.lease_s / BEATS_PER_LEASE, LONGEST_ROUND_S)
        next_at = float("-inf")
        while not self._ends.is_set():
            self._woken.clear()
            wait_s = every_s
            try:
                if time.monotonic() >= next_at:
                    next_at = time.monotonic() + every_s
                    self.make_round()
                wait_s = LETS_IN_EVERY_S if self._let_in() else every_s
            except CimiCimError as exc:
                log.warning("Jobs could not be looked after: %s", exc.message)
            except Exception:
                log.exception("Jobs could not be looked after")
            self._woken.wait(max(0.0, min(wait_s, next_at - time.monotonic())))
