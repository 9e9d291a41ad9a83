"""The journal of a Job: a method call is an intent and an outcome, both kept in the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from sqlalchemy import delete, select, update

from cimi_cim.errors import CimiCimError, OutcomeUnknown, ProviderError, ProviderUnavailable
from cimi_cim.mapping.journal import Intent, Outcome
from cimi_cim.service.jobs.failures import read_error, write_error
from cimi_cim.service.store.job_tables import CALLS, INTEND
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

MOST_SENDS = 3
"""How often a call is sent in one run, each time after it proved not to have been carried out."""
LOOKS_FOR_S = 600
"""How long the servers are asked in vain for what became of a call."""
FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 0.1, 15.0, 2.0


@dataclass(frozen=True, slots=True)
class KeptCall:
    """What is kept of a call: its intent, and its outcome or refusal where that is known."""

    intent: Intent
    began: float
    outcome: Outcome | None = None
    failure: str | None = None


def kept_calls(reading: Reading, job: str) -> dict[str, KeptCall]:
    """Return what is kept of the calls of a Job, by key."""
    rows = reading.connection.execute(select(CALLS).where(CALLS.c.job == job))
    return {
        row.key: KeptCall(
            _intent(row.intent), row.began,
            None if row.outcome is None else Outcome(**json.loads(row.outcome)), row.failure,
        )
        for row in rows
    }  # fmt: skip


class Desk(Protocol):
    """Where a journal keeps its books: a Job that is being carried out."""

    job: str
    settle_s: float

    @property
    def calls(self) -> dict[str, KeptCall]:
        """The calls of the Job, by key; nobody else changes them while this run lasts."""

    def change(self, make: Callable[[Writing], Any], *, may_stop: bool) -> Any:
        """Change the store in one transaction, if this run still carries out the Job.

        With `may_stop`, raises `JobStopped` if it is to stop.
        """

    def tell(self, key: str, make: Callable[[Writing], Any]) -> None:
        """Change the store soon, while this thread goes on; at the latest with the next change."""

    def before_sending(self) -> None:
        """Make sure that nobody else takes the Job over while something is sent."""

    def rest(self, seconds: float) -> None:
        """Wait, even if the Job is to stop."""

    def now(self) -> float:
        """The time in seconds since 1970."""


class StoredJournal:
    """Keeps what is about to be sent, and what became of it; see `Journal`."""

    def __init__(self, desk: Desk, prefix: str = "") -> None:
        self._desk = desk
        self._prefix = prefix

    def call(
        self,
        intent: Callable[[], Intent],
        key: str,
        send: Callable[[], Outcome],
        find_out: Callable[[Intent], Outcome | None],
    ) -> Outcome:
        """Return the outcome of the call `key`, which is sent at most once.

        That a call was not carried out is believed once it is older than `settle_s`: the
        server may be at work on it still. A refusal is an outcome, too, and raised again.
        """
        key = f"{self._prefix}{key}"
        kept = self._desk.calls.get(key)
        if kept is not None and kept.failure is not None:
            raise read_error(kept.failure)
        if kept is not None:
            found = kept.outcome or self._found_out(key, kept, find_out)
            if found is not None:
                return found
        for _ in range(MOST_SENDS):
            call = self._intend(key, intent())
            try:
                return self._sent(key, call, send)
            except OutcomeUnknown:
                found = self._found_out(key, call, find_out)
            if found is not None:
                return found
        raise OutcomeUnknown(
            f"{call.intent.method} was sent {MOST_SENDS} times, and neither answered nor carried"
            " out; it is not sent again",
            method=call.intent.method,
        )

    def _intend(self, key: str, made: Intent) -> KeptCall:
        call = KeptCall(made, self._desk.now())
        row = {
            "job": self._desk.job, "key": key, "intent": json.dumps(asdict(made)),
            "began": call.began,
        }  # fmt: skip
        self._desk.change(lambda w: w.connection.execute(INTEND, row), may_stop=True)
        self._desk.calls[key] = call
        return call

    def _sent(self, key: str, call: KeptCall, send: Callable[[], Outcome]) -> Outcome:
        self._desk.before_sending()
        try:
            outcome = send()
        except OutcomeUnknown:
            raise
        except ProviderUnavailable:
            # Nothing was sent, so there is nothing to find out: it may be sent another time.
            self._desk.change(lambda w: w.connection.execute(self._delete(key)), may_stop=False)
            del self._desk.calls[key]
            raise
        except CimiCimError as exc:
            self._end(key, replace(call, failure=write_error(exc)))
            raise
        self._end(key, replace(call, outcome=outcome))
        return outcome

    def _found_out(
        self, key: str, call: KeptCall, find_out: Callable[[Intent], Outcome | None]
    ) -> Outcome | None:
        """Return what became of a call that may have been sent; None for nothing at all."""
        wait_s, looks_until = FIRST_WAIT_S, self._desk.now() + LOOKS_FOR_S
        while True:
            try:
                found = find_out(call.intent)
            except ProviderError as exc:
                if self._desk.now() >= looks_until:
                    raise OutcomeUnknown(
                        f"{call.intent.method} was called, and its answer was lost; what became of"
                        f" it cannot be found out: {exc.message}",
                        method=call.intent.method,
                    ) from exc
            else:
                if found is not None:
                    self._end(key, replace(call, outcome=found))
                    return found
                if self._desk.now() >= call.began + self._desk.settle_s:
                    return None
            self._desk.rest(wait_s)
            wait_s = min(wait_s * GROWTH, LONGEST_WAIT_S)

    def _end(self, key: str, call: KeptCall) -> None:
        row = {
            "outcome": None if call.outcome is None else json.dumps(asdict(call.outcome)),
            "failure": call.failure, "ended": self._desk.now(),
        }  # fmt: skip
        where = (CALLS.c.job == self._desk.job, CALLS.c.key == key)
        ended = update(CALLS).where(*where).values(row)
        self._desk.tell(key, lambda writing: writing.connection.execute(ended))
        self._desk.calls[key] = call

    def _delete(self, key: str) -> Any:
        return delete(CALLS).where(CALLS.c.job == self._desk.job, CALLS.c.key == key)


def _intent(text: str) -> Intent:
    kept = json.loads(text)
    return Intent(**{**kept, "before": tuple(kept["before"])})
