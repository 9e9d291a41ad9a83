"""A virtual system as the DMTF profiles see it: its settings, its devices, their associations.

DSP1057 (Virtual System) in its single-configuration form: the setting data of the state
is that of the definition too. Devices exist while the system is active; their settings
always do (DSP1041).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import Builder, cim_datetime
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.population import MachineSpec
from cimi_cim.wbem.values import CimValue

NOT_APPLICABLE = 12
BLOCK_BYTES = 512
ENABLED = 2
PROCESSOR, MEMORY, ETHERNET_ADAPTER, LOGICAL_DISK, STORAGE_VOLUME = 3, 4, 10, 31, 32


@dataclass(frozen=True, slots=True)
class Host:
    """A host system with what its machines are allocated from."""

    system: Instance
    pools: Mapping[int, Instance]
    management: Instance
    capabilities: Instance
    switch: Instance


class Machines:
    """Adds virtual systems to the repository, and makes and removes their devices."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def add(self, spec: MachineSpec, host: Host, volume: Instance | None) -> Instance:
        """Add one machine with everything that belongs to it; return its computer system."""
        system = self._system(spec)
        setting = self._setting(spec)
        link = self._builder.link
        link("SettingsDefineState", ManagedElement=system, SettingData=setting)
        link("ElementSettingData", ManagedElement=system, SettingData=setting)
        link("HostedDependency", Antecedent=host.system, Dependent=system)
        link("ElementCapabilities", ManagedElement=system, Capabilities=host.capabilities)
        link("ServiceAffectsElement", AffectedElement=system, AffectingElement=host.management)
        for resource in self._resources(spec, host, volume):
            link(
                "VirtualSystemSettingDataComponent", GroupComponent=setting, PartComponent=resource
            )
            pool = host.pools.get(_number(resource, "ResourceType"))
            if pool is not None:
                link("ResourceAllocationFromPool", Antecedent=pool, Dependent=resource)
        if self._builder.personality.states[spec.state].is_active:
            self.activate(system, spec.clock_mhz)
        return system

    def _system(self, spec: MachineSpec) -> Instance:
        personality = self._builder.personality
        created = cim_datetime(spec.created)
        return self._builder.put(
            "VirtualSystem",
            {
                "Name": spec.name,
                "NameFormat": "Other",
                "ElementName": spec.title,
                "Caption": "Virtual system",
                "Description": f"{spec.title}, a machine of the lab",
                "OtherIdentifyingInfo": (spec.uuid,),
                "IdentifyingDescriptions": ("UUID",),
                "Dedicated": (0,),
                "EnabledDefault": ENABLED,
                "RequestedState": NOT_APPLICABLE,
                "AvailableRequestedStates": personality.allowed(spec.state),
                "InstallDate": created,
                "TimeOfLastStateChange": created,
                **personality.states[spec.state].properties,
            },
        )

    def _setting(self, spec: MachineSpec) -> Instance:
        return self._builder.put(
            "VirtualSystemSettingData",
            {
                "InstanceID": self._setting_id(spec.name),
                "ElementName": spec.title,
                "VirtualSystemIdentifier": spec.name,
                "VirtualSystemType": f"{self._builder.personality.name}-1",
                "CreationTime": cim_datetime(spec.created),
                "ConfigurationID": spec.uuid,
                "AutomaticStartupAction": 2,
                "AutomaticShutdownAction": 4,
                "AutomaticRecoveryAction": 2,
            },
        )

    def _setting_id(self, machine: str) -> str:
        return f"{self._builder.personality.name}:{machine}"

    def _resources(self, spec: MachineSpec, host: Host, volume: Instance | None) -> list[Instance]:
        """The settings of processors, memory, disks and network adapters."""
        unit = self._builder.personality.memory_unit
        memory = spec.memory_bytes // self._builder.personality.bytes_per_memory_unit
        found = [
            self._resource("Processor", spec, "processor", host, PROCESSOR, {
                "InstructionSet": "DMTF:x86:64", "ProcessorArchitecture": "DMTF:x86",
                "AllocationUnits": f"hertz*10^6*{spec.clock_mhz}",
                "VirtualQuantity": spec.cpus, "VirtualQuantityUnits": "count",
                "Reservation": 0, "Limit": spec.cpus, "Weight": 100,
            }),
            self._resource("Memory", spec, "memory", host, MEMORY, {
                "AllocationUnits": unit, "VirtualQuantity": memory, "VirtualQuantityUnits": unit,
                "Reservation": memory, "Limit": memory, "Weight": 100,
            }),
        ]  # fmt: skip
        for number, size_bytes in enumerate(spec.disks_bytes):
            found.append(
                self._disk(spec, f"disk-{number}", host, LOGICAL_DISK, size_bytes, number, None)
            )
        if volume is not None and spec.volume_bytes is not None:
            number = len(spec.disks_bytes)
            found.append(
                self._disk(
                    spec, f"disk-{number}", host, STORAGE_VOLUME, spec.volume_bytes, number, volume
                )
            )
        for number, address in enumerate(spec.mac_addresses):
            found.append(
                self._resource("NetworkAdapter", spec, f"nic-{number}", host, ETHERNET_ADAPTER, {
                    "Address": address, "AddressOnParent": str(number),
                    "VirtualQuantity": 1, "VirtualQuantityUnits": "count",
                    "Connection": (str(host.switch.values["Name"]),),
                    "DesiredVLANEndpointMode": 2, "PortVID": 1 + number,
                })
            )  # fmt: skip
        return found

    def _disk(
        self, spec: MachineSpec, part: str, host: Host, kind: int, size_bytes: int, number: int,
        volume: Instance | None,
    ) -> Instance:  # fmt: skip
        return self._resource("Storage", spec, part, host, kind, {
            "AllocationUnits": "byte", "VirtualQuantity": size_bytes // BLOCK_BYTES,
            "VirtualQuantityUnits": "count", "VirtualResourceBlockSize": BLOCK_BYTES,
            "AddressOnParent": f"/dev/vd{chr(ord('a') + number)}", "Access": 3,
            "HostResource": None if volume is None else (wbem_uri(volume),),
            "HostExtentName": None if volume is None else volume.values["Name"],
        })  # fmt: skip

    def _resource(
        self, kind: str, spec: MachineSpec, part: str, host: Host, resource_type: int,
        values: Mapping[str, CimValue],
    ) -> Instance:  # fmt: skip
        pool = host.pools.get(resource_type)
        return self._builder.put(f"{kind}SettingData", {
            "InstanceID": f"{self._setting_id(spec.name)}/{part}", "ElementName": part,
            "ResourceType": resource_type, "ConsumerVisibility": 3,
            "AutomaticAllocation": True, "AutomaticDeallocation": True,
            "PoolID": None if pool is None else pool.values["PoolID"],
            **values,
        })  # fmt: skip

    def activate(self, system: Instance, clock_mhz: int = 2400) -> None:
        """Make the devices that the settings of a machine ask for, unless they are there."""
        if self._devices(system):
            return
        for resource in self._settings(system):
            kind = _number(resource, "ResourceType")
            part = str(resource.values["ElementName"])
            if kind == PROCESSOR:
                count = _number(resource, "VirtualQuantity")
                devices = [
                    self._device("Processor", system, f"processor-{n}", _processor(clock_mhz))
                    for n in range(count)
                ]
            elif kind == MEMORY:
                devices = [self._device("Memory", system, part, self._memory(resource))]
            elif kind == ETHERNET_ADAPTER:
                devices = [self._port(system, part, resource)]
            else:
                devices = [self._device("LogicalDisk", system, part, _logical_disk(resource))]
            for device in devices:
                self._attach(system, device, resource)

    def deactivate(self, system: Instance) -> None:
        """Take the devices of a machine away."""
        repository = self._builder.repository
        for device in self._devices(system):
            for endpoint in repository.linked(
                device.path, association="CIM_PortImplementsEndpoint", role="Antecedent"
            ):
                repository.remove(endpoint.path)
            repository.remove(device.path)

    def _devices(self, system: Instance) -> list[Instance]:
        return self._builder.repository.linked(
            system.path, association="CIM_SystemDevice", role="GroupComponent"
        )

    def _settings(self, system: Instance) -> list[Instance]:
        repository = self._builder.repository
        return [
            resource
            for setting in repository.linked(
                system.path, association="CIM_SettingsDefineState", role="ManagedElement"
            )
            for resource in repository.linked(
                setting.path,
                association="CIM_VirtualSystemSettingDataComponent",
                role="GroupComponent",
            )
        ]

    def _attach(self, system: Instance, device: Instance, resource: Instance) -> None:
        link = self._builder.link
        link("SystemDevice", GroupComponent=system, PartComponent=device)
        link("SettingsDefineState", ManagedElement=device, SettingData=resource)
        for pool in self._builder.repository.linked(
            resource.path, association="CIM_ResourceAllocationFromPool", role="Dependent"
        ):
            link("ElementAllocatedFromPool", Antecedent=pool, Dependent=device)

    def _device(
        self, kind: str, system: Instance, part: str, values: Mapping[str, CimValue]
    ) -> Instance:
        name = str(system.values["Name"])
        return self._builder.put(kind, {
            "SystemCreationClassName": system.cls.name, "SystemName": name,
            "DeviceID": f"{name}/{part}", "ElementName": part, "EnabledState": ENABLED,
            "RequestedState": NOT_APPLICABLE, "OperationalStatus": (2,), "HealthState": 5,
            **values,
        })  # fmt: skip

    def _memory(self, resource: Instance) -> Mapping[str, CimValue]:
        size_bytes = (
            _number(resource, "VirtualQuantity") * self._builder.personality.bytes_per_memory_unit
        )
        return {"BlockSize": 4096, "NumberOfBlocks": size_bytes // 4096, "Volatile": True}

    def _port(self, system: Instance, part: str, resource: Instance) -> Instance:
        address = str(resource.values["Address"]).replace(":", "").upper()
        port = self._device("EthernetPort", system, part, {
            "PermanentAddress": address, "NetworkAddresses": (address,), "Speed": 10**10,
            "FullDuplex": True, "LinkTechnology": 2, "ActiveMaximumTransmissionUnit": 1500,
            "SupportedMaximumTransmissionUnit": 9000,
        })  # fmt: skip
        endpoint = self._builder.put("LANEndpoint", {
            "SystemCreationClassName": system.cls.name,
            "SystemName": str(system.values["Name"]), "Name": f"{port.values['DeviceID']}",
            "ElementName": part, "EnabledState": ENABLED, "ProtocolIFType": 6,
            "MACAddress": address,
        })  # fmt: skip
        self._builder.link("HostedAccessPoint", Antecedent=system, Dependent=endpoint)
        self._builder.link("PortImplementsEndpoint", Antecedent=port, Dependent=endpoint)
        return port


def _processor(clock_mhz: int) -> Mapping[str, CimValue]:
    return {
        "CurrentClockSpeed": clock_mhz, "MaxClockSpeed": clock_mhz, "DataWidth": 64,
        "AddressWidth": 64, "NumberOfEnabledCores": 1, "CPUStatus": 1,
    }  # fmt: skip


def _logical_disk(resource: Instance) -> Mapping[str, CimValue]:
    return {
        "Name": resource.values["AddressOnParent"], "NameFormat": 12,
        "BlockSize": resource.values["VirtualResourceBlockSize"],
        "NumberOfBlocks": resource.values["VirtualQuantity"], "Primordial": False,
    }  # fmt: skip


def _number(instance: Instance, name: str) -> int:
    value = instance.values.get(name)
    return value if isinstance(value, int) else 0


def wbem_uri(instance: Instance) -> str:
    """Return the untyped WBEM URI of an instance, without a host (DSP0207)."""
    keys = ",".join(f'{name}="{value}"' for name, value in instance.path.keys)
    return f"/{instance.namespace}:{instance.cls.name}.{keys}"
