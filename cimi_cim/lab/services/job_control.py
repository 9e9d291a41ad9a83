"""The methods of CIM_ConcreteJob (DSP1103): giving jobs up, and asking why they failed."""

from __future__ import annotations

from cimi_cim.lab.instances import Instance
from cimi_cim.lab.jobs import KILLED, TERMINATED
from cimi_cim.lab.outcomes import Declined, Outcome, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.platform import Platform

TERMINATE, KILL = 4, 5  # RequestedState


class JobControl:
    """What clients may do with jobs."""

    def __init__(self, platform: Platform) -> None:
        self._works = platform.works
        self._jobs = platform.jobs

    def request_state_change(self, job: Instance, parameters: Parameters) -> Result:
        """Give up a job: what it worked on is as it was."""
        requested = parameters.number("RequestedState")
        if requested not in (TERMINATE, KILL):
            raise Declined(Outcome.INVALID_PARAMETER)
        if parameters.values.get("TimeoutPeriod") is not None:
            raise Declined(Outcome.NO_TIMEOUT)
        state = TERMINATED if requested == TERMINATE else KILLED
        if not self._works.give_up(job.path, state):
            raise Declined(Outcome.INVALID_TRANSITION)
        return Result(Outcome.DONE)

    def get_errors(self, job: Instance, parameters: Parameters) -> Result:
        """Return why a job failed; no error where it did not."""
        error = self._jobs.error(job.path)
        return Result(Outcome.DONE, {"Errors": None if error is None else (error,)})

    def get_error(self, job: Instance, parameters: Parameters) -> Result:
        """Return the first error alone, as older clients ask for it."""
        return Result(Outcome.DONE, {"Error": self._jobs.error(job.path)})
