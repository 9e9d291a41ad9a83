"""Jobs of the simulated server: CIM_ConcreteJob (DSP1103) over transitions that take time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from cimi_cim.lab.builder import Builder, cim_datetime, cim_interval
from cimi_cim.lab.instances import Instance
from cimi_cim.wbem.values import CimValue, InstancePath

RUNNING, COMPLETED, TERMINATED = 4, 7, 8
KEPT_S = 300  # TimeBeforeRemoval, the default of CIM_ConcreteJob


@dataclass(slots=True)
class RunningJob:
    """A job that is not finished: its instance, what it works on, and its time."""

    path: InstancePath
    element: InstancePath
    started: float
    seconds: float


class Jobs:
    """Makes jobs, moves their progress, ends them, and removes them some time later."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._numbers = itertools.count(1)
        self._running: dict[str, RunningJob] = {}
        self._ended: list[tuple[float, InstancePath]] = []

    def start(self, name: str, element: Instance, now: float, seconds: float) -> Instance:
        """Return a new running job on `element`."""
        identifier = f"{self._builder.personality.name}:job:{next(self._numbers)}"
        started = cim_datetime(now)
        job = self._builder.put("ConcreteJob", {
            "InstanceID": identifier, "Name": name, "ElementName": name, "JobState": RUNNING,
            "JobStatus": "running", "PercentComplete": 0, "ErrorCode": 0,
            "TimeSubmitted": started, "StartTime": started, "TimeOfLastStateChange": started,
            "ElapsedTime": cim_interval(0), "TimeBeforeRemoval": cim_interval(KEPT_S),
            "DeleteOnCompletion": True, "OperationalStatus": (2,), "HealthState": 5,
            "LocalOrUtcTime": 2,
        })  # fmt: skip
        self._builder.link(
            "AffectedJobElement",
            properties={"ElementEffects": (2,)},
            AffectedElement=element,
            AffectingElement=job,
        )
        self._builder.link("OwningJobElement", OwningElement=element, OwnedElement=job)
        self._running[job.path.canonical] = RunningJob(job.path, element.path, now, seconds)
        return job

    def running_on(self, element: InstancePath) -> RunningJob | None:
        """Return the unfinished job on an element, None if there is none."""
        return next((job for job in self._running.values() if job.element == element), None)

    def find(self, path: InstancePath) -> RunningJob | None:
        """Return the unfinished job at a path, None if there is none."""
        return self._running.get(path.canonical)

    def advance(self, now: float) -> None:
        """Show the progress of running jobs, and remove those that ended long ago."""
        for job in self._running.values():
            elapsed = max(0.0, now - job.started)
            percent = min(99, int(100 * elapsed / job.seconds)) if job.seconds else 99
            self._change(job.path, {
                "PercentComplete": percent, "ElapsedTime": cim_interval(elapsed),
            })  # fmt: skip
        while self._ended and self._ended[0][0] <= now:
            self._builder.repository.remove(self._ended.pop(0)[1])

    def end(self, job: RunningJob, now: float, state: int = COMPLETED) -> None:
        """Finish a job: completed, or terminated before it was."""
        self._running.pop(job.path.canonical, None)
        self._ended.append((now + KEPT_S, job.path))
        is_done = state == COMPLETED
        values: dict[str, CimValue] = {
            "JobState": state, "JobStatus": "completed" if is_done else "terminated",
            "TimeOfLastStateChange": cim_datetime(now),
            "ElapsedTime": cim_interval(max(0.0, now - job.started)),
            "OperationalStatus": (17, 2) if is_done else (10,),
        }  # fmt: skip
        if is_done:
            values["PercentComplete"] = 100
        self._change(job.path, values)

    def _change(self, path: InstancePath, values: dict[str, CimValue]) -> None:
        found = self._builder.repository.get(path)
        if found is not None and any(found.values.get(n) != v for n, v in values.items()):
            self._builder.repository.put(found.changed(values))
