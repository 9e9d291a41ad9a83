"""Machines change state as DSP1057 and DSP1103 say, over the time the pace gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cimi_cim.lab.backend import MethodCall
from cimi_cim.lab.personality import load_personality
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.values import InstancePath
from tests.lab.conftest import Clock, Lab

StartLab = Callable[..., Lab]
ENABLED, DISABLED, SHUT_DOWN, OFFLINE, QUIESCE, REBOOT, RESET = 2, 3, 4, 6, 9, 10, 11
JOB_STARTED, INVALID_TRANSITION = 4096, 4097


def request(server: Lab, path: Any, state: int | None, **more: Any) -> tuple[int, Any]:
    sent = {} if state is None else {"RequestedState": pywbem.Uint16(state)}
    code, out = server.client.InvokeMethod("RequestStateChange", path, **sent, **more)
    return code, out.get("Job")


def state(server: Lab, path: Any) -> tuple[int, int]:
    found = server.client.GetInstance(path)
    return found["EnabledState"], found["TransitioningToState"]


def devices(server: Lab, path: Any) -> list[Any]:
    return list(server.client.AssociatorNames(path, AssocClass="CIM_SystemDevice"))


def test_a_start_is_a_job_that_takes_its_time_and_makes_the_devices(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("defined")
    assert not devices(server, machine)
    code, job = request(server, machine, ENABLED)
    assert code == JOB_STARTED
    assert state(server, machine) == (10, 2)
    server.clock.now += 1
    running = server.client.GetInstance(job)
    assert (running["JobState"], running["PercentComplete"]) == (4, 50)
    server.clock.now += 1
    done = server.client.GetInstance(job)
    assert (done["JobState"], done["PercentComplete"], done["ErrorCode"]) == (7, 100, 0)
    assert state(server, machine) == (2, 12)
    kinds = {path.classname for path in devices(server, machine)}
    assert kinds == {"LAB_Processor", "LAB_Memory", "LAB_LogicalDisk", "LAB_EthernetPort"}


def test_a_stopped_machine_keeps_its_settings_and_loses_its_devices(lab: StartLab) -> None:
    server = lab(pace=0)
    machine = server.machine("running")
    settings_before = server.client.EnumerateInstances("CIM_ResourceAllocationSettingData")
    assert request(server, machine, DISABLED) == (0, None)
    assert state(server, machine) == (3, 12)
    assert not devices(server, machine)
    for cls in ("LAB_LANEndpoint", "LAB_EthernetPort"):
        names = server.client.EnumerateInstances(cls, PropertyList=["SystemName"])
        assert machine["Name"] not in [found["SystemName"] for found in names]
    assert server.client.EnumerateInstances("CIM_ResourceAllocationSettingData") == settings_before


def test_a_job_is_affecting_its_machine_and_is_removed_after_its_time(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("running")
    _, job = request(server, machine, REBOOT)
    affected = server.client.AssociatorNames(job, AssocClass="CIM_AffectedJobElement")
    assert [path["Name"] for path in affected] == [machine["Name"]]
    server.clock.now += 4
    assert server.client.GetInstance(job)["JobState"] == 7
    server.clock.now += 300
    with pytest.raises(pywbem.CIMError) as error:
        server.client.GetInstance(job)
    assert error.value.status_code == pywbem.CIM_ERR_NOT_FOUND
    assert not server.client.EnumerateInstances("CIM_AffectedJobElement")


def test_a_forced_stop_breaks_off_what_is_under_way(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("running")
    _, shutting_down = request(server, machine, SHUT_DOWN)
    assert state(server, machine) == (4, 4)
    code, job = request(server, machine, DISABLED)
    assert code == JOB_STARTED
    assert server.client.GetInstance(shutting_down)["JobState"] == 8
    server.clock.now += 0.5
    assert state(server, machine) == (3, 12)
    assert server.client.GetInstance(job)["JobState"] == 7


def test_a_job_that_is_terminated_leaves_the_machine_as_it_was(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("running")
    _, job = request(server, machine, OFFLINE)
    assert request(server, job, SHUT_DOWN)[0] == 0
    assert state(server, machine) == (2, 12)
    server.clock.now += 10
    assert state(server, machine) == (2, 12)
    assert server.client.GetInstance(job)["JobState"] == 8
    assert request(server, job, SHUT_DOWN)[0] == INVALID_TRANSITION


def test_a_machine_on_its_way_at_first_holds_until_somebody_acts(lab: StartLab) -> None:
    server = lab()
    machine = server.machine("starting")
    server.clock.now += 10**6
    assert state(server, machine) == (10, 2)
    assert request(server, machine, DISABLED)[0] == JOB_STARTED
    server.clock.now += 1
    assert state(server, machine) == (3, 12)


@pytest.mark.parametrize(
    ("initial", "requested", "code"),
    [
        ("defined", QUIESCE, INVALID_TRANSITION),
        ("running", ENABLED, INVALID_TRANSITION),
        ("paused", REBOOT, INVALID_TRANSITION),
        ("running", 12, 5),
        ("running", None, 5),
    ],
)
def test_what_the_state_forbids_changes_nothing(
    lab: StartLab, initial: str, requested: int | None, code: int
) -> None:
    server = lab()
    machine = server.machine(initial)
    before = server.client.GetInstance(machine)
    assert request(server, machine, requested) == (code, None)
    assert server.client.GetInstance(machine) == before


def test_a_timeout_parameter_is_refused(lab: StartLab) -> None:
    server = lab()
    timeout = pywbem.CIMDateTime("00000000000010.000000:000")
    assert request(server, server.machine("running"), QUIESCE, TimeoutPeriod=timeout)[0] == 4098


def test_a_switch_goes_on_and_off(lab: StartLab) -> None:
    server = lab()
    switch = server.client.EnumerateInstanceNames("LAB_VirtualSwitch")[0]
    assert request(server, switch, DISABLED)[0] == 0
    found = server.client.GetInstance(switch)
    assert (found["EnabledState"], found["AvailableRequestedStates"]) == (3, [2])
    assert request(server, switch, ENABLED)[0] == 0


def test_a_port_goes_off_and_is_on_again_after_a_restart(lab: StartLab) -> None:
    server = lab(pace=0)
    machine = server.machine("running")

    def port() -> Any:
        found = server.client.Associators(machine, ResultClass="CIM_EthernetPort")
        return found[0]

    assert request(server, port().path, DISABLED)[0] == 0
    assert (port()["EnabledState"], port()["OperationalStatus"]) == (3, [10])
    assert request(server, port().path, QUIESCE)[0] == 5
    request(server, machine, DISABLED)
    request(server, machine, ENABLED)
    assert port()["EnabledState"] == 2


@pytest.mark.parametrize(
    ("cls", "method", "code"),
    [
        ("LAB_VirtualSystem", "NoSuchMethod", pywbem.CIM_ERR_METHOD_NOT_FOUND),
        ("LAB_VirtualSystem", "SetPowerState", pywbem.CIM_ERR_METHOD_NOT_AVAILABLE),
    ],
)
def test_methods_that_are_not_there_say_so(lab: StartLab, cls: str, method: str, code: int) -> None:
    client = lab(1).client
    path = client.EnumerateInstanceNames(cls)[0]
    with pytest.raises(pywbem.CIMError) as error:
        client.InvokeMethod(method, path)
    assert error.value.status_code == code


class MachineLife(RuleBasedStateMachine):
    """Whatever is requested whenever: the machine shows a state of the personality, whole."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.simulation = Simulation(4, clock=self.clock)
        self.personality = load_personality()
        implementation = self.personality.implementation
        self.paths = [
            found.path
            for found in self.simulation.repository.of_class(implementation, "LAB_VirtualSystem")
        ]

    @rule(number=st.integers(0, 3), requested=st.sampled_from([2, 3, 4, 6, 9, 10, 11]))
    def requests(self, number: int, requested: int) -> None:
        path = self.paths[number]
        allowed = self._values(path)["AvailableRequestedStates"]
        parameters = {"RequestedState": requested}
        reply = self.simulation.method(MethodCall("RequestStateChange", path, parameters))
        code = int(b"".join(reply.fragments or ()).strip(b"</VALUE>").strip(b"<VALUE>"))
        assert (code == JOB_STARTED) == (requested in allowed)
        assert code in (JOB_STARTED, INVALID_TRANSITION)

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 400.0]))
    def waits(self, seconds: float) -> None:
        self.clock.now += seconds
        self.simulation.settle()

    @invariant()
    def every_machine_is_in_a_whole_state(self) -> None:
        repository = self.simulation.repository
        for path in self.paths:
            values = self._values(path)
            shown = {k: values.get(k) for k in ("EnabledState", "TransitioningToState",
                     "OperationalStatus", "HealthState", "OperatingStatus")}  # fmt: skip
            matching = [s for s in self.personality.states.values() if s.properties == shown]
            assert matching
            made = repository.linked(path, association="CIM_SystemDevice")
            assert bool(made) == any(s.is_active for s in matching)
            open_jobs = [
                job
                for job in repository.linked(path, association="CIM_AffectedJobElement")
                if job.values["JobState"] == 4
            ]
            assert len(open_jobs) == (values["TransitioningToState"] != 12)

    def _values(self, path: InstancePath) -> Any:
        found = self.simulation.repository.get(path)
        assert found is not None
        return found.values


TestMachineLife = MachineLife.TestCase
TestMachineLife.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
