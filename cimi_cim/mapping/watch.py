"""Asks the servers that are down from time to time, and tells of every outage and its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from cimi_cim.mapping.results import Outage
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Crew

log = logging.getLogger(__name__)

PROBES_AT_ONCE = 16

Listener = Callable[[Outage], None]


class Watch:
    """One thread, from the first outage on; it tells listeners, one change after the other."""

    def __init__(self, targets: Sequence[Target], crew: Crew) -> None:
        self._targets = {target.alias: target for target in targets}
        self._probes = crew.lane(PROBES_AT_ONCE)
        self._listeners: list[Listener] = []
        self._changed = threading.Condition()
        self._pending: set[str] = set()
        self._probed: set[str] = set()
        self._down: set[str] = set()
        self._is_running = self._is_closed = False
        for target in targets:
            target.on_change(partial(self._note, target.alias))

    def listen(self, listener: Listener) -> None:
        """Have outages told, from now on, in the thread of the watch."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Tell and ask no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _note(self, alias: str) -> None:
        with self._changed:
            self._pending.add(alias)
            if not self._is_running and not self._is_closed:
                self._is_running = True
                threading.Thread(target=self._run, name="watch", daemon=True).start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._pending and not self._is_closed:
                    self._changed.wait(self._next_s())
                if self._is_closed:
                    return
                pending, self._pending = self._pending, set()
            for alias in sorted(pending):
                self._tell(alias)
            for alias in sorted(self._down - self._probed):
                if self._targets[alias].health.probe_in_s == 0:
                    self._probed.add(alias)
                    self._probes.submit(self._probe, alias)

    def _next_s(self) -> float | None:
        """Seconds to the next probe, None if there is none to wait for."""
        waits = [self._targets[alias].health.probe_in_s for alias in self._down - self._probed]
        return min((wait for wait in waits if wait is not None), default=None)

    def _probe(self, alias: str) -> None:
        try:
            self._targets[alias].probe()
        except Exception:
            log.exception("target %s could not be asked whether it is there", alias)
        finally:
            with self._changed:
                self._probed.discard(alias)
                self._changed.notify()

    def _tell(self, alias: str) -> None:
        cause = self._targets[alias].health.cause
        if (cause is not None) == (alias in self._down):
            return  # it came and went meanwhile
        if cause is not None:
            self._down.add(alias)
            log.warning("target %s is down: %s (%s)", alias, cause.message, cause.reason)
        else:
            self._down.discard(alias)
            log.warning("target %s answers again", alias)
        outage = Outage(alias, cause.message if cause else None, cause.reason if cause else None)
        for listener in self._listeners:
            try:
                listener(outage)
            except Exception:
                log.exception("an outage of target %s could not be told", alias)
