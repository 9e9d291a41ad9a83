"""Jobs of the simulated server: CIM_ConcreteJob (DSP1103), their progress and their errors."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cimi_cim.lab.builder import (
    Builder,
    cim_datetime,
    cim_interval,
    datetime_seconds,
    interval_seconds,
)
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Refusal
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath

RUNNING, COMPLETED, TERMINATED, KILLED, EXCEPTION = 4, 7, 8, 9, 10
KEPT_S = 300  # TimeBeforeRemoval, the default of CIM_ConcreteJob
EXCLUSIVE, CREATE = 2, 5  # ElementEffects of CIM_AffectedJobElement
_STUCK_PERCENT = 50
_WORDS = {
    COMPLETED: "completed", TERMINATED: "terminated", KILLED: "killed", EXCEPTION: "failed",
}  # fmt: skip
_STATUS: dict[int, tuple[int, ...]] = {
    COMPLETED: (17, 2), TERMINATED: (10,), KILLED: (10,), EXCEPTION: (6,),
}  # fmt: skip


@dataclass(slots=True)
class RunningJob:
    """A job that is not finished; `seconds` is None for one that never will be."""

    path: InstancePath
    started: float
    seconds: float | None
    affected: set[str] = field(default_factory=set)

    def percent(self, now: float) -> int:
        """How much is done, 99 at most."""
        if self.seconds is None:
            return _STUCK_PERCENT
        elapsed = max(0.0, now - self.started)
        return 99 if elapsed >= self.seconds else int(100 * elapsed / self.seconds)


class Jobs:
    """Makes jobs, shows their progress, ends them, and removes them some time later."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._numbers = itertools.count(1)
        self._running: dict[str, RunningJob] = {}
        self._errors: dict[str, EmbeddedInstance] = {}
        self._removals: list[tuple[float, int, InstancePath]] = []
        self.on_failure: Callable[[Instance, str, str, str], None] = lambda *_: None
        """Is told a job that failed, what it worked on, and id and text of the error."""

    def start(
        self,
        name: str,
        owner: Instance,
        affected: Iterable[InstancePath],
        now: float,
        seconds: float | None,
    ) -> RunningJob:
        """Return a new running job that `owner` made and that works on `affected`."""
        number = next(self._numbers)
        started = cim_datetime(now)
        job = self._builder.put("ConcreteJob", {
            "InstanceID": f"{self._builder.personality.name}:job:{number}", "Name": name,
            "ElementName": name, "JobState": RUNNING, "JobStatus": "running",
            "PercentComplete": 0, "ErrorCode": 0, "TimeSubmitted": started,
            "StartTime": started, "TimeOfLastStateChange": started,
            "ElapsedTime": cim_interval(0), "TimeBeforeRemoval": cim_interval(KEPT_S),
            "DeleteOnCompletion": True, "OperationalStatus": (2,), "HealthState": 5,
            "LocalOrUtcTime": 2,
        })  # fmt: skip
        running = RunningJob(job.path, now, seconds)
        self._builder.link("OwningJobElement", OwningElement=owner, OwnedElement=job)
        for element in affected:
            self._affects(running, element, EXCLUSIVE)
        self._running[job.path.canonical] = running
        return running

    def _affects(self, job: RunningJob, element: InstancePath, effect: int) -> None:
        if element.canonical in job.affected and effect != CREATE:
            return
        job.affected.add(element.canonical)
        self._builder.link(
            "AffectedJobElement",
            properties={"ElementEffects": (effect,)},
            AffectedElement=element,
            AffectingElement=job.path,
        )

    def running(self) -> list[RunningJob]:
        """Return all unfinished jobs."""
        return list(self._running.values())

    def find(self, path: InstancePath) -> RunningJob | None:
        """Return the unfinished job at a path, None if there is none."""
        return self._running.get(path.canonical)

    def refresh(self, job: RunningJob, now: float) -> None:
        """Show how far a job is."""
        self._change(job.path, {
            "PercentComplete": job.percent(now),
            "ElapsedTime": cim_interval(max(0.0, now - job.started)),
        })  # fmt: skip

    def remove_old(self, now: float) -> None:
        """Remove jobs that ended long ago."""
        while self._removals and self._removals[0][0] <= now:
            _, _, path = heapq.heappop(self._removals)
            job = self._builder.repository.get(path)
            if job is None or job.values.get("DeleteOnCompletion") is not True:
                continue
            due = _removal_time(job)
            if due is not None and due > now:
                self._remove_at(path, due)
                continue
            self.remove(path)

    def remove(self, path: InstancePath) -> None:
        """Remove a finished job."""
        self._builder.repository.remove(path)
        self._errors.pop(path.canonical, None)

    def _remove_at(self, path: InstancePath, due: float) -> None:
        heapq.heappush(self._removals, (due, next(self._numbers), path))

    def complete(self, job: RunningJob, now: float, made: Iterable[InstancePath] = ()) -> None:
        """Finish a job, with what it made."""
        for path in made:
            self._affects(job, path, CREATE)
        self._end(job, now, COMPLETED, {"PercentComplete": 100})

    def give_up(self, job: RunningJob, now: float, state: int = TERMINATED) -> None:
        """End a job before it is finished: terminated, or killed."""
        self._end(job, now, state, {"PercentComplete": job.percent(now)})

    def fail(self, job: RunningJob, now: float, refusal: Refusal) -> None:
        """End a job with an error, which GetErrors tells in full."""
        self._errors[job.path.canonical] = self._error(refusal)
        self._end(job, now, EXCEPTION, {
            "PercentComplete": job.percent(now), "ErrorCode": refusal.reason.status,
            "ErrorDescription": refusal.message,
        })  # fmt: skip
        failed = self._builder.repository.get(job.path)
        if failed is not None:
            about = min(job.affected, default=job.path.canonical)
            self.on_failure(failed, about, self._message_id(refusal), refusal.message)

    def error(self, path: InstancePath) -> EmbeddedInstance | None:
        """Return the CIM_Error of a job that failed, None for any other."""
        return self._errors.get(path.canonical)

    def keep(self, job: Instance, changes: Mapping[str, CimValue], now: float) -> None:
        """Change whether and when a job is removed after its end."""
        changed = job.changed(changes)
        self._builder.repository.put(changed)
        if self.find(job.path) is None:
            self._remove_at(job.path, max(now, _removal_time(changed) or now))

    def _end(self, job: RunningJob, now: float, state: int, values: Mapping[str, CimValue]) -> None:
        self._running.pop(job.path.canonical, None)
        self._change(job.path, {
            "JobState": state, "JobStatus": _WORDS[state], "OperationalStatus": _STATUS[state],
            "TimeOfLastStateChange": cim_datetime(now),
            "ElapsedTime": cim_interval(max(0.0, now - job.started)), **values,
        })  # fmt: skip
        ended = self._builder.repository.get(job.path)
        if ended is not None:
            self._remove_at(job.path, _removal_time(ended) or now)

    def _change(self, path: InstancePath, values: Mapping[str, CimValue]) -> None:
        found = self._builder.repository.get(path)
        if found is not None and any(found.values.get(n) != v for n, v in values.items()):
            self._builder.repository.put(found.changed(values))

    def _error(self, refusal: Refusal) -> EmbeddedInstance:
        reason = refusal.reason
        return self._builder.embedded("CIM_Error", {
            "ErrorType": self._number("ErrorType", reason.error_type),
            "OwningEntity": self._builder.personality.name,
            "MessageID": self._message_id(refusal),
            "Message": refusal.message, "PerceivedSeverity": 5,
            "ProbableCause": self._number("ProbableCause", reason.cause),
            "CIMStatusCode": reason.status,
        })  # fmt: skip

    def _message_id(self, refusal: Refusal) -> str:
        return f"{self._builder.personality.name.upper()}-{refusal.reason.name}"

    def _number(self, name: str, label: str) -> int | None:
        declared = self._builder.repository.classes.schema.property("CIM_Error", name)
        entries = () if declared is None or declared.values is None else declared.values.entries
        return next((int(key) for key, known in entries if known == label), None)


def _removal_time(job: Instance) -> float | None:
    """When a finished job is to be removed, in seconds since 1970."""
    ended, kept = job.values.get("TimeOfLastStateChange"), job.values.get("TimeBeforeRemoval")
    if not isinstance(ended, CimDateTime) or not isinstance(kept, CimDateTime):
        return None
    seconds = interval_seconds(kept)
    return None if seconds is None else datetime_seconds(ended) + seconds
