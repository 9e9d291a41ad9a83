"""One run of a Job with all that is nested in it, by the bridge that holds it now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from cimi_cim.errors import CimiCimError, ProviderUnavailable, StoreUnavailable
from cimi_cim.service.jobs import ledger, undoing
from cimi_cim.service.jobs.bodies import Child, Ended, Json
from cimi_cim.service.jobs.context import Context, HeldByAnother
from cimi_cim.service.jobs.failures import SUCCESS, UNTOLD, Failure, failure_of
from cimi_cim.service.jobs.ledger import Entry, Fence, New
from cimi_cim.service.jobs.side_by_side import side_by_side
from cimi_cim.service.jobs.tools import Tools
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

T = TypeVar("T")

FIRST_WAIT_S, LONGEST_WAIT_S, GROWTH = 0.2, 5.0, 2.0
LASTING = frozenset({"wbem-authentication-failed", "wbem-tls-failed"})
"""Reasons of `ProviderUnavailable` that no waiting cures."""


class UnknownKind(CimiCimError):
    """Nobody here knows how to carry out a Job of this kind."""

    status = 501
    default_reason = "unknown-kind"


class Family:
    """Carries out a Job and what is nested in it, as long as the fence stands."""

    def __init__(self, tools: Tools, fence: Fence) -> None:
        self.tools = tools
        self.fence = fence

    def perform(self, job: str) -> None:
        """Bring a Job to its end from wherever it is.

        Raises `LeavesJob` if it is to go on elsewhere or later.
        """
        self.go_on(self._insist(Context(self, job), lambda w: _found(w, job)))

    def go_on(self, entry: Entry) -> None:
        """Bring a Job to its end; `entry` is how it was when this run began."""
        job = entry.job
        context = Context(self, job, entry.principal, is_new=entry.phase == ledger.WAITING)
        if entry.phase == ledger.OVER:
            return
        failure = entry.failure
        if entry.phase in (ledger.WAITING, ledger.WORKING):
            failure = self._work(context, entry)
            if failure is None:
                return
            worse = failure
            self._insist(context, lambda w: ledger.set_phase(w, job, ledger.UNDOING, worse))
        told = undoing.undo_all(self, context, failure or UNTOLD)
        self._insist(context, lambda w: ledger.end(w, job, told))

    def nested(self, parent: Context, children: Sequence[Child]) -> list[Ended]:
        """Make nested Jobs, or find those that were made before, and bring them to their ends."""

        def make(writing: Writing) -> list[str]:
            entries = ledger.family(writing, self.fence.root)
            mine = entries[parent.job]
            known = {each.key: each.job for each in entries.values() if each.parent == parent.job}
            new = [self._new(mine, child, key) for key, child in wanted.items() if key not in known]
            made = ledger.enter_nested(writing, new, mine)
            known |= {each.key: job for each, job in zip(new, made, strict=True)}
            return [known[key] for key in wanted]

        wanted = {f"{parent.prefix}{child.key}": child for child in children}
        jobs = parent.change(make)
        side_by_side(self.tools, self.perform, jobs)
        entries = parent.read(lambda reading: ledger.family(reading, self.fence.root))
        return [_ended(child.key, entries[job]) for child, job in zip(children, jobs, strict=True)]

    def below(self, reading: Reading, job: str) -> Iterator[Entry]:
        """Yield a Job and what is nested in it."""
        return ledger.below(ledger.family(reading, self.fence.root), job)

    def run_body(
        self,
        context: Context,
        kind: str,
        arguments: Mapping[str, Json],
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a body, again and again where the store or a WBEM server is away for a while.

        `end` comes after it, and counts as the last thing that it does. Who had to let another
        Job go first looks at everything anew. Raises what the body raises.
        """
        found = self.tools.kinds.find(kind)
        if found is None:
            raise UnknownKind(f"this program does not know how to carry out {kind!r};"
                              " another version of it submitted the Job")  # fmt: skip
        away_since, wait_s = None, FIRST_WAIT_S
        while True:
            began = time.monotonic()
            try:
                found.body(context, arguments)
                return end()
            except HeldByAnother as exc:
                context.unsay()
                context.hold(exc.paths)
                continue
            except StoreUnavailable:
                away_since = None  # without the store a Job cannot even fail
            except ProviderUnavailable as exc:
                lasted = time.monotonic() - began > self.tools.settings.outage_s
                away_since = began if away_since is None or lasted else away_since
                gone_s = time.monotonic() - away_since
                if exc.reason in LASTING or gone_s >= self.tools.settings.outage_s:
                    raise
            context.rest(wait_s)
            wait_s = min(wait_s * GROWTH, LONGEST_WAIT_S)

    def _work(self, context: Context, entry: Entry) -> Failure | None:
        """Run the body and enter its success, with what it said last; returns why it failed."""

        def succeed() -> None:
            context.change(lambda w: ledger.end(w, entry.job, SUCCESS), may_stop=False)

        try:
            if entry.phase != ledger.WAITING or entry.is_stopping:
                context.check_cancelled()
            self.run_body(context, entry.kind, entry.arguments, succeed)
        except Exception as exc:
            context.unsay()
            return failure_of(exc, entry.job)
        return None

    def _new(self, parent: Entry, child: Child, key: str) -> New:
        kind = self.tools.kinds.find(child.kind)
        if kind is None:
            raise LookupError(f"no body carries out {child.kind!r}")
        can_stop = kind.can_stop and parent.phase != ledger.UNDOING
        return New(child.kind, child.work, child.arguments, can_stop, parent.principal, key)

    def _insist(self, context: Context, make: Callable[[Writing], T]) -> T:
        """Change the store, however long it takes. Raises `LeavesJob`."""
        while True:
            try:
                return context.change(make, may_stop=False)
            except StoreUnavailable:
                context.rest(LONGEST_WAIT_S)
            except HeldByAnother:
                continue


def begin(writing: Writing, entry: Entry) -> None:
    """Enter that a Job is at work, if it was waiting."""
    if entry.phase == ledger.WAITING:
        ledger.set_phase(writing, entry.job, ledger.WORKING)
        if not entry.is_stopping:
            ledger.change(writing, entry.job, {"state": "RUNNING", "statusMessage": None})


def _found(writing: Writing, job: str) -> Entry:
    """Begin a nested Job; returns it as it was before. Raises `Fenced` if it is gone."""
    entry = ledger.find(writing, job)
    if entry is None:
        raise ledger.Fenced
    begin(writing, entry)
    return entry


def _ended(key: str, entry: Entry) -> Ended:
    failure = entry.failure
    if failure is None:
        return Ended(key, entry.job, "SUCCESS")
    return Ended(key, entry.job, failure.state, failure.told)
