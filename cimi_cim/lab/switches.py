"""Virtual switches (DSP1097): computer systems whose state is described as a switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.devices import ENABLED, NOT_APPLICABLE
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.interop import VIRTUAL_SWITCH, Profiles
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.wbem.values import CimValue, InstancePath

DISABLED = 3
ETHERNET_SWITCH = 38  # Dedicated
VEB = 2  # EVBMode


@dataclass(slots=True)
class Switch:
    """What the platform knows of a switch apart from its instances."""

    name: str
    title: str
    path: InstancePath
    setting: InstancePath
    host: Host


class Switches:
    """The virtual switches, and how many network adapters are connected to each."""

    def __init__(
        self, platform: Platform, profiles: Profiles, services: Callable[[], Mapping[str, Instance]]
    ) -> None:
        self._platform = platform
        self._builder = platform.builder
        self._repository = platform.repository
        self._names = platform.names
        self._profiles = profiles
        self._services = services
        self._by_name: dict[str, Switch] = {}
        self._by_setting: dict[str, Switch] = {}
        self._connected: dict[str, int] = {}

    def named(self, name: str) -> Switch | None:
        """Return a switch by name."""
        return self._by_name.get(name)

    def at(self, path: InstancePath) -> Switch | None:
        """Return the switch whose computer system is at a path."""
        found = self._by_name.get(str(path.key("Name")))
        return found if found is not None and found.path == path else None

    def of_setting(self, path: InstancePath) -> Switch | None:
        """Return the switch whose setting data is at a path."""
        return self._by_setting.get(path.canonical)

    def connected(self, name: str) -> int:
        """Return how many network adapters are connected to a switch."""
        return self._connected.get(name, 0)

    def connect(self, name: str, count: int) -> None:
        """Count adapters that come, or go (negative)."""
        self._connected[name] = self.connected(name) + count

    def add(
        self, host: Host, name: str, title: str, uuid: str, created: float,
        values: Mapping[str, CimValue], *, is_enabled: bool,
    ) -> Switch:  # fmt: skip
        """Add a switch. Raises `Refusal` if another system has its name."""
        self._names.take("identifier", name)
        self._names.take("name", title)
        state = ENABLED if is_enabled else DISABLED
        system = self._builder.put("VirtualSwitch", {
            "Name": name, "NameFormat": "Other", "ElementName": title,
            "Caption": "Virtual switch", "Dedicated": (ETHERNET_SWITCH,),
            "Description": values.get("Description"),
            "OtherIdentifyingInfo": (uuid,), "IdentifyingDescriptions": ("UUID",),
            "EnabledState": state, "RequestedState": NOT_APPLICABLE,
            "TransitioningToState": NOT_APPLICABLE,
            "AvailableRequestedStates": (DISABLED if is_enabled else ENABLED,),
            "OperationalStatus": (2,), "HealthState": 5, "InstallDate": cim_datetime(created),
        })  # fmt: skip
        setting = self._builder.put("VirtualSwitchSettingData", {
            "EVBMode": VEB, "MaxNumMACAddress": 1024, "VLANConnection": ("1",), **values,
            "InstanceID": f"{self._builder.personality.name}:{name}", "ElementName": title,
            "VirtualSystemIdentifier": name, "CreationTime": cim_datetime(created),
            "ConfigurationID": uuid,
            "VirtualSystemType": self._builder.personality.system_types[0],
        })  # fmt: skip
        link = self._builder.link
        link("SettingsDefineState", ManagedElement=system, SettingData=setting)
        link("ElementSettingData", ManagedElement=system, SettingData=setting)
        link("HostedDependency", Antecedent=host.system, Dependent=system)
        management = self._services()["VirtualSystemManagementService"]
        link("ServiceAffectsElement", AffectedElement=system, AffectingElement=management)
        self._profiles.conforms(VIRTUAL_SWITCH, system)
        switch = Switch(name, title, system.path, setting.path, host)
        self._by_name[name] = switch
        self._by_setting[setting.path.canonical] = switch
        return switch

    def remove(self, switch: Switch) -> None:
        """Take a switch away."""
        self._repository.remove(switch.setting)
        self._repository.remove(switch.path)
        del self._by_name[switch.name]
        del self._by_setting[switch.setting.canonical]
        self._names.give_back("name", switch.title)
        self._names.give_back("identifier", switch.name)

    def change(self, switch: Switch, values: Mapping[str, CimValue]) -> Instance | None:
        """Give a switch's setting data other values; its computer system follows."""
        setting, system = self._repository.get(switch.setting), self._repository.get(switch.path)
        if setting is None or system is None:
            return None
        changed = setting.changed(values)
        self._repository.put(changed)
        title = str(changed.values["ElementName"])
        if title != switch.title:
            self._names.take("name", title)
            self._names.give_back("name", switch.title)
            switch.title = title
            self._repository.put(system.changed({"ElementName": title}))
        return changed

    def is_needed(self, switch: Switch) -> bool:
        """Whether a switch is on, or something is connected to it."""
        system = self._repository.get(switch.path)
        is_on = system is not None and system.values.get("EnabledState") == ENABLED
        return is_on or self.connected(switch.name) > 0
