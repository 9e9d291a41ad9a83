"""RequestStateChange of virtual systems, switches and ports (DSP1057, DSP1097)."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.devices import ENABLED, NOT_APPLICABLE
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import Machine, Machines
from cimi_cim.lab.outcomes import Declined, Outcome, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.personality import Transition
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.switches import DISABLED
from cimi_cim.lab.works import Made, Task
from cimi_cim.wbem.values import CimValue

OK, STOPPED = 2, 10  # OperationalStatus


class StateChanges:
    """Changes states as the personality says, over time."""

    def __init__(self, platform: Platform, machines: Machines) -> None:
        self._platform = platform
        self._personality = platform.personality
        self._machines = machines

    def request(self, system: Instance, parameters: Parameters) -> Result:
        """Change the state of a virtual system."""
        requested = parameters.number("RequestedState")
        machine = self._machines.at(system.path)
        if requested is None or machine is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        if parameters.values.get("TimeoutPeriod") is not None:
            raise Declined(Outcome.NO_TIMEOUT)
        transition = self._personality.transition(machine.state, requested)
        if transition is None:
            known = {t.request for t in self._personality.transitions}
            is_known = requested in known
            raise Declined(Outcome.INVALID_TRANSITION if is_known else Outcome.INVALID_PARAMETER)
        busy = self._platform.works.busy(system.path)
        if busy is not None:
            if not busy.is_state_change:
                raise Declined(Outcome.IN_USE)
            self._platform.works.break_off(busy)
        return self._begin(system, machine, transition)

    def _begin(self, system: Instance, machine: Machine, transition: Transition) -> Result:
        origin = machine.state
        requested: Mapping[str, CimValue] = {"RequestedState": transition.request}

        def finish(now: float) -> Made:
            self.show(machine, transition.target, now, requested)
            return {}

        def undo(now: float) -> None:
            self.show(machine, origin, now, {})

        task = Task(
            f"State change to {transition.target}", system, (system.path,),
            transition.seconds, finish, undo, is_state_change=True,
        )  # fmt: skip
        works = self._platform.works
        if works.takes_time(task):
            self.show(machine, transition.through, self._platform.clock(), requested)
        if self._personality.has_jobs or not works.takes_time(task):
            return works.begin(task)
        works.begin_silently(task)
        return Result(Outcome.DONE)

    def show(
        self, machine: Machine, state: str, now: float, values: Mapping[str, CimValue]
    ) -> None:
        """Put a machine into a state: its properties, and its devices."""
        system = self._platform.repository.get(machine.path)
        if system is None:
            return
        machine.state = state
        self._platform.repository.put(system.changed({
            "AvailableRequestedStates": self._personality.allowed(state),
            "TimeOfLastStateChange": cim_datetime(now),
            **self._personality.states[state].properties, **values,
        }))  # fmt: skip
        if self._personality.states[state].is_active:
            self._machines.activate(machine)
        else:
            self._machines.deactivate(machine)

    def request_of_switch(self, switch: Instance, parameters: Parameters) -> Result:
        """Switch a virtual switch on or off, at once."""
        if self._platform.works.busy(switch.path) is not None:
            raise Declined(Outcome.IN_USE)
        return self._turn(switch, parameters, OK)

    def request_of_port(self, port: Instance, parameters: Parameters) -> Result:
        """Switch a port on or off, at once; it is on again when its machine has restarted."""
        requested = parameters.number("RequestedState")
        return self._turn(port, parameters, OK if requested == ENABLED else STOPPED)

    def _turn(self, element: Instance, parameters: Parameters, status: int) -> Result:
        requested = parameters.number("RequestedState")
        if requested not in (ENABLED, DISABLED):
            raise Declined(Outcome.INVALID_PARAMETER)
        if parameters.values.get("TimeoutPeriod") is not None:
            raise Declined(Outcome.NO_TIMEOUT)
        if element.values.get("EnabledState") == requested:
            return Result(Outcome.DONE)
        other = DISABLED if requested == ENABLED else ENABLED
        self._platform.repository.put(element.changed({
            "EnabledState": requested, "RequestedState": requested,
            "TransitioningToState": NOT_APPLICABLE, "AvailableRequestedStates": (other,),
            "OperationalStatus": (status,),
            "TimeOfLastStateChange": cim_datetime(self._platform.clock()),
        }))  # fmt: skip
        return Result(Outcome.DONE)
