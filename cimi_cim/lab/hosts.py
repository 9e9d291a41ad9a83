"""The hosts with their pools, services, switches and volumes (DSP1042, DSP1041, SMI-S)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence

from cimi_cim.lab.builder import Builder, cim_datetime
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import (
    ENABLED,
    ETHERNET_ADAPTER,
    LOGICAL_DISK,
    MEMORY,
    NOT_APPLICABLE,
    PROCESSOR,
    STORAGE_VOLUME,
    Host,
)
from cimi_cim.lab.population import BUILT, DAY_S, MachineSpec
from cimi_cim.wbem.values import CimValue

NAA = 9
SWITCHES_PER_HOST = 2
FREE_VOLUMES_PER_HOST = 2
_GIB = 2**30


class Hosts:
    """Adds host systems, and what stands on them, to the repository."""

    def __init__(self, builder: Builder, seed: int) -> None:
        self._builder = builder
        self._seed = seed

    def add(self, number: int, machines: Sequence[MachineSpec]) -> Host:
        """Add one host, big enough for twice the machines it carries."""
        system = self._system(f"host{number + 1:03d}")
        management = self._management(system)
        pools = self._pools(system, machines)
        switches = [self._switch(system, number, port) for port in range(SWITCHES_PER_HOST)]
        self._processors(system)
        return Host(system, pools, management, self._capabilities(system), switches[0])

    def _system(self, name: str) -> Instance:
        return self._builder.put("HostSystem", {
            "Name": name, "NameFormat": "Other", "ElementName": name,
            "Caption": "Virtualization host", "Dedicated": (0,), "EnabledState": ENABLED,
            "RequestedState": NOT_APPLICABLE, "OperationalStatus": (2,), "HealthState": 5,
            "InstallDate": cim_datetime(BUILT - 400 * DAY_S),
        })  # fmt: skip

    def _management(self, system: Instance) -> Instance:
        service = self._builder.put("VirtualSystemManagementService", {
            "SystemCreationClassName": system.cls.name, "SystemName": system.values["Name"],
            "Name": f"management-{system.values['Name']}",
            "ElementName": "Virtual system management",
            "EnabledState": ENABLED, "Started": True, "OperationalStatus": (2,),
        })  # fmt: skip
        capabilities = self._builder.put("VirtualSystemManagementCapabilities", {
            "InstanceID": f"{self._builder.personality.name}:management:{system.values['Name']}",
            "ElementName": "Virtual system management",
            "VirtualSystemTypesSupported": (f"{self._builder.personality.name}-1",),
        })  # fmt: skip
        self._builder.link("HostedService", Antecedent=system, Dependent=service)
        self._builder.link("ElementCapabilities", ManagedElement=service, Capabilities=capabilities)
        return service

    def _capabilities(self, system: Instance) -> Instance:
        """What may be requested of this host's machines, in one state or another."""
        requests = {t.request for t in self._builder.personality.transitions}
        return self._builder.put("SystemCapabilities", {
            "InstanceID": f"{self._builder.personality.name}:machines:{system.values['Name']}",
            "ElementName": "State changes of virtual systems",
            "ElementNameEditSupported": False,
            "RequestedStatesSupported": tuple(sorted(requests)),
        })  # fmt: skip

    def _processors(self, system: Instance) -> None:
        for number in range(2):
            processor = self._builder.put("Processor", {
                "SystemCreationClassName": system.cls.name, "SystemName": system.values["Name"],
                "DeviceID": f"{system.values['Name']}/processor-{number}",
                "ElementName": f"processor-{number}", "EnabledState": ENABLED,
                "CurrentClockSpeed": 2700, "MaxClockSpeed": 3700, "NumberOfEnabledCores": 32,
                "DataWidth": 64, "AddressWidth": 64, "CPUStatus": 1, "OperationalStatus": (2,),
            })  # fmt: skip
            self._builder.link("SystemDevice", GroupComponent=system, PartComponent=processor)

    def _pools(self, system: Instance, machines: Sequence[MachineSpec]) -> dict[int, Instance]:
        """One pool per kind of resource; capacity is at least twice what is reserved."""
        personality = self._builder.personality
        unit_bytes = personality.bytes_per_memory_unit
        memory = sum(m.memory_bytes for m in machines) // unit_bytes
        disks = sum(sum(m.disks_bytes) + (m.volume_bytes or 0) for m in machines)
        processor = self._pool(system, "ProcessorPool", PROCESSOR, {
            "Capacity": 128 + 2 * sum(m.cpus for m in machines),
            "Reserved": sum(m.cpus for m in machines), "AllocationUnits": "count",
        })  # fmt: skip
        memory_pool = self._pool(system, "MemoryPool", MEMORY, {
            "Capacity": 64 * _GIB // unit_bytes + 2 * memory, "Reserved": memory,
            "AllocationUnits": personality.memory_unit,
        })  # fmt: skip
        network = self._pool(system, "NetworkPool", ETHERNET_ADAPTER, {
            "Capacity": 4096, "Reserved": sum(len(m.mac_addresses) for m in machines),
            "AllocationUnits": "count",
        })  # fmt: skip
        capacity = 4096 * _GIB + 2 * disks
        storage = self._pool(system, "StoragePool", LOGICAL_DISK, {
            "Capacity": capacity, "Reserved": disks, "AllocationUnits": "byte",
            "TotalManagedSpace": capacity, "RemainingManagedSpace": capacity - disks,
        })  # fmt: skip
        return {
            PROCESSOR: processor, MEMORY: memory_pool, ETHERNET_ADAPTER: network,
            LOGICAL_DISK: storage, STORAGE_VOLUME: storage,
        }  # fmt: skip

    def _pool(
        self, system: Instance, kind: str, resource_type: int, values: dict[str, CimValue]
    ) -> Instance:
        name = f"{system.values['Name']}-{kind.removesuffix('Pool').lower()}"
        pool = self._builder.put(kind, {
            "InstanceID": f"{self._builder.personality.name}:pool:{name}", "PoolID": name,
            "ElementName": name, "ResourceType": resource_type, "Primordial": False,
            "OperationalStatus": (2,), "HealthState": 5, **values,
        })  # fmt: skip
        link = "HostedStoragePool" if kind == "StoragePool" else "HostedResourcePool"
        self._builder.link(link, GroupComponent=system, PartComponent=pool)
        return pool

    def _switch(self, system: Instance, host: int, port: int) -> Instance:
        rng = random.Random(f"{self._seed}/switch/{host}/{port}")  # noqa: S311
        name = f"{system.values['Name']}-net{port}"
        switch = self._builder.put("VirtualSwitch", {
            "Name": name, "NameFormat": "Other", "ElementName": name,
            "Caption": "Virtual switch", "Dedicated": (38,),
            "OtherIdentifyingInfo": (str(uuid.UUID(int=rng.getrandbits(128), version=4)),),
            "IdentifyingDescriptions": ("UUID",),
            "EnabledState": ENABLED, "RequestedState": NOT_APPLICABLE,
            "TransitioningToState": NOT_APPLICABLE, "AvailableRequestedStates": (3,),
            "OperationalStatus": (2,), "HealthState": 5,
            "InstallDate": cim_datetime(BUILT - 400 * DAY_S),
        })  # fmt: skip
        setting = self._builder.put("VirtualSwitchSettingData", {
            "InstanceID": f"{self._builder.personality.name}:{name}", "ElementName": name,
            "VirtualSystemIdentifier": name, "EVBMode": 2, "MaxNumMACAddress": 1024,
            "VLANConnection": (f"{port + 1}",),
        })  # fmt: skip
        link = self._builder.link
        link("SettingsDefineState", ManagedElement=switch, SettingData=setting)
        link("ElementSettingData", ManagedElement=switch, SettingData=setting)
        link("HostedDependency", Antecedent=system, Dependent=switch)
        return switch

    def volume(self, host: Host, name: str, size_bytes: int) -> Instance:
        """Add one storage volume, allocated from the host's storage pool."""
        rng = random.Random(f"{self._seed}/volume/{name}")  # noqa: S311
        volume = self._builder.put("StorageVolume", {
            "SystemCreationClassName": host.system.cls.name,
            "SystemName": host.system.values["Name"], "DeviceID": name, "ElementName": name,
            "Name": f"6{rng.getrandbits(124):031x}", "NameFormat": NAA, "NameNamespace": 2,
            "BlockSize": 512, "NumberOfBlocks": size_bytes // 512,
            "ConsumableBlocks": size_bytes // 512, "ExtentStatus": (2,), "Usage": 2,
            "OperationalStatus": (2,), "HealthState": 5, "EnabledState": ENABLED,
            "Primordial": False, "ThinlyProvisioned": False, "CanDelete": True,
            "InstallDate": cim_datetime(BUILT - 30 * DAY_S),
        })  # fmt: skip
        pool = host.pools[STORAGE_VOLUME]
        self._builder.link("AllocatedFromStoragePool", Antecedent=pool, Dependent=volume)
        self._builder.link("SystemDevice", GroupComponent=host.system, PartComponent=volume)
        return volume

    def replica(self, host: Host, source: Instance, name: str) -> Instance:
        """Add a point-in-time copy of a volume, finished (SMI-S replication)."""
        blocks = source.values["NumberOfBlocks"]
        replica = self.volume(host, name, blocks * 512 if isinstance(blocks, int) else 0)
        self._builder.repository.put(replica.changed({"Usage": 8}))
        self._builder.link(
            "StorageSynchronized",
            properties={"SyncType": 7, "CopyState": 4, "ProgressStatus": 2},
            SystemElement=source,
            SyncedElement=replica,
        )
        return replica


def free_volumes(hosts: Hosts, on: Iterable[Host]) -> None:
    """Add volumes nobody uses, and a copy of the first of each host."""
    for number, host in enumerate(on):
        made = [
            hosts.volume(host, f"vol-{number + 1:03d}-{index}", (20 + 10 * index) * 10**9)
            for index in range(FREE_VOLUMES_PER_HOST)
        ]
        hosts.replica(host, made[0], f"vol-{number + 1:03d}-copy")
