"""Resources that clients ask for, read from embedded settings (DSP1041, DSP1042).

Units are converted to those of the platform, limits held, and what is not said is filled
in. What cannot be is declined ("Invalid Parameter", "Incompatible Parameters").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cimi_cim.lab import resources
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Declined, Outcome, Reason, Refusal
from cimi_cim.lab.parameters import fits
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.lab.resources import BLOCK_BYTES, KINDS, Kind, Parts, Resource
from cimi_cim.lab.switches import Switch, Switches
from cimi_cim.lab.volumes import Volumes
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

DEFAULT_CLOCK_MHZ = 2400
_MAC = re.compile(r"[0-9a-f]{12}\Z")
_ARCHITECTURES = "dmtf:x86:"
# What the platform says itself; a client may repeat it, and changes nothing by it.
_OWN = frozenset({
    "InstanceID", "ResourceType", "PoolID", "VirtualQuantity", "VirtualQuantityUnits",
    "VirtualResourceBlockSize", "AllocationUnits", "Reservation", "Limit", "HostResource",
    "HostExtentName", "Connection", "Address", "AddressOnParent", "ConsumerVisibility",
    "AutomaticAllocation", "AutomaticDeallocation",
})  # fmt: skip

Given = Mapping[str, CimValue]


@dataclass(slots=True)
class Draft:
    """Where new resources go: names of parts, and addresses of disks that are taken."""

    parts: Parts = field(default_factory=Parts)
    addresses: set[str] = field(default_factory=set)

    def know(self, resource: Resource) -> None:
        """Take in a resource that is there already."""
        self.parts.know(resource.kind, resource.part)
        if resource.kind in (Kind.DISK, Kind.VOLUME):
            self.addresses.add(str(resource.values.get("AddressOnParent")))

    def address(self, wanted: CimValue) -> str:
        """Return where a further disk is seen: where it is wanted, or where there is room."""
        if isinstance(wanted, str) and wanted:
            if wanted in self.addresses:
                raise Declined(Outcome.INVALID_PARAMETER)
            self.addresses.add(wanted)
            return wanted
        place = 0
        while resources.device_address(place) in self.addresses:
            place += 1
        self.addresses.add(resources.device_address(place))
        return resources.device_address(place)


class Requests:
    """Reads what clients ask for."""

    def __init__(self, platform: Platform, volumes: Volumes, switches: Switches) -> None:
        self._platform = platform
        self._classes = platform.repository.classes
        self._personality = platform.personality
        self._volumes = volumes
        self._switches = switches
        self._readers: dict[Kind, Callable[[Given, Draft], Resource]] = {
            Kind.PROCESSOR: self._processors, Kind.MEMORY: self._memory,
            Kind.DISK: self._disk, Kind.VOLUME: self._volume, Kind.ADAPTER: self._adapter,
        }  # fmt: skip

    def values(self, embedded: EmbeddedInstance, ancestor: str, cls: str) -> Given:
        """Return the properties of an embedded instance that a class of ours can hold.

        `ancestor` is a DMTF class which the instance must be of, `cls` ours without prefix.
        A text that is empty says nothing.
        """
        found = self._classes.find(embedded.classname)
        if found is None or ancestor.lower() not in found.lineage:
            raise Declined(Outcome.INVALID_PARAMETER)
        declared = self._platform.builder.cls(cls).properties
        values: dict[str, CimValue] = {}
        for name, value in embedded.values.items():
            property_ = declared.get(name.lower())
            if property_ is None or not fits(value, property_):
                raise Declined(Outcome.INVALID_PARAMETER)
            if value not in (None, ""):
                values[property_.name] = value
        return values

    def kind(self, embedded: EmbeddedInstance) -> Kind:
        """Return the kind of resource that an embedded setting is about.

        ResourceType says it, or else the class. A disk on a volume is that volume.
        """
        lowered = {name.lower(): value for name, value in embedded.values.items()}
        resource_type = lowered.get("resourcetype")
        if resource_type is None:
            found = self._classes.find(embedded.classname)
            lineage = frozenset[str]() if found is None else found.lineage
            kind = next((k for k in Kind if self._is_class(k, lineage)), None)
        else:
            kind = KINDS.get(resource_type) if isinstance(resource_type, int) else None
        if kind is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return Kind.VOLUME if kind is Kind.DISK and lowered.get("hostresource") else kind

    def _is_class(self, kind: Kind, lineage: frozenset[str]) -> bool:
        ours = self._platform.builder.cls(kind.setting).lineage
        return bool(lineage & ours - _COMMON)

    def read(self, embedded: EmbeddedInstance, draft: Draft) -> Resource:
        """Return the new resource that an embedded setting asks for."""
        kind = self.kind(embedded)
        given = self.values(embedded, "CIM_ResourceAllocationSettingData", kind.setting)
        resource = self._readers[kind](given, draft).changed(_free(given))
        pool_id = given.get("PoolID")
        return replace(resource, pool_id=None if pool_id is None else str(pool_id))

    def connected(self, resource: Resource, host: Host) -> Resource:
        """Return a resource of a machine on a host: an adapter is on some switch."""
        switch = self._switches.named(host.switch)
        if resource.kind is not Kind.ADAPTER or resource.switch is not None or switch is None:
            return resource
        return resource.changed(resources.connection(switch.path))

    def read_change(self, embedded: EmbeddedInstance, setting: Instance) -> Resource:
        """Return a resource as it will be when an embedded setting has been applied."""
        before = resources.resource_of(setting)
        given = self.values(embedded, "CIM_ResourceAllocationSettingData", before.kind.setting)
        if "ResourceType" in given and self.kind(embedded) is not before.kind:
            raise Declined(Outcome.INCOMPATIBLE)
        if given.get("PoolID", setting.values.get("PoolID")) != setting.values.get("PoolID"):
            raise Declined(Outcome.INCOMPATIBLE)
        changed = self._changed(before, given)
        return changed.changed(_free(given))

    def _changed(self, before: Resource, given: Given) -> Resource:
        whole = {**before.values, **given}
        draft_free = {"AddressOnParent": whole.get("AddressOnParent")}
        if before.kind is Kind.PROCESSOR:
            return self._processors_of(whole, before)
        if before.kind is Kind.MEMORY:
            return self._memory_of(whole)
        if before.kind is Kind.ADAPTER:
            values = {**self._address_of(whole), **self._connection_of(given, before)}
            return before.changed({**draft_free, **values})
        if before.kind is Kind.VOLUME:
            if resources.volume_path(whole.get("HostResource")) != before.volume:
                raise Declined(Outcome.INCOMPATIBLE)
            return before.changed(draft_free)
        size_bytes = self._disk_bytes(whole)
        if size_bytes < before.amount:
            raise Declined(Outcome.INVALID_PARAMETER)
        values = {**resources.disk(size_bytes, str(whole["AddressOnParent"]))}
        return replace(before.changed(values), amount=size_bytes)

    def check(self, wanted: list[Resource]) -> None:
        """Raise `Refusal` if a volume or switch that is wanted is not there."""
        for resource in wanted:
            switch = resource.switch
            if switch is not None and self._switches.named(switch) is None:
                raise Refusal(Reason.FAILED, f"there is no switch {switch}")
            if resource.volume is None:
                continue
            volume = self._platform.get(resource.volume, "StorageVolume")
            if volume is None or not self._volumes.is_ready(volume):
                device = resource.volume.key("DeviceID")
                raise Refusal(Reason.FAILED, f"the volume {device} cannot be used")

    def _limited(self, kind: Kind, quantity: int) -> int:
        limit = self._personality.limits[kind]
        if not limit.minimum <= quantity <= limit.maximum:
            raise Declined(Outcome.INVALID_PARAMETER)
        return quantity

    def _processors(self, given: Given, draft: Draft) -> Resource:
        default = self._personality.limits[Kind.PROCESSOR].default
        values = resources.processors(default, DEFAULT_CLOCK_MHZ)
        part = draft.parts.new(Kind.PROCESSOR)
        return self._processors_of(
            {"VirtualQuantity": default, **given}, Resource(Kind.PROCESSOR, part, default, values)
        )

    def _processors_of(self, given: Given, before: Resource) -> Resource:
        _quantity_in(given.get("VirtualQuantityUnits"), "count")
        architecture = str(given.get("InstructionSet", _ARCHITECTURES)).lower()
        if not architecture.startswith(_ARCHITECTURES):
            raise Declined(Outcome.INVALID_PARAMETER)
        count = self._limited(Kind.PROCESSOR, resources.number(given, "VirtualQuantity"))
        return replace(before.changed({"VirtualQuantity": count, "Limit": count}), amount=count)

    def _memory(self, given: Given, draft: Draft) -> Resource:
        return self._memory_of(given)

    def _memory_of(self, given: Given) -> Resource:
        personality = self._personality
        quantity = personality.limits[Kind.MEMORY].default
        if "VirtualQuantity" in given:
            quantity = -(-_bytes(given) // personality.bytes_per_memory_unit)
        values = resources.memory(self._limited(Kind.MEMORY, quantity), personality.memory_unit)
        return Resource(Kind.MEMORY, Kind.MEMORY.part, quantity, values)

    def _disk(self, given: Given, draft: Draft) -> Resource:
        size_bytes = self._disk_bytes(given)
        values = resources.disk(size_bytes, draft.address(given.get("AddressOnParent")))
        return Resource(Kind.DISK, draft.parts.new(Kind.DISK), size_bytes, values)

    def _disk_bytes(self, given: Given) -> int:
        size_bytes = self._personality.limits[Kind.DISK].default
        if "VirtualQuantity" in given:
            block = resources.number(given, "VirtualResourceBlockSize")
            is_blocks = block > 0 and _is_count(given.get("VirtualQuantityUnits"))
            quantity = resources.number(given, "VirtualQuantity")
            size_bytes = quantity * block if is_blocks else _bytes(given)
        return self._limited(Kind.DISK, -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES)

    def _volume(self, given: Given, draft: Draft) -> Resource:
        path = resources.volume_path(given.get("HostResource"))
        volume = None if path is None else self._platform.get(path, "StorageVolume")
        if volume is None or not self._volumes.is_ready(volume):
            raise Declined(Outcome.INVALID_PARAMETER)
        size_bytes = self._volumes.size_bytes(volume)
        values = {
            **resources.disk(size_bytes, draft.address(given.get("AddressOnParent"))),
            **resources.volume_link(volume),
        }
        return Resource(Kind.VOLUME, draft.parts.new(Kind.VOLUME), 0, values, volume.path)

    def _adapter(self, given: Given, draft: Draft) -> Resource:
        part = draft.parts.new(Kind.ADAPTER)
        place = int(part.removeprefix(Kind.ADAPTER.part))
        address = self._platform.new_mac_address()
        switch = self._wanted_switch(given)
        values = {
            **resources.adapter(address, place), **self._address_of(given),
            **({} if switch is None else resources.connection(switch.path)),
        }  # fmt: skip
        return Resource(Kind.ADAPTER, part, 1, values)

    def _address_of(self, given: Given) -> Given:
        address = given.get("Address")
        if address is None:
            return {}
        digits = str(address).lower().replace(":", "").replace("-", "")
        if not _MAC.match(digits):
            raise Declined(Outcome.INVALID_PARAMETER)
        return {"Address": ":".join(digits[i : i + 2] for i in range(0, 12, 2))}

    def _connection_of(self, given: Given, before: Resource) -> Given:
        """A client that changes one of Connection and HostResource repeats the other."""
        changed = {
            name: given[name]
            for name in ("Connection", "HostResource")
            if name in given and given[name] != before.values.get(name)
        }
        switch = self._wanted_switch(changed)
        return {} if switch is None else resources.connection(switch.path)

    def _wanted_switch(self, given: Given) -> Switch | None:
        """The switch that a setting names, by name or WBEM URI; declined if there is none."""
        for name in ("Connection", "HostResource"):
            value = given.get(name)
            if not isinstance(value, tuple) or not value:
                continue
            path = resources.uri_path(value[0])
            found = self._switches.named(str(value[0])) if path is None else None
            found = found or (None if path is None else self._switches.at(path))
            if found is None:
                raise Declined(Outcome.INVALID_PARAMETER)
            return found
        return None


_COMMON = frozenset({
    "cim_managedelement", "cim_settingdata", "cim_resourceallocationsettingdata",
})  # fmt: skip


def _free(given: Given) -> Given:
    """What a client may say and the platform only keeps."""
    return {name: value for name, value in given.items() if name not in _OWN}


def _quantity_in(unit: CimValue, base: str) -> None:
    try:
        if unit is not None and parse_unit(str(unit)).base != base:
            raise Declined(Outcome.INVALID_PARAMETER)
    except UnitError as exc:
        raise Declined(Outcome.INVALID_PARAMETER) from exc


def _is_count(unit: CimValue) -> bool:
    """Whether a unit says no more than how many: absent, `count`, `count(fixed size block)`."""
    return unit is None or str(unit).strip().lower().startswith("count")


def _bytes(given: Given) -> int:
    """A quantity in VirtualQuantityUnits, else in AllocationUnits, else in bytes."""
    units = (given.get("VirtualQuantityUnits"), given.get("AllocationUnits"))
    unit = next((u for u in units if not _is_count(u)), "byte")
    try:
        parsed = parse_unit(str(unit))
    except UnitError as exc:
        raise Declined(Outcome.INVALID_PARAMETER) from exc
    if parsed.base != "byte":
        raise Declined(Outcome.INVALID_PARAMETER)
    exact = resources.number(given, "VirtualQuantity") * parsed.factor
    return -(-exact.numerator // exact.denominator)


def wanted_volumes(wanted: list[Resource]) -> list[InstancePath]:
    """Return the volumes behind resources."""
    return [resource.volume for resource in wanted if resource.volume is not None]
