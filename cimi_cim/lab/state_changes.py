"""RequestStateChange of virtual systems, switches and jobs (DSP1057, DSP1103)."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import Builder, cim_datetime
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.jobs import TERMINATED, Jobs
from cimi_cim.lab.machines import ENABLED, NOT_APPLICABLE, Machines
from cimi_cim.lab.personality import Transition
from cimi_cim.wbem.values import CimValue, InstancePath

# Return codes of CIM_EnabledLogicalElement.RequestStateChange, CIM Schema 2.49.
COMPLETED, INVALID_PARAMETER, JOB_STARTED = 0, 5, 4096
INVALID_TRANSITION, NO_TIMEOUT_PARAMETER = 4097, 4098
DISABLED = 3
TERMINATE, KILL = 4, 5  # CIM_ConcreteJob.RequestStateChange


@dataclass(frozen=True, slots=True)
class Result:
    """What a method returned: its return code, and the job it left."""

    return_code: int
    job: InstancePath | None = None


@dataclass(slots=True)
class Underway:
    """A transition that has begun: where it came from, and when it is over."""

    transition: Transition
    origin: str
    number: int


class StateChanges:
    """Changes states as the personality says, over time; nothing runs in between.

    What is due is done by `settle`, which is called before each operation, so the server
    needs no thread of its own and looks the same as if it had one.
    """

    def __init__(
        self,
        builder: Builder,
        machines: Machines,
        jobs: Jobs,
        clock: Callable[[], float],
        pace: float,
    ) -> None:
        self._builder = builder
        self._machines = machines
        self._jobs = jobs
        self._clock = clock
        self._pace = pace
        self._states: dict[str, str] = {}
        self._underway: dict[str, Underway] = {}
        self._agenda: list[tuple[float, int, InstancePath]] = []
        self._numbers = itertools.count(1)

    def know(self, system: Instance, state: str) -> None:
        """Take in a machine with the state it is in."""
        self._states[system.path.canonical] = state

    def settle(self) -> None:
        """Do what has become due since the last time."""
        now = self._clock()
        while self._agenda and self._agenda[0][0] <= now:
            due, number, path = heapq.heappop(self._agenda)
            underway = self._underway.get(path.canonical)
            if underway is not None and underway.number == number:
                self._finish(path, underway, due)
        self._jobs.advance(now)

    def request(self, system: Instance, parameters: Mapping[str, CimValue]) -> Result:
        """Change the state of a virtual system."""
        requested = parameters.get("RequestedState")
        if not isinstance(requested, int):
            return Result(INVALID_PARAMETER)
        if parameters.get("TimeoutPeriod") is not None:
            return Result(NO_TIMEOUT_PARAMETER)
        state = self._states[system.path.canonical]
        transition = self._builder.personality.transition(state, requested)
        if transition is None:
            known = {t.request for t in self._builder.personality.transitions}
            return Result(INVALID_TRANSITION if requested in known else INVALID_PARAMETER)
        return self._begin(system, state, transition)

    def _begin(self, system: Instance, state: str, transition: Transition) -> Result:
        now = self._clock()
        path = system.path
        self._interrupt(path, now)
        seconds = transition.seconds * self._pace
        number = next(self._numbers)
        underway = Underway(transition, state, number)
        self._underway[path.canonical] = underway
        if seconds == 0:
            self._finish(path, underway, now)
            return Result(COMPLETED)
        changed = self._show(path, transition.through, now, {"RequestedState": transition.request})
        heapq.heappush(self._agenda, (now + seconds, number, path))
        if not self._builder.personality.has_jobs:
            return Result(COMPLETED)
        job = self._jobs.start(f"State change to {transition.target}", changed, now, seconds)
        return Result(JOB_STARTED, job.path)

    def _interrupt(self, path: InstancePath, now: float) -> None:
        """What was under way is given up for what is requested now."""
        self._underway.pop(path.canonical, None)
        job = self._jobs.running_on(path)
        if job is not None:
            self._jobs.end(job, now, TERMINATED)

    def _finish(self, path: InstancePath, underway: Underway, now: float) -> None:
        self._underway.pop(path.canonical, None)
        self._show(
            path, underway.transition.target, now,
            {"RequestedState": underway.transition.request},
        )  # fmt: skip
        job = self._jobs.running_on(path)
        if job is not None:
            self._jobs.end(job, now)

    def _show(
        self, path: InstancePath, state: str, now: float, values: Mapping[str, CimValue]
    ) -> Instance:
        """Put the machine into a state: its properties, and its devices."""
        personality = self._builder.personality
        system = self._builder.repository.get(path)
        if system is None:
            raise LookupError(f"the machine {path.canonical} is gone")
        changed = system.changed({
            "AvailableRequestedStates": personality.allowed(state),
            "TimeOfLastStateChange": cim_datetime(now),
            **personality.states[state].properties, **values,
        })  # fmt: skip
        self._states[path.canonical] = state
        self._builder.repository.put(changed)
        if personality.states[state].is_active:
            self._machines.activate(changed)
        else:
            self._machines.deactivate(changed)
        return changed

    def request_of_switch(self, switch: Instance, parameters: Mapping[str, CimValue]) -> Result:
        """Switch a virtual switch on or off, at once."""
        requested = parameters.get("RequestedState")
        if requested not in (ENABLED, DISABLED):
            return Result(INVALID_PARAMETER)
        if parameters.get("TimeoutPeriod") is not None:
            return Result(NO_TIMEOUT_PARAMETER)
        if switch.values.get("EnabledState") == requested:
            return Result(COMPLETED)
        other = DISABLED if requested == ENABLED else ENABLED
        self._builder.repository.put(switch.changed({
            "EnabledState": requested, "RequestedState": requested,
            "TransitioningToState": NOT_APPLICABLE, "AvailableRequestedStates": (other,),
            "TimeOfLastStateChange": cim_datetime(self._clock()),
        }))  # fmt: skip
        return Result(COMPLETED)

    def request_of_job(self, job: Instance, parameters: Mapping[str, CimValue]) -> Result:
        """Give up a job: the machine goes back to where it came from."""
        if parameters.get("RequestedState") not in (TERMINATE, KILL):
            return Result(INVALID_PARAMETER)
        running = self._jobs.find(job.path)
        if running is None:
            return Result(INVALID_TRANSITION)
        now = self._clock()
        underway = self._underway.pop(running.element.canonical, None)
        self._jobs.end(running, now, TERMINATED)
        if underway is not None:
            self._show(running.element, underway.origin, now, {})
        return Result(COMPLETED)
