"""The devices of active machines (DSP1041): what their settings ask for, while they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cimi_cim.lab.instances import Instance
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.resources import Kind, clock_mhz, number, part_of, resource_of
from cimi_cim.wbem.values import CimValue, InstancePath

ENABLED = 2
NOT_APPLICABLE = 12
ETHERNET = 6  # ProtocolIFType
PAGE_BYTES = 4096


class Devices:
    """Makes and removes the devices of a machine."""

    def __init__(self, platform: Platform) -> None:
        self._builder = platform.builder
        self._repository = platform.repository
        self._makers: dict[Kind, Callable[[Instance, Instance], list[Instance]]] = {
            Kind.PROCESSOR: self._processors, Kind.MEMORY: self._memory,
            Kind.ADAPTER: self._port, Kind.DISK: self._disk, Kind.VOLUME: self._disk,
        }  # fmt: skip

    def of(self, system: InstancePath) -> list[Instance]:
        """Return the devices of a system."""
        return self._repository.linked(
            system, association="CIM_SystemDevice", role="GroupComponent"
        )

    def plug(self, system: Instance, setting: Instance) -> None:
        """Make the devices that the setting of a resource asks for."""
        pools = self._repository.linked(
            setting.path, association="CIM_ResourceAllocationFromPool", role="Dependent"
        )
        link = self._builder.link
        for device in self._makers[resource_of(setting).kind](system, setting):
            link("SystemDevice", GroupComponent=system, PartComponent=device)
            link("SettingsDefineState", ManagedElement=device, SettingData=setting)
            for pool in pools:
                link("ElementAllocatedFromPool", Antecedent=pool, Dependent=device)

    def unplug(self, setting: InstancePath) -> None:
        """Take the devices of a resource away."""
        for device in self._repository.linked(
            setting, association="CIM_SettingsDefineState", role="SettingData"
        ):
            self.remove(device)

    def remove(self, device: Instance) -> None:
        """Take one device away, a port with its endpoint and what that is connected to."""
        for endpoint in self._endpoints(device.path):
            for peer in self._repository.linked(
                endpoint.path, association="CIM_ActiveConnection", role="Antecedent"
            ):
                for port in self._repository.linked(
                    peer.path, association="CIM_PortImplementsEndpoint", role="Dependent"
                ):
                    self._repository.remove(port.path)
                self._repository.remove(peer.path)
            self._repository.remove(endpoint.path)
        self._repository.remove(device.path)

    def _endpoints(self, port: InstancePath) -> list[Instance]:
        return self._repository.linked(
            port, association="CIM_PortImplementsEndpoint", role="Antecedent"
        )

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

    def _processors(self, system: Instance, setting: Instance) -> list[Instance]:
        speed = clock_mhz(setting)
        return [
            self._device("Processor", system, f"processor-{place}", {
                "CurrentClockSpeed": speed, "MaxClockSpeed": speed, "DataWidth": 64,
                "AddressWidth": 64, "NumberOfEnabledCores": 1, "CPUStatus": 1,
            })
            for place in range(number(setting.values, "VirtualQuantity"))
        ]  # fmt: skip

    def _memory(self, system: Instance, setting: Instance) -> list[Instance]:
        quantity = number(setting.values, "VirtualQuantity")
        size_bytes = quantity * self._builder.personality.bytes_per_memory_unit
        return [self._device("Memory", system, part_of(setting), {
            "BlockSize": PAGE_BYTES, "NumberOfBlocks": size_bytes // PAGE_BYTES, "Volatile": True,
        })]  # fmt: skip

    def _disk(self, system: Instance, setting: Instance) -> list[Instance]:
        return [self._device("LogicalDisk", system, part_of(setting), {
            "Name": setting.values["AddressOnParent"], "NameFormat": 12,
            "BlockSize": setting.values["VirtualResourceBlockSize"],
            "NumberOfBlocks": setting.values["VirtualQuantity"], "Primordial": False,
        })]  # fmt: skip

    def _port(self, system: Instance, setting: Instance) -> list[Instance]:
        part = part_of(setting)
        address = str(setting.values["Address"]).replace(":", "").upper()
        port, endpoint = self._connector(system, part, address)
        switch = self._switch_of(setting)
        if switch is not None:
            name = f"{system.values['Name']}/{part}"
            other, peer = self._connector(switch, name, address)
            self._builder.link("SystemDevice", GroupComponent=switch, PartComponent=other)
            self._builder.link("ActiveConnection", Antecedent=endpoint, Dependent=peer)
        return [port]

    def _connector(self, system: Instance, part: str, address: str) -> tuple[Instance, Instance]:
        """Make a port and the LAN endpoint that it implements."""
        port = self._device("EthernetPort", system, part, {
            "PermanentAddress": address, "NetworkAddresses": (address,), "Speed": 10**10,
            "FullDuplex": True, "LinkTechnology": 2, "ActiveMaximumTransmissionUnit": 1500,
            "SupportedMaximumTransmissionUnit": 9000,
        })  # fmt: skip
        endpoint = self._builder.put("LANEndpoint", {
            "SystemCreationClassName": system.cls.name, "SystemName": system.values["Name"],
            "Name": port.values["DeviceID"], "ElementName": part, "EnabledState": ENABLED,
            "ProtocolIFType": ETHERNET, "MACAddress": address,
        })  # fmt: skip
        self._builder.link("HostedAccessPoint", Antecedent=system, Dependent=endpoint)
        self._builder.link("PortImplementsEndpoint", Antecedent=port, Dependent=endpoint)
        return port, endpoint

    def _switch_of(self, setting: Instance) -> Instance | None:
        connection = setting.values.get("Connection")
        if not isinstance(connection, tuple) or not connection:
            return None
        return self._repository.get(self._builder.path("VirtualSwitch", Name=str(connection[0])))
