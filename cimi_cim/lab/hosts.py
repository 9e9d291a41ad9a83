"""The hosts with their pools, and the services that manage all of them (DSP1042, SMI-S)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cimi_cim.lab.allocation import describe_limits
from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.devices import ENABLED, NOT_APPLICABLE
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.interop import SYSTEM_VIRTUALIZATION, Profiles
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.lab.population import BUILT, DAY_S, MachineSpec
from cimi_cim.lab.resources import Kind, Resource
from cimi_cim.wbem.values import CimValue, InstancePath

_GIB = 2**30
# What the services are called in their Name and ElementName, by class.
_SERVICES = {
    "VirtualSystemManagementService": ("management", "Virtual system management"),
    "VirtualSystemSnapshotService": ("snapshots", "Snapshots of virtual systems"),
    "StorageConfigurationService": ("storage", "Storage configuration"),
    "ReplicationService": ("replication", "Replication of volumes"),
}
FULL_SNAPSHOT, DISK_SNAPSHOT = 2, 3


class Hosts:
    """Adds host systems, and what stands on them, to the repository."""

    def __init__(self, platform: Platform, profiles: Profiles) -> None:
        self._platform = platform
        self._builder = platform.builder
        self._profiles = profiles
        self._known: dict[str, Host] = {}
        self.services: Mapping[str, Instance] = {}

    def all(self) -> list[Host]:
        """Return the hosts in the order they came."""
        return list(self._known.values())

    def of_pool(self, pool: InstancePath) -> Host | None:
        """Return the host whose storage pool is at a path, None if it is nobody's."""
        return next((host for host in self.all() if host.pools[Kind.DISK] == pool), None)

    def place(self, wanted: Sequence[Resource]) -> Host | None:
        """Return the host for a new machine: of those whose pools are asked for, the emptiest.

        Emptiest is who has most memory left after room for all there is to place; where
        nobody has room for all, who has most memory. None if no host has the pools.
        """
        asked = [(r.kind, r.pool_id) for r in wanted if r.pool_id is not None]
        fitting = [h for h in self.all() if all(h.pool_ids[kind] == pool for kind, pool in asked)]
        left = self._platform.pools.left

        def rank(host: Host) -> tuple[bool, int]:
            needs = amounts(host, wanted)
            has_room = all(left(pool) >= amount for pool, amount in needs.items())
            return has_room, left(host.pools[Kind.MEMORY])

        return max(fitting, key=rank, default=None)

    def emptiest_store(self) -> Host:
        """Return the host whose storage pool has most left."""
        return max(self.all(), key=lambda host: self._platform.pools.left(host.pools[Kind.DISK]))

    def add(self, number: int, machines: Sequence[MachineSpec]) -> Host:
        """Add one host, big enough for twice the machines it carries.

        The services, which manage all hosts, are on the first one. They are known by
        their class, without the vendor's prefix.
        """
        name = f"host{number + 1:03d}"
        system = self._builder.put("HostSystem", {
            "Name": name, "NameFormat": "Other", "ElementName": name,
            "Caption": "Virtualization host", "Dedicated": (0,), "EnabledState": ENABLED,
            "RequestedState": NOT_APPLICABLE, "OperationalStatus": (2,), "HealthState": 5,
            "InstallDate": cim_datetime(BUILT - 400 * DAY_S),
        })  # fmt: skip
        self._profiles.conforms(SYSTEM_VIRTUALIZATION, system)
        if not self.services:
            self.services = {kind: self._service(system, kind) for kind in _SERVICES}
        pools = self._pools(system, machines)
        self._processors(system)
        host = Host(
            system, {kind: pool.path for kind, pool in pools.items()},
            {kind: str(pool.values["PoolID"]) for kind, pool in pools.items()},
            self._state_changes(system), f"{name}-net0",
        )  # fmt: skip
        self._known[name] = host
        return host

    def _service(self, system: Instance, kind: str) -> Instance:
        short, title = _SERVICES[kind]
        service = self._builder.put(kind, {
            "SystemCreationClassName": system.cls.name, "SystemName": system.values["Name"],
            "Name": short, "ElementName": title,
            "EnabledState": ENABLED, "Started": True, "OperationalStatus": (2,),
        })  # fmt: skip
        link = self._builder.link
        link("HostedService", Antecedent=system, Dependent=service)
        for cls, values in self._capabilities(kind):
            capabilities = self._builder.put(cls, {
                "InstanceID": f"{self._builder.personality.name}:{cls}", "ElementName": title,
                **values,
            })  # fmt: skip
            link("ElementCapabilities", ManagedElement=service, Capabilities=capabilities)
        return service

    def _capabilities(self, kind: str) -> list[tuple[str, Mapping[str, CimValue]]]:
        """The capabilities of a service: what it does, and whether by jobs."""
        if kind == "VirtualSystemManagementService":
            return [("VirtualSystemManagementCapabilities", {
                "VirtualSystemTypesSupported": self._builder.personality.system_types,
                **self._methods((2, 3, 5, 6, 7, 10)),
                "ElementNameEditSupported": True, "MaxElementNameLen": 255,
            })]  # fmt: skip
        if kind == "VirtualSystemSnapshotService":
            types = (FULL_SNAPSHOT, DISK_SNAPSHOT)
            methods = self._methods((2, 3, 4))
            return [
                ("VirtualSystemSnapshotServiceCapabilities", {
                    "SnapshotTypesSupported": types,
                    "SynchronousMethodsSupported": methods["SynchronousMethodsSupported"],
                    "AynchronousMethodsSupported": methods["AsynchronousMethodsSupported"],
                }),
                ("VirtualSystemSnapshotCapabilities", {
                    "SnapshotTypesEnabled": types, "GuestOSNotificationEnabled": False,
                }),
            ]  # fmt: skip
        if kind == "StorageConfigurationService":
            return [("StorageConfigurationCapabilities", {
                "SupportedStorageElementTypes": (2, 5), "SupportedCopyTypes": (4, 5),
                "SupportedAsynchronousActions": (5, 6, 7, 8, 9),
            })]  # fmt: skip
        return [("ReplicationServiceCapabilities", {
            "SupportedReplicationTypes": (7, 11), "SupportedStorageObjects": (2,),
            "SupportedAsynchronousActions": (2, 5),
        })]  # fmt: skip

    def _methods(self, methods: tuple[int, ...]) -> dict[str, CimValue]:
        """Which methods finish before they return, and which leave a job."""
        has_jobs = self._builder.personality.has_jobs
        return {
            "SynchronousMethodsSupported": () if has_jobs else methods,
            "AsynchronousMethodsSupported": methods if has_jobs else (),
        }

    def _state_changes(self, system: Instance) -> Instance:
        """What may be requested of this host's machines, in one state or another."""
        requests = {t.request for t in self._builder.personality.transitions}
        return self._builder.put("SystemCapabilities", {
            "InstanceID": f"{self._builder.personality.name}:machines:{system.values['Name']}",
            "ElementName": "State changes of virtual systems",
            "ElementNameEditSupported": True, "MaxElementNameLen": 255,
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

    def _pools(self, system: Instance, machines: Sequence[MachineSpec]) -> dict[Kind, Instance]:
        """One pool per kind of resource; capacity is at least twice what is reserved."""
        personality = self._builder.personality
        unit_bytes = personality.bytes_per_memory_unit
        memory = sum(m.memory_bytes // unit_bytes for m in machines)
        disks = sum(sum(m.disks_bytes) + (m.volume_bytes or 0) for m in machines)
        capacity = 4096 * _GIB + 2 * disks
        processor = self._pool(system, "ProcessorPool", Kind.PROCESSOR, {
            "Capacity": 128 + 2 * sum(m.cpus for m in machines), "AllocationUnits": "count",
        })  # fmt: skip
        memory_pool = self._pool(system, "MemoryPool", Kind.MEMORY, {
            "Capacity": 64 * _GIB // unit_bytes + 2 * memory,
            "AllocationUnits": personality.memory_unit,
        })  # fmt: skip
        network = self._pool(system, "NetworkPool", Kind.ADAPTER, {
            "Capacity": 4096, "AllocationUnits": "count",
        })  # fmt: skip
        storage = self._pool(system, "StoragePool", Kind.DISK, {
            "Capacity": capacity, "AllocationUnits": "byte",
            "TotalManagedSpace": capacity, "RemainingManagedSpace": capacity,
        })  # fmt: skip
        return {
            Kind.PROCESSOR: processor, Kind.MEMORY: memory_pool, Kind.ADAPTER: network,
            Kind.DISK: storage, Kind.VOLUME: storage,
        }  # fmt: skip

    def _pool(
        self, system: Instance, cls: str, kind: Kind, values: dict[str, CimValue]
    ) -> Instance:
        name = f"{system.values['Name']}-{cls.removesuffix('Pool').lower()}"
        pool = self._builder.put(cls, {
            "InstanceID": f"{self._builder.personality.name}:pool:{name}", "PoolID": name,
            "ElementName": name, "ResourceType": kind.resource_type, "Primordial": False,
            "Reserved": 0, "OperationalStatus": (2,), "HealthState": 5, **values,
        })  # fmt: skip
        self._platform.pools.know(pool)
        link = "HostedStoragePool" if kind is Kind.DISK else "HostedResourcePool"
        self._builder.link(link, GroupComponent=system, PartComponent=pool)
        describe_limits(self._builder, system, pool, kind)
        return pool


def amounts(host: Host, wanted: Iterable[Resource]) -> dict[InstancePath, int]:
    """Return how much resources take from the pools of a host."""
    needs: dict[InstancePath, int] = {}
    for resource in wanted:
        pool = host.pools[resource.kind]
        needs[pool] = needs.get(pool, 0) + resource.amount
    return needs
