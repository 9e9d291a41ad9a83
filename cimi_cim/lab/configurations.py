"""Configurations: the setting data of a system with those of its resources (DSP1041, DSP1057)."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.lab.instances import Instance
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.resources import Kind, Resource, resource_of
from cimi_cim.lab.switches import Switches
from cimi_cim.lab.volumes import Volumes
from cimi_cim.wbem.values import CimValue, InstancePath

_COMPONENT = "CIM_VirtualSystemSettingDataComponent"
_ALLOCATION = "CIM_ResourceAllocationFromPool"


class Configurations:
    """Puts configurations into the repository.

    What is allocated is reserved of its pool, volumes are used and switches connected.
    """

    def __init__(self, platform: Platform, volumes: Volumes, switches: Switches) -> None:
        self._builder = platform.builder
        self._repository = platform.repository
        self._pools = platform.pools
        self._volumes = volumes
        self._switches = switches

    def put_system(self, identifier: str, values: Mapping[str, CimValue]) -> Instance:
        """Add the setting data of a virtual system."""
        return self._builder.put("VirtualSystemSettingData", {**values, "InstanceID": identifier})

    def put_resource(
        self, setting: Instance, resource: Resource, pools: Mapping[Kind, InstancePath] | None
    ) -> Instance:
        """Add the setting data of a resource, allocated from its pool; None allocates nothing."""
        pool = None if pools is None else pools[resource.kind]
        found = None if pool is None else self._repository.get(pool)
        made = self._builder.put(resource.kind.setting, {
            "ElementName": resource.part, "ConsumerVisibility": 3,
            "AutomaticAllocation": True, "AutomaticDeallocation": True,
            **resource.values,
            "InstanceID": f"{setting.values['InstanceID']}/{resource.part}",
            "ResourceType": resource.kind.resource_type,
            "PoolID": None if found is None else found.values["PoolID"],
        })  # fmt: skip
        link = self._builder.link
        link("VirtualSystemSettingDataComponent", GroupComponent=setting, PartComponent=made)
        if pool is not None:
            link("ResourceAllocationFromPool", Antecedent=pool, Dependent=made)
            self._pools.allocate(pool, resource.amount)
            self._claim(setting, resource)
        return made

    def _claim(self, setting: Instance, resource: Resource) -> None:
        if resource.volume is not None:
            self._volumes.keep(resource.volume, _name(setting))
        if resource.switch is not None:
            self._switches.connect(resource.switch, 1)

    def _release(self, setting: InstancePath | None, resource: Resource) -> None:
        owner = None if setting is None else self._repository.get(setting)
        if resource.volume is not None and owner is not None:
            self._volumes.leave(resource.volume, _name(owner))
        if resource.switch is not None:
            self._switches.connect(resource.switch, -1)

    def replace_resource(self, setting: Instance, resource: Resource) -> Instance:
        """Give the setting data of a resource other values, and its pool the difference."""
        before = resource_of(setting)
        kept = {name: setting.values.get(name) for name in ("InstanceID", "ResourceType", "PoolID")}
        values = {**{name: None for name in setting.values}, **resource.values, **kept}
        changed = setting.changed(values)
        self._repository.put(changed)
        pool = self.pool_of(setting)
        if pool is not None:
            self._pools.allocate(pool, resource.amount - before.amount)
            owner = self._repository.get(self.owner(setting.path) or setting.path)
            self._release(self.owner(setting.path), before)
            self._claim(owner or changed, resource)
        return changed

    def pool_of(self, setting: Instance) -> InstancePath | None:
        """Return the pool that a resource is allocated from, None for none."""
        pools = self._repository.linked(setting.path, association=_ALLOCATION, role="Dependent")
        return pools[0].path if pools else None

    def resources(self, setting: InstancePath) -> list[Instance]:
        """Return the setting data of a system's resources, in the order they came."""
        return self._repository.linked(setting, association=_COMPONENT, role="GroupComponent")

    def owner(self, resource: InstancePath) -> InstancePath | None:
        """Return the system's setting data that a resource's belongs to, None for none."""
        found = self._repository.linked(resource, association=_COMPONENT, role="PartComponent")
        return found[0].path if found else None

    def remove_resource(self, setting: Instance) -> None:
        """Take the setting data of a resource away, and give back what it has of its pool."""
        pool = self.pool_of(setting)
        if pool is not None:
            resource = resource_of(setting)
            self._pools.allocate(pool, -resource.amount)
            self._release(self.owner(setting.path), resource)
        self._repository.remove(setting.path)

    def remove(self, setting: InstancePath) -> None:
        """Take a whole configuration away."""
        for resource in self.resources(setting):
            self.remove_resource(resource)
        self._repository.remove(setting)


def _name(setting: Instance) -> str:
    return str(setting.values["VirtualSystemIdentifier"])
