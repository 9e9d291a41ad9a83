"""The simulated virtualization platform behind our CIM-XML front."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pywbem import (
    CIM_ERR_INVALID_NAMESPACE,
    CIM_ERR_INVALID_PARAMETER,
    CIM_ERR_METHOD_NOT_AVAILABLE,
    CIM_ERR_METHOD_NOT_FOUND,
    CIM_ERR_NOT_FOUND,
)

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.builder import Builder
from cimi_cim.lab.hosts import Hosts, free_volumes
from cimi_cim.lab.instance_xml import parameter_xml
from cimi_cim.lab.instances import ClassTable, Instance
from cimi_cim.lab.interop import describe_server
from cimi_cim.lab.jobs import Jobs
from cimi_cim.lab.machines import Machines
from cimi_cim.lab.operations import Operations
from cimi_cim.lab.personality import Personality, load_personality
from cimi_cim.lab.population import MachineSpec, host_count, machine_specs
from cimi_cim.lab.repository import Repository
from cimi_cim.lab.state_changes import Result, StateChanges
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.render import load_class_elements
from cimi_cim.wbem.values import CimValue


class Simulation:
    """Implements `Backend`: hosts, machines, volumes and networks that only exist here.

    Args:
        machines: How many; 0 to 10,000.
        seed: The same seed gives the same inventory.
        pace: What the duration of every state change is multiplied by; 0 makes all
            changes happen at once, without jobs.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        machines: int = 20,
        *,
        seed: int = 1,
        pace: float = 1.0,
        personality: Personality | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.personality = personality or load_personality()
        schema = load_schema(self.personality.mof_folders)
        self.repository = Repository(ClassTable(schema))
        self._builder = Builder(self.repository, self.personality)
        self._machines = Machines(self._builder)
        self._jobs = Jobs(self._builder)
        self._changes = StateChanges(self._builder, self._machines, self._jobs, clock, pace)
        with _uncollected():
            self._populate(machines, seed)
        self._operations = Operations(
            self.repository,
            load_class_elements(self.personality.mof_folders),
            (self.personality.implementation, self.personality.interop),
            self.personality.host,
            clock,
        )

    def _populate(self, count: int, seed: int) -> None:
        """Fill the repository: hosts first, then what they carry."""
        hosts_of = Hosts(self._builder, seed)
        specs = machine_specs(count, seed, self.personality)
        carried: list[list[MachineSpec]] = [[] for _ in range(host_count(count))]
        for spec in specs:
            carried[spec.host].append(spec)
        hosts = [hosts_of.add(number, machines) for number, machines in enumerate(carried)]
        systems = []
        for spec in specs:
            host = hosts[spec.host]
            volume = None
            if spec.volume_bytes is not None:
                volume = hosts_of.volume(host, f"{spec.name}-data", spec.volume_bytes)
            system = self._machines.add(spec, host, volume)
            self._changes.know(system, spec.state)
            systems.append(system)
        free_volumes(hosts_of, hosts)
        switches = self.repository.of_class(
            self.personality.implementation, self._builder.cls("VirtualSwitch").name
        )
        describe_server(self._builder, [host.system for host in hosts], systems, switches)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""
        with self.repository.lock:
            self._changes.settle()
        return self._operations.answer(call)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call on an instance."""
        namespaces = (self.personality.implementation, self.personality.interop)
        if call.path.namespace.lower() not in (name.lower() for name in namespaces):
            raise CimError(CIM_ERR_INVALID_NAMESPACE, f"no namespace {call.path.namespace}")
        with self.repository.lock:
            self._changes.settle()
            found = self.repository.get(call.path)
            if found is None:
                raise CimError(CIM_ERR_NOT_FOUND, f"no instance {call.path.canonical}")
            return self._call(found, call)

    def _call(self, found: Instance, call: MethodCall) -> Reply:
        declared = self.repository.classes.schema.method(found.cls.name, call.method)
        if declared is None:
            raise CimError(CIM_ERR_METHOD_NOT_FOUND, f"{found.cls.name} has no {call.method}")
        parameters: dict[str, CimValue] = {}
        for name, value in call.parameters.items():
            parameter = declared.parameter(name)
            if parameter is None or not parameter.is_in:
                raise CimError(CIM_ERR_INVALID_PARAMETER, f"{declared.name} takes no {name}")
            parameters[parameter.name] = value
        handler = self._handler(found, declared.name)
        if handler is None:
            raise CimError(
                CIM_ERR_METHOD_NOT_AVAILABLE, f"{found.cls.name} does not implement {declared.name}"
            )
        return _reply(handler(found, parameters))

    def _handler(
        self, found: Instance, method: str
    ) -> Callable[[Instance, dict[str, CimValue]], Result] | None:
        if method != "RequestStateChange":
            return None
        handlers = {
            "VirtualSystem": self._changes.request,
            "VirtualSwitch": self._changes.request_of_switch,
            "ConcreteJob": self._changes.request_of_job,
        }
        return handlers.get(found.cls.name.removeprefix(self.personality.prefix))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Half a million objects that all stay: looking for garbage takes as long as making them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _reply(result: Result) -> Reply:
    out = () if result.job is None else (parameter_xml("Job", "reference", result.job),)
    return Reply([f"<VALUE>{result.return_code}</VALUE>".encode()], out)
