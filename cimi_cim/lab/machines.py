"""Virtual systems as the DMTF profiles see them: settings, devices, associations.

DSP1057 (Virtual System) in its single-configuration form: the setting data of the state
is that of the definition too. Devices exist while the system is active; their settings
always do (DSP1041).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.configurations import Configurations
from cimi_cim.lab.devices import ENABLED, NOT_APPLICABLE, Devices
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.interop import VIRTUAL_SYSTEM, Profiles
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.lab.resources import BLOCK_BYTES, Parts, Resource, part_of, resource_of
from cimi_cim.wbem.values import CimValue, InstancePath

IS_DEFAULT = IS_CURRENT = IS_NEXT = 1  # CIM_ElementSettingData
_SERVING = ("VirtualSystemManagementService", "VirtualSystemSnapshotService")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a machine is made from; `values` are further ones of its setting data."""

    name: str
    title: str
    uuid: str
    created: float
    state: str
    resources: tuple[Resource, ...]
    values: Mapping[str, CimValue] = field(default_factory=dict)


@dataclass(slots=True)
class Machine:
    """What the platform knows of a machine apart from its instances."""

    name: str
    title: str
    path: InstancePath
    setting: InstancePath
    host: Host
    state: str
    parts: Parts = field(default_factory=Parts)


