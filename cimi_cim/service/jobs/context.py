"""What a body is given; see `JobContext` for what it promises."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select, update

from cimi_cim.errors import CimiCimError, StoreUnavailable
from cimi_cim.mapping.journal import Intent, Journal, Outcome
from cimi_cim.service.jobs import holding, ledger, turns
from cimi_cim.service.jobs.bodies import Child, Ended, JobStopped, Json, NestedFailed
from cimi_cim.service.jobs.journal import KeptCall, StoredJournal, kept_calls
from cimi_cim.service.jobs.signals import Interrupted
from cimi_cim.service.jobs.turns import Late
from cimi_cim.service.store.job_tables import CALLS, NOTE, NOTES, SAY_UNDO, UNDOS
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

if TYPE_CHECKING:
    from cimi_cim.service.jobs.family import Family

T = TypeVar("T")

PROGRESS_EVERY_S = 0.25
"""Progress that follows closer upon the last one waits for the next thing that is kept."""
INSISTS_FOR_S = 60
"""How long the store is tried again with what cannot be asked for a second time."""
_CALL, _UNDO = "call ", "undo "


class HeldByAnother(Exception):
    """What a Job says that it made is another's: that of one that deletes it, say."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(*paths)
        self.paths = paths


class Context:
    """A Job as its body sees it, or, `is_undoing`, as what undoes its deeds sees it."""

    def __init__(
        self,
        family: Family,
        job: str,
        principal: str | None = None,
        *,
        undoes: int | None = None,
        is_new: bool = False,
    ) -> None:
        """Make the context of a run; of one that `is_new` nothing is kept yet."""
        self._family = family
        self._tools = family.tools
        self.job = job
        self.principal = principal
        self.settle_s = self._tools.settings.settle_s
        self._is_undoing = undoes is not None
        self.prefix = f"undo.{undoes}." if undoes is not None else ""
        self.journal: Journal = StoredJournal(self, self.prefix)
        self._notes: dict[str, str] | None = {} if is_new else None
        self._calls: dict[str, KeptCall] | None = {} if is_new else None
        self._pending: dict[str, str | int | None] = {}
        self._pending_affected: list[str] = []
        self._said: dict[str, Callable[[Writing], object]] = {}
        self._percent = 0
        self._written_at = time.monotonic()

    # What a body asks for.

    def progress(self, percent: int, message: str | None = None) -> None:
        """See `JobContext`."""
        if self._is_undoing:
            return
        self._percent = min(max(percent, self._percent), 99)  # 100 is for what is over
        self._pending["progress"] = self._percent
        if message is not None:
            self._pending["statusMessage"] = message
        if time.monotonic() - self._written_at >= PROGRESS_EVERY_S:
            self.change(_nothing)

    def affected(self, path: str) -> None:
        """See `JobContext`."""
        self._pending_affected.append(path)

    def hold(self, paths: Sequence[str]) -> None:
        """See `JobContext`."""
        holding.hold(self, paths)

    def hold_first(self, key: str, look: Callable[[], Sequence[str]]) -> list[str]:
        """See `JobContext`."""
        return holding.hold_first(self, key, look)

    def check_cancelled(self) -> None:
        """See `JobContext`."""
        self._tools.signals.check()
        if not self._is_undoing:
            self.read(self._must_go_on)

    def sleep(self, seconds: float) -> None:
        """See `JobContext`."""
        self.secure()
        with self._tools.slots.lent():
            self._tools.signals.wait(self.job, seconds, heeds_stop=not self._is_undoing)
        if not self._is_undoing and self._tools.signals.wants_stop(self.job):
            self.check_cancelled()
            self.rest(seconds)  # it goes on for now: it does not know what became of a call

    def outcomes(self, job: str) -> list[tuple[Intent, Outcome]]:
        """See `JobContext`."""
        calls = self.read(lambda reading: kept_calls(reading, job)).values()
        return [(call.intent, call.outcome) for call in calls if call.outcome is not None]

    def note(self, key: str, value: Json) -> None:
        """See `JobContext`."""
        self._keep(key, lambda _: value)

    def recall(self, key: str, default: Json = None) -> Json:
        """See `JobContext`."""
        found = self._kept().get(f"{self.prefix}{key}")
        return default if found is None else json.loads(found)

    def once(self, key: str, make: Callable[[], Json]) -> Json:
        """See `JobContext`."""
        if f"{self.prefix}{key}" in self._kept():
            return self.recall(key)
        self.secure()
        value = make()  # what was made is kept, whoever wants the Job to end by now
        return self._keep(key, lambda _: value, may_stop=False)

    def seen(self, key: str, look: Callable[[], Json]) -> Json:
        """See `JobContext`."""
        if f"{self.prefix}{key}" not in self._kept():
            self._say(key, json.dumps(look()))
        return self.recall(key)

    def write(self, key: str, change: Callable[[Writing], Json]) -> Json:
        """See `JobContext`."""
        if f"{self.prefix}{key}" in self._kept():
            return self.recall(key)
        return self._keep(key, change)

    def also(self, key: str, change: Callable[[Writing], None]) -> None:
        """See `JobContext`."""
        if f"{self.prefix}{key}" not in self._kept():
            self._say(key, json.dumps(None), change)

    def secure(self) -> None:
        """See `JobContext`."""
        if self._pending or self._pending_affected or self._said:
            self.change(_nothing)

    def undo(self, key: str, kind: str, arguments: Mapping[str, Json], what: str) -> None:
        """See `JobContext`."""
        if self._tools.kinds.find(kind) is None:
            raise LookupError(f"no body undoes {kind!r}")

        row = {
            "root": self.root, "job": self.job, "key": f"{self.prefix}{key}", "kind": kind,
            "arguments": json.dumps(arguments), "what": what,
        }  # fmt: skip
        self._said[f"{_UNDO}{key}"] = lambda writing: writing.connection.execute(SAY_UNDO, row)

    def keep(self) -> None:
        """See `JobContext`."""

        def make(writing: Writing) -> None:
            mine = {entry.job for entry in self._family.below(writing, self.job)}
            where = UNDOS.c.job.in_(sorted(mine)), UNDOS.c.state == "open"
            writing.connection.execute(update(UNDOS).where(*where).values(state="kept"))

        self.change(make)

    def nested(self, children: Sequence[Child]) -> list[Ended]:
        """See `JobContext`."""
        ended = self._family.nested(self, children)
        bad = [each for each in ended if each.state != "SUCCESS"]
        if bad:
            self.check_cancelled()
            said = "; ".join(f"{each.key}: {each.message}" for each in bad)
            raise NestedFailed(f"{len(bad)} of {len(ended)} nested Jobs failed: {said}"[:2000])
        return ended

    # What the journal, the family and the waiting for others ask for.

    @property
    def root(self) -> str:
        """See `Waiter`."""
        return self._family.fence.root

    @property
    def late(self) -> Late:
        """See `Waiter`."""
        return Late.UNDOING if self._is_undoing else Late.AT_WORK

    @property
    def calls(self) -> dict[str, KeptCall]:
        """See `Desk`."""
        if self._calls is None:
            self._calls = self.read(lambda reading: kept_calls(reading, self.job))
        return self._calls

    def read(self, look: Callable[[Reading], T]) -> T:
        """Look into the store."""
        with self._tools.store.reading() as reading:
            return look(reading)

    def change(self, make: Callable[[Writing], T], *, may_stop: bool = True) -> T:
        """Change the store, if this run still carries out the Job; progress goes with it.

        Raises `JobStopped` if the Job is to stop. With `may_stop` false it neither does that
        nor ends with the program, and insists where the store cannot be used for a while.
        Raises `HeldByAnother`, after which it says no more that it made what is another's.
        """
        if may_stop:
            self._tools.signals.check()
            return self._change(make, heeds_stop=not self._is_undoing)
        until = time.monotonic() + INSISTS_FOR_S
        while True:
            try:
                return self._change(make, heeds_stop=False)
            except StoreUnavailable:
                if time.monotonic() >= until:
                    raise
            try:
                self.rest(0.5)
            except Interrupted:
                return self._change(make, heeds_stop=False)

    def unsay(self) -> None:
        """Forget what was said and is not kept: the body is over, or begins anew.

        What became of calls, and what undoes deeds, is kept all the same.
        """
        for key in list(self._said):
            if not key.startswith((_CALL, _UNDO)):
                self._said.pop(key, None)
                self._notes = None

    def tell(self, key: str, make: Callable[[Writing], object]) -> None:
        """See `Desk`."""
        key = f"{_CALL}{key}"
        self._said[key] = make
        with suppress(RuntimeError):  # the program ends; it is kept with what comes next
            self._tools.scribes.submit(self._write_down, key, make)

    def _write_down(self, key: str, make: Callable[[Writing], object]) -> None:
        """Keep what was told, unless that was done; what fails here is done with what comes next.

        A server was asked for something, and only this program knows what it answered.
        """
        with suppress(CimiCimError, ledger.LeavesJob):
            with self._tools.store.writing() as writing:
                if self._said.get(key) is not make:
                    return
                ledger.hold(writing, self._family.fence)
                make(writing)
            self._said.pop(key, None)

    def before_sending(self) -> None:
        """See `Desk`."""
        self._tools.pulse.be_fresh()

    def rest(self, seconds: float) -> None:
        """See `Desk`."""
        with self._tools.slots.lent():
            self._tools.signals.wait(self.job, seconds, heeds_stop=False)

    def now(self) -> float:
        """See `Desk`."""
        return self._tools.now()

    def _change(self, make: Callable[[Writing], T], *, heeds_stop: bool) -> T:
        pending, affected = self._pending, self._pending_affected
        with self._tools.store.writing() as writing:
            root = ledger.hold(writing, self._family.fence)
            said = dict(self._said)
            self._write(writing, said, calls=True)
            if heeds_stop:
                self._must_go_on(writing, root)
            self._hold_new(writing, affected)
            if pending or affected:
                ledger.change(writing, self.job, pending, affected)
            self._write(writing, said, calls=False)
            result = make(writing)
        for key in said:
            self._said.pop(key, None)
        if pending or affected:
            self._pending, self._pending_affected = {}, []
            self._written_at = time.monotonic()
        return result

    def _write(
        self, writing: Writing, said: Mapping[str, Callable[[Writing], object]], *, calls: bool
    ) -> None:
        """Keep what was said: what became of calls, or everything else."""
        for key, say in said.items():
            if key.startswith(_CALL) == calls:
                say(writing)

    def _hold_new(self, writing: Writing, affected: Sequence[str]) -> None:
        """Hold what it is about to say that it made. Raises `HeldByAnother`."""
        if turns.hold(writing, self.root, affected) is not None:
            self._pending_affected = []
            raise HeldByAnother(affected)

    def _must_go_on(self, reading: Reading, known: ledger.Entry | None = None) -> None:
        """Raise `JobStopped` if it is to stop, and knows what became of all that it sent."""
        is_known = known is not None and known.job == self.job
        entry = known if is_known else ledger.find(reading, self.job)
        if entry is None or not entry.is_stopping:
            return
        unknown = select(CALLS.c.key).where(
            CALLS.c.job == self.job, CALLS.c.outcome.is_(None), CALLS.c.failure.is_(None)
        )
        if reading.connection.execute(unknown).first() is None:
            raise JobStopped(f"{self.job} is to stop")

    def _kept(self) -> dict[str, str]:
        """What this Job has noted, by key; nobody else does while this run carries it out."""
        if self._notes is None:
            query = select(NOTES.c.key, NOTES.c.value).where(NOTES.c.job == self.job)
            rows = self.read(lambda reading: reading.connection.execute(query).all())
            self._notes = {row.key: row.value for row in rows}
        return self._notes

    def _say(self, key: str, text: str, change: Callable[[Writing], None] | None = None) -> None:
        """Have a note made, and what goes with it done, with the next thing that is kept."""
        key, notes = f"{self.prefix}{key}", self._kept()

        def make(writing: Writing) -> None:
            if change is not None:
                change(writing)
            writing.connection.execute(NOTE, {"job": self.job, "key": key, "value": text})

        notes[key] = text
        self._said[f"note {key}"] = make

    def keep_note(self, writing: Writing, key: str, value: Json) -> None:
        """See `Waiter`."""
        row = {"job": self.job, "key": f"{self.prefix}{key}", "value": json.dumps(value)}
        writing.connection.execute(NOTE, row)
        self._notes = None  # the books alone know whether this is committed

    def _keep(self, key: str, make: Callable[[Writing], Json], *, may_stop: bool = True) -> Json:
        key, notes = f"{self.prefix}{key}", self._kept()

        def change(writing: Writing) -> str:
            text = json.dumps(make(writing))
            writing.connection.execute(NOTE, {"job": self.job, "key": key, "value": text})
            return text

        notes[key] = self.change(change, may_stop=may_stop)
        return json.loads(notes[key])  # the same the first time and ever after


def _nothing(_: Writing) -> None:
    """Only what is pending is written."""
