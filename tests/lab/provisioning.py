"""The lab as a plain pywbem client provisions on it; nothing here knows the lab's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pywbem
from pywbem import CIMInstance, Uint16, Uint64

from tests.lab.conftest import Lab

DONE, FAILED, INVALID_PARAMETER, INVALID_STATE, INCOMPATIBLE = 0, 2, 4, 5, 6
STARTED = 4096
RUNNING, COMPLETED, TERMINATED, KILLED, EXCEPTION = 4, 7, 8, 9, 10
PROCESSOR, MEMORY, ADAPTER, DISK, VOLUME = 3, 4, 10, 31, 32
LONG_S = 60


def setting(**values: Any) -> Any:
    """Return setting data of a virtual system."""
    return CIMInstance("CIM_VirtualSystemSettingData", properties=values)


def processors(count: int, **more: Any) -> Any:
    """Return a setting that asks for processors."""
    return CIMInstance("CIM_ProcessorAllocationSettingData", properties={
        "ResourceType": Uint16(PROCESSOR), "VirtualQuantity": Uint64(count), **more,
    })  # fmt: skip


def memory(mebibytes: int, **more: Any) -> Any:
    """Return a setting that asks for memory."""
    return CIMInstance("CIM_MemoryAllocationSettingData", properties={
        "ResourceType": Uint16(MEMORY), "VirtualQuantity": Uint64(mebibytes * 1024),
        "VirtualQuantityUnits": "byte*2^10", **more,
    })  # fmt: skip


def disk(size_bytes: int, **more: Any) -> Any:
    """Return a setting that asks for a disk."""
    return CIMInstance("CIM_StorageAllocationSettingData", properties={
        "ResourceType": Uint16(DISK), "VirtualQuantity": Uint64(size_bytes),
        "VirtualQuantityUnits": "byte", **more,
    })  # fmt: skip


def attached(volume: Any, **more: Any) -> Any:
    """Return a setting that asks for a volume."""
    return CIMInstance("CIM_StorageAllocationSettingData", properties={
        "ResourceType": Uint16(VOLUME), "HostResource": [volume.to_wbem_uri()], **more,
    })  # fmt: skip


def adapter(**more: Any) -> Any:
    """Return a setting that asks for a network adapter."""
    return CIMInstance("CIM_EthernetPortAllocationSettingData", properties={
        "ResourceType": Uint16(ADAPTER), **more,
    })  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A lab, and what a client does with it."""

    lab: Lab

    @property
    def client(self) -> Any:
        """The client of the implementation namespace."""
        return self.lab.client

    def service(self, cls: str = "VirtualSystemManagement") -> Any:
        """Return the path of a service."""
        (name,) = self.client.EnumerateInstanceNames(f"CIM_{cls}Service")
        return name

    def call(self, method: str, cls: str = "VirtualSystemManagement", **sent: Any) -> Any:
        """Call a method of a service; return code and output parameters."""
        parameters = [(name, value) for name, value in sent.items() if value is not None]
        return self.client.InvokeMethod(method, self.service(cls), parameters)

    def finish(self, code: int, out: Any) -> Any:
        """Wait for a job, which must complete; return the instances that it made."""
        assert code == STARTED, code
        self.lab.clock.now += LONG_S
        job = self.client.GetInstance(out["Job"])
        assert job["JobState"] == COMPLETED, job["ErrorDescription"]
        links = self.client.References(job.path, ResultClass="CIM_AffectedJobElement")
        return [link["AffectedElement"] for link in links if link["ElementEffects"] == [5]]

    def define(self, name: str, *resources: Any, **more: Any) -> Any:
        """Define a machine and wait for it; return its path."""
        system = setting(**{
            "VirtualSystemIdentifier": name, "ElementName": f"the {name}", **more,
        })  # fmt: skip
        found = self.finish(*self.call(
            "DefineSystem", SystemSettings=system, ResourceSettings=list(resources) or None
        ))  # fmt: skip
        assert len(found) == 1
        return found[0]

    def state_setting(self, system: Any) -> Any:
        """Return the setting data of a system's state."""
        (found,) = self.client.Associators(
            system, AssocClass="CIM_SettingsDefineState", Role="ManagedElement"
        )
        return found

    def resources(self, system: Any, kind: int | None = None) -> list[Any]:
        """Return the setting data of a machine's resources, or of one kind."""
        found = self.client.Associators(
            self.state_setting(system).path, AssocClass="CIM_VirtualSystemSettingDataComponent"
        )
        return [item for item in found if kind in (None, item["ResourceType"])]

    def devices(self, system: Any) -> list[Any]:
        """Return the devices of a system."""
        return list(self.client.Associators(system, AssocClass="CIM_SystemDevice"))

    def request(self, system: Any, state: int) -> None:
        """Change the state of a system, and wait for it."""
        code, out = self.client.InvokeMethod(
            "RequestStateChange", system, [("RequestedState", Uint16(state))]
        )
        if code == STARTED:
            self.finish(code, out)

    def pool(self, kind: str, host: str = "host001") -> Any:
        """Return a pool of a host: `processor`, `memory`, `network`, `storage`."""
        pools = self.client.EnumerateInstances("CIM_ResourcePool")
        return next(pool for pool in pools if pool["PoolID"] == f"{host}-{kind}")

    def reserved(self, host: str = "host001") -> tuple[int, ...]:
        """Return how much is reserved of the pools of a host."""
        kinds = ("processor", "memory", "network", "storage")
        return tuple(int(self.pool(kind, host)["Reserved"]) for kind in kinds)

    def errors(self, job: Any) -> list[Any]:
        """Return the errors of a job."""
        _, out = self.client.InvokeMethod("GetErrors", job)
        return list(out.get("Errors") or [])

    def refused(self, method: str, cls: str = "VirtualSystemManagement", **sent: Any) -> Any:
        """Call a method that must be refused with a CIM error; return the error."""
        try:
            answer = self.call(method, cls, **sent)
        except pywbem.CIMError as error:
            return error
        raise AssertionError(f"{method} was not refused: {answer}")
