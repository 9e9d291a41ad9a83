"""What must hold of everything on the platform at any time, read by a plain client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.lab.provisioning import DISK, VOLUME

READ = [
    "ElementName", "EnabledState", "InstanceID", "ResourceType", "VirtualQuantity",
    "VirtualResourceBlockSize", "HostResource", "Capacity", "Reserved", "RemainingManagedSpace",
    "SpaceConsumed", "Antecedent", "Dependent", "GroupComponent", "PartComponent",
    "ManagedElement", "SettingData", "Capabilities", "SystemElement", "SyncedElement",
    "AffectedElement", "AffectingElement", "OwningElement", "OwnedElement",
]  # fmt: skip


def text(path: Any) -> str:
    """A path as text, without a host and with its keys in order."""
    keys = sorted((k.lower(), text(v) if hasattr(v, "keybindings") else str(v))
                  for k, v in path.keybindings.items())  # fmt: skip
    return f"{path.classname}:{keys}"


class Everything:
    """All instances of the platform, read by a client."""

    def __init__(self, client: Any) -> None:
        self.instances: dict[str, Any] = {}
        self.links: list[Any] = []
        for cls in ("CIM_ManagedElement", "CIM_Dependency", "CIM_Component", "CIM_Synchronized",
                    "CIM_SettingsDefineState", "CIM_ElementSettingData", "CIM_ElementCapabilities",
                    "CIM_ServiceAffectsElement", "CIM_AffectedJobElement",
                    "CIM_OwningJobElement"):  # fmt: skip
            for found in client.EnumerateInstances(cls, PropertyList=READ):
                ends = [p.value for p in found.properties.values() if p.type == "reference"]
                if ends:
                    self.links.append(found)
                else:
                    self.instances[text(found.path)] = found

    def of(self, prefix: str) -> list[Any]:
        """Return the instances of a class."""
        return [i for i in self.instances.values() if i.classname == f"LAB_{prefix}"]

    def ends(self, association: str, role: str, other: str) -> Iterator[tuple[str, Any, Any]]:
        """Yield the ends of an association: one, the other, and the association."""
        for link in self.links:
            if link.classname == f"LAB_{association}":
                yield text(link[role]), text(link[other]), link


def check_links(found: Everything) -> None:
    """No association leads nowhere."""
    for link in found.links:
        for value in link.properties.values():
            if value.type == "reference" and value.value.namespace == "root/virt":
                assert text(value.value) in found.instances or (
                    value.value.classname == "LAB_StorageSynchronized"
                ), (link.classname, text(value.value))


def check_pools(found: Everything) -> None:
    """Reserved is what is allocated; the rest is left."""
    taken: Counter[str] = Counter()
    for pool, resource, _ in found.ends("ResourceAllocationFromPool", "Antecedent", "Dependent"):
        item = found.instances[resource]
        kind, quantity = item["ResourceType"], int(item["VirtualQuantity"])
        if kind == DISK:
            quantity *= int(item["VirtualResourceBlockSize"])
        taken[pool] += 0 if kind == VOLUME else quantity
    for pool, _, link in found.ends("AllocatedFromStoragePool", "Antecedent", "Dependent"):
        taken[pool] += int(link["SpaceConsumed"])
    for name, item in found.instances.items():
        if "Capacity" in item:
            assert item["Reserved"] == taken[name] <= item["Capacity"], name
        if "RemainingManagedSpace" in item:
            assert item["RemainingManagedSpace"] == item["Capacity"] - item["Reserved"]


def check_machines(found: Everything) -> None:
    """Each machine has one state, on one host, by one service; devices exactly while active."""
    relations = {
        name: Counter(end for end, *_ in found.ends(name, role, other))
        for name, role, other in (
            ("SettingsDefineState", "ManagedElement", "SettingData"),
            ("ElementSettingData", "ManagedElement", "SettingData"),
            ("HostedDependency", "Dependent", "Antecedent"),
            ("SystemDevice", "GroupComponent", "PartComponent"),
        )
    }
    for system in found.of("VirtualSystem"):
        name = text(system.path)
        for relation in ("SettingsDefineState", "ElementSettingData", "HostedDependency"):
            assert relations[relation][name] == 1, (name, relation)
        is_active = system["EnabledState"] not in (3, 6, 10)
        assert bool(relations["SystemDevice"][name]) == is_active, name
    names = [system["ElementName"] for system in found.of("VirtualSystem")]
    assert len(set(names)) == len(names)


def check_settings(found: Everything) -> None:
    """Each setting belongs to one configuration, those to a machine, a snapshot or nobody."""
    part_of: dict[str, list[str]] = {}
    for whole, part, _ in found.ends(
        "VirtualSystemSettingDataComponent", "GroupComponent", "PartComponent"
    ):
        part_of.setdefault(part, []).append(whole)
    limits = {
        part for _, part, _ in found.ends(
            "SettingsDefineCapabilities", "GroupComponent", "PartComponent"
        )
    }  # fmt: skip
    users: Counter[str] = Counter()
    states = {s for _, s, _ in found.ends("SettingsDefineState", "ManagedElement", "SettingData")}
    for name, item in found.instances.items():
        if "ResourceType" not in item or not item.classname.endswith("SettingData"):
            continue
        if name in limits:
            continue
        assert len(part_of.get(name, [])) == 1, name
        if item["ResourceType"] == VOLUME and part_of[name][0] in states:
            users[item["HostResource"][0]] += 1
    assert all(count == 1 for count in users.values()), users
    snapshots = {
        end for _, end, _ in found.ends("SnapshotOfVirtualSystem", "Antecedent", "Dependent")
    }
    for item in found.of("VirtualSystemSettingData"):
        name = text(item.path)
        is_image = ":image:" in item["InstanceID"]
        assert (name in states) + (name in snapshots) + is_image == 1, name


def check_devices(found: Everything) -> None:
    """Devices, endpoints and switch ports are what the settings of active machines say."""
    devices = {
        device: system
        for system, device, _ in found.ends("SystemDevice", "GroupComponent", "PartComponent")
    }
    states = {
        device: resource
        for device, resource, _ in found.ends(
            "SettingsDefineState", "ManagedElement", "SettingData"
        )
    }
    for name, item in found.instances.items():
        if item.classname in ("LAB_Memory", "LAB_LogicalDisk", "LAB_EthernetPort"):
            assert name in devices, name
            owner = devices[name]
            assert (name in states) != owner.startswith("LAB_VirtualSwitch"), name
    ports = sum(item.classname == "LAB_EthernetPort" for item in found.instances.values())
    endpoints = len(found.of("LANEndpoint"))
    connections = len(list(found.ends("ActiveConnection", "Antecedent", "Dependent")))
    assert ports == endpoints == 2 * connections


def check(client: Any) -> Everything:
    """Hold everything there is against the invariants."""
    found = Everything(client)
    for invariant_ in (check_links, check_pools, check_machines, check_settings, check_devices):
        invariant_(found)
    return found