class Machines:
    """The virtual systems: adds and removes them, with everything that belongs to them."""

    def __init__(
        self, platform: Platform, configurations: Configurations, devices: Devices,
        profiles: Profiles, services: Callable[[], Mapping[str, Instance]],
    ) -> None:  # fmt: skip
        self._builder = platform.builder
        self._repository = platform.repository
        self._names = platform.names
        self._configurations = configurations
        self._devices = devices
        self._profiles = profiles
        self._services = services
        self._known: dict[str, Machine] = {}
        self._by_setting: dict[str, Machine] = {}

    def at(self, path: InstancePath) -> Machine | None:
        """Return the machine whose computer system is at a path."""
        return self._known.get(path.canonical)

    def named(self, name: str) -> Machine | None:
        """Return a machine by name."""
        return self.at(self._builder.path("VirtualSystem", Name=name))

    def of_setting(self, path: InstancePath) -> Machine | None:
        """Return the machine whose setting data is at a path."""
        return self._by_setting.get(path.canonical)

    def resources(self, machine: Machine) -> list[Instance]:
        """Return the setting data of a machine's resources."""
        return self._configurations.resources(machine.setting)

    def add(self, blueprint: Blueprint, host: Host) -> Machine:
        """Add a machine. Raises `Refusal` if another system has its name."""
        self._names.take("identifier", blueprint.name)
        self._names.take("name", blueprint.title)
        system = self._system(blueprint)
        setting = self._setting(blueprint)
        machine = Machine(
            blueprint.name, blueprint.title, system.path, setting.path, host, blueprint.state
        )
        self._known[system.path.canonical] = machine
        self._by_setting[setting.path.canonical] = machine
        link = self._builder.link
        link("SettingsDefineState", ManagedElement=system, SettingData=setting)
        link(
            "ElementSettingData", "",
            {"IsDefault": IS_DEFAULT, "IsCurrent": IS_CURRENT, "IsNext": IS_NEXT},
            ManagedElement=system, SettingData=setting,
        )  # fmt: skip
        link("HostedDependency", Antecedent=host.system, Dependent=system)
        link("ElementCapabilities", ManagedElement=system, Capabilities=host.capabilities)
        for service in _SERVING:
            link(
                "ServiceAffectsElement",
                AffectedElement=system, AffectingElement=self._services()[service],
            )  # fmt: skip
        self._profiles.conforms(VIRTUAL_SYSTEM, system)
        for resource in blueprint.resources:
            self._put(machine, setting, resource)
        if self._is_active(machine):
            self.activate(machine)
        return machine

    def _put(self, machine: Machine, setting: Instance, resource: Resource) -> Instance:
        machine.parts.know(resource.kind, resource.part)
        return self._configurations.put_resource(setting, resource, machine.host.pools)

    def remove(self, machine: Machine) -> None:
        """Take a machine away, with its setting data and devices."""
        self.deactivate(machine)
        self._configurations.remove(machine.setting)
        self._repository.remove(machine.path)
        del self._known[machine.path.canonical]
        del self._by_setting[machine.setting.canonical]
        self._names.give_back("name", machine.title)
        self._names.give_back("identifier", machine.name)

    def change(self, machine: Machine, values: Mapping[str, CimValue]) -> Instance:
        """Give a machine's setting data other values; its computer system follows."""
        setting = self._the(machine.setting).changed(values)
        self._repository.put(setting)
        title = str(setting.values["ElementName"])
        if title != machine.title:
            self._names.take("name", title)
            self._names.give_back("name", machine.title)
            machine.title = title
            self._repository.put(self._the(machine.path).changed({"ElementName": title}))
        return setting

    def add_resource(self, machine: Machine, resource: Resource) -> Instance:
        """Add a resource; an active machine gets the device at once."""
        made = self._put(machine, self._the(machine.setting), resource)
        if self._is_active(machine):
            self._devices.plug(self._the(machine.path), made)
        return made

    def replace_resource(self, machine: Machine, setting: Instance, resource: Resource) -> Instance:
        """Give a resource other values; the devices of an active machine follow."""
        changed = self._configurations.replace_resource(setting, resource)
        if self._is_active(machine):
            self._devices.unplug(setting.path)
            self._devices.plug(self._the(machine.path), changed)
        return changed

    def follow_volume(self, machine: Machine, volume: InstancePath, size_bytes: int) -> None:
        """Let a machine see the new size of a volume that it uses."""
        for setting in self.resources(machine):
            resource = resource_of(setting)
            if resource.volume == volume:
                changed = resource.changed({"VirtualQuantity": size_bytes // BLOCK_BYTES})
                self.replace_resource(machine, setting, changed)

    def remove_resource(self, setting: Instance) -> None:
        """Take a resource away, with its devices."""
        self._devices.unplug(setting.path)
        self._configurations.remove_resource(setting)

    def reconfigure(
        self, machine: Machine, values: Mapping[str, CimValue], resources: Iterable[Resource]
    ) -> None:
        """Give a machine another configuration as a whole, and no devices."""
        self.deactivate(machine)
        setting = self.change(machine, values)
        wanted = {resource.part: resource for resource in resources}
        for found in self.resources(machine):
            resource = wanted.pop(part_of(found), None)
            if resource is not None and resource.kind is resource_of(found).kind:
                self._configurations.replace_resource(found, resource)
                continue
            self._configurations.remove_resource(found)
            if resource is not None:
                self._put(machine, setting, resource)
        for resource in wanted.values():
            self._put(machine, setting, resource)

    def activate(self, machine: Machine) -> None:
        """Make the devices that the settings of a machine ask for, unless they are there."""
        if self._devices.of(machine.path):
            return
        system = self._the(machine.path)
        for setting in self.resources(machine):
            self._devices.plug(system, setting)

    def deactivate(self, machine: Machine) -> None:
        """Take the devices of a machine away."""
        for device in self._devices.of(machine.path):
            self._devices.remove(device)

    def _is_active(self, machine: Machine) -> bool:
        return self._builder.personality.states[machine.state].is_active

    def _the(self, path: InstancePath) -> Instance:
        found = self._repository.get(path)
        if found is None:
            raise LookupError(f"{path.canonical} is gone")
        return found

    def _system(self, blueprint: Blueprint) -> Instance:
        personality = self._builder.personality
        created = cim_datetime(blueprint.created)
        return self._builder.put("VirtualSystem", {
            "Name": blueprint.name, "NameFormat": "Other", "ElementName": blueprint.title,
            "Caption": "Virtual system",
            "Description": blueprint.values.get(
                "Description", f"{blueprint.title}, a machine of the lab"
            ),
            "OtherIdentifyingInfo": (blueprint.uuid,), "IdentifyingDescriptions": ("UUID",),
            "Dedicated": (0,), "EnabledDefault": ENABLED, "RequestedState": NOT_APPLICABLE,
            "AvailableRequestedStates": personality.allowed(blueprint.state),
            "InstallDate": created, "TimeOfLastStateChange": created,
            **personality.states[blueprint.state].properties,
        })  # fmt: skip

    def _setting(self, blueprint: Blueprint) -> Instance:
        personality = self._builder.personality
        return self._configurations.put_system(f"{personality.name}:{blueprint.name}", {
            "VirtualSystemType": f"{personality.name}-1",
            "AutomaticStartupAction": 2, "AutomaticShutdownAction": 4,
            "AutomaticRecoveryAction": 2, **blueprint.values,
            "ElementName": blueprint.title, "VirtualSystemIdentifier": blueprint.name,
            "CreationTime": cim_datetime(blueprint.created), "ConfigurationID": blueprint.uuid,
        })  # fmt: skip
