"""Jobs that are told, and not carried out: which calls they would make, in which order.

A body runs as it would, in a context that keeps nothing and over an engine whose calls are
not sent (`wbem.tracing`). It can be followed up to where it needs what a server would answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.journal import Intent, Journal, Outcome
from cimi_cim.mapping.results import Engine
from cimi_cim.model.explanations import ExplainedIntent, ExplainedJob
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import NOBODY, Jobs, Request
from cimi_cim.service.jobs.bodies import Child, Ended, Json, Kinds
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.provision.bodies import STATE_ACTIONS, Bodies
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing, new_token

_DEPENDS = "what comes next depends on what the server answers"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A Job that was submitted, with what its body is given."""

    path: str
    kind: str
    work: Work
    arguments: Mapping[str, Json]


class TrialJobs:
    """Implements `Jobs` for one request: it notes what is submitted; `inner` tells the rest."""

    def __init__(self, inner: Jobs | None) -> None:
        self._inner = inner
        self.submitted: list[Submitted] = []

    @property
    def retention_minutes(self) -> int:
        """See `Jobs`."""
        return self._inner.retention_minutes if self._inner is not None else 0

    def earlier(self, reading: Reading, request: Request) -> str | None:
        """See `Jobs`."""
        return self._inner.earlier(reading, request) if self._inner is not None else None

    def remember(self, writing: Writing, request: Request, job: str) -> None:
        """Keep nothing."""

    def submit(
        self,
        writing: Writing,
        kind: str,
        work: Work,
        arguments: Mapping[str, Json],
        request: Request = NOBODY,
        holds: Sequence[str] = (),
    ) -> str:
        """Note a Job; of a request that was made before, nothing."""
        before = self.earlier(writing, request)
        if before is not None:
            return before
        path = f"jobs/{new_token()}"
        self.submitted.append(Submitted(path, kind, work, arguments))
        return path

    def holder(self, reading: Reading, path: str) -> str | None:
        """See `Jobs`."""
        return self._inner.holder(reading, path) if self._inner is not None else None

    def wait(self, job: str, seconds: float) -> bool:
        """Wait for nothing: whether it would be over in time nobody knows."""
        return False

    def failure(self, reading: Reading, job: str) -> CimiCimError | None:
        """See `Jobs`."""
        return self._inner.failure(reading, job) if self._inner is not None else None

    def can_stop(self, reading: Reading, job: str) -> bool:
        """See `Jobs`."""
        return self._inner is not None and self._inner.can_stop(reading, job)

    def stop(self, writing: Writing, job: str) -> None:
        """Stop nothing."""

    def delete(self, writing: Writing, job: str) -> bool:
        """Delete nothing."""
        return True


def rehearsed(
    submitted: Sequence[Submitted], holdings: Holdings, engine: Engine, deadline_s: float
) -> list[ExplainedJob]:
    """Tell what Jobs would do; `holdings` are over a trial of the store.

    To be called where calls are not sent: in the context of a rehearsal.
    """
    kinds = Kinds()
    Bodies(holdings, engine, deadline_s).register(kinds)
    return [
        _rehearsed(kinds, holdings, one.path, one.kind, one.work, one.arguments)
        for one in submitted
    ]


def _rehearsed(
    kinds: Kinds,
    holdings: Holdings,
    path: str,
    kind: str,
    work: Work,
    arguments: Mapping[str, Json],
) -> ExplainedJob:
    told = ExplainedJob(kind, work.action, work.target)
    registered = kinds.find(kind)
    if registered is None:
        raise LookupError(f"no body for {kind}")
    try:
        registered.body(_Context(kinds, holdings, path, told), arguments)
    except _MadeFirst:
        told.then.append(_DEPENDS)
    except CimiCimError as exc:
        if told.intents or told.nested:
            told.then.append(_DEPENDS)
        else:
            told.error = f"{exc.message} ({exc.reason})"
    told.then += [f"then: {name}" for name in STATE_ACTIONS.get(str(arguments.get("state")), ())]
    told.undo.reverse()
    return told


class _MadeFirst(Exception):
    """What a call makes would have to be there for the body to go on."""


class _Journal:
    """Notes what a call would be, and has it told instead of sent."""

    def __init__(self, told: ExplainedJob) -> None:
        self._told = told

    def call(
        self,
        intent: Callable[[], Intent],
        key: str,
        send: Callable[[], Outcome],
        find_out: Callable[[Intent], Outcome | None],
    ) -> Outcome:
        said = intent()
        self._told.intents.append(
            ExplainedIntent(key, said.target, said.method, said.path, said.token, len(said.before))
        )
        outcome = send()
        if said.token is not None:
            raise _MadeFirst
        return outcome


class _Context:
    """Implements `JobContext` for a Job that is told; it keeps nothing beyond it."""

    def __init__(self, kinds: Kinds, holdings: Holdings, job: str, told: ExplainedJob) -> None:
        self._kinds = kinds
        self._holdings = holdings
        self._told = told
        self._notes: dict[str, Json] = {}
        self.job = job
        self.principal: str | None = None
        self.journal: Journal = _Journal(told)

    def outcomes(self, job: str) -> list[tuple[Intent, Outcome]]:
        """Nothing was called."""
        return []

    def progress(self, percent: int, message: str | None = None) -> None:
        """Nobody asks."""

    def affected(self, path: str) -> None:
        """Nothing is."""

    def hold(self, paths: Sequence[str]) -> None:
        """Nothing is waited for."""

    def hold_first(self, key: str, look: Callable[[], Sequence[str]]) -> list[str]:
        """Hold nothing; return what is seen."""
        return list(look())

    def check_cancelled(self) -> None:
        """Nobody stops it."""

    def sleep(self, seconds: float) -> None:
        """Wait for nothing: what it waits for will not come. Raises what ends the telling."""
        raise _MadeFirst

    def note(self, key: str, value: Json) -> None:
        """See `JobContext`."""
        self._notes[key] = value

    def recall(self, key: str, default: Json = None) -> Json:
        """See `JobContext`."""
        return self._notes.get(key, default)

    def once(self, key: str, make: Callable[[], Json]) -> Json:
        """See `JobContext`."""
        if key not in self._notes:
            self._notes[key] = make()
        return self._notes[key]

    def seen(self, key: str, look: Callable[[], Json]) -> Json:
        """See `JobContext`."""
        return self.once(key, look)

    def also(self, key: str, change: Callable[[Writing], None]) -> None:
        """Make the change, and undo it."""
        with self._holdings.store.writing() as writing:
            change(writing)

    def secure(self) -> None:
        """Keep nothing."""

    def write(self, key: str, change: Callable[[Writing], Json]) -> Json:
        """Make the change, and undo it."""
        with self._holdings.store.writing() as writing:
            found = change(writing)
        return found

    def undo(self, key: str, kind: str, arguments: Mapping[str, Json], what: str) -> None:
        """Tell what would be undone."""
        self._told.undo.append(what)

    def keep(self) -> None:
        """What was done so far would stay."""
        self._told.undo.clear()

    def nested(self, children: Sequence[Child]) -> list[Ended]:
        """Tell the nested Jobs, as if each ended well."""
        ended = []
        for child in children:
            path = f"jobs/{new_token()}"
            self._told.nested.append(
                _rehearsed(
                    self._kinds, self._holdings, path, child.kind, child.work, child.arguments
                )
            )
            ended.append(Ended(child.key, path, "SUCCESS"))
        return ended
