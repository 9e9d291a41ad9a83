"""Virtual resources of a machine as its settings say them (DSP1041): kinds, amounts, values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from pywbem import CIMInstanceName

from cimi_cim.lab.instances import Instance
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.values import CimValue, InstancePath, KeyValue

BLOCK_BYTES = 512
READ_WRITE = 3


class Kind(Enum):
    """A kind of resource: its ResourceType, the class of its settings, the name of a part.

    The class is without the vendor's prefix; a part without a number is there once.
    """

    PROCESSOR = (3, "ProcessorSettingData", "processor")
    MEMORY = (4, "MemorySettingData", "memory")
    DISK = (31, "StorageSettingData", "disk-")
    VOLUME = (32, "StorageSettingData", "disk-")
    ADAPTER = (10, "NetworkAdapterSettingData", "nic-")

    def __init__(self, resource_type: int, setting: str, part: str) -> None:
        self.resource_type = resource_type
        self.setting = setting
        self.part = part

    @property
    def is_single(self) -> bool:
        """Whether every machine has exactly one."""
        return self in (Kind.PROCESSOR, Kind.MEMORY)


KINDS = {kind.resource_type: kind for kind in Kind}
# What a setting says of whom it belongs to, and what follows from its kind.
_BELONGING = frozenset({"InstanceID", "ResourceType", "PoolID"})


class Parts:
    """Names of parts that a machine has never had."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def new(self, kind: Kind) -> str:
        """Return the name of a further part."""
        if kind.is_single:
            return kind.part
        place = self._next.get(kind.part, 0)
        self._next[kind.part] = place + 1
        return f"{kind.part}{place}"

    def know(self, kind: Kind, part: str) -> None:
        """Note a part that there is."""
        place = part.removeprefix(kind.part)
        if not kind.is_single and place.isdecimal():
            self._next[kind.part] = max(self._next.get(kind.part, 0), int(place) + 1)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: `amount` is what its pool loses, `volume` the storage volume behind it.

    `pool_id` names the pool that is wanted, None for any.
    `values` are the properties of its setting, without those that say whose it is.
    """

    kind: Kind
    part: str
    amount: int
    values: Mapping[str, CimValue]
    volume: InstancePath | None = None
    pool_id: str | None = None

    @property
    def switch(self) -> str | None:
        """The name of the switch that a network adapter is connected to."""
        found = self.values.get("Connection")
        return str(found[0]) if isinstance(found, tuple) and found else None

    def named(self, part: str) -> Resource:
        """Return the resource under the name of another part."""
        return replace(self, part=part)

    def changed(self, values: Mapping[str, CimValue]) -> Resource:
        """Return the resource with other values."""
        return replace(self, values={**self.values, **values})


def processors(count: int, clock_mhz: int) -> Mapping[str, CimValue]:
    """Return the setting of processors."""
    return {
        "InstructionSet": "DMTF:x86:64", "ProcessorArchitecture": "DMTF:x86",
        "AllocationUnits": f"hertz*10^6*{clock_mhz}",
        "VirtualQuantity": count, "VirtualQuantityUnits": "count",
        "Reservation": 0, "Limit": count, "Weight": 100,
    }  # fmt: skip


def memory(quantity: int, unit: str) -> Mapping[str, CimValue]:
    """Return the setting of memory."""
    return {
        "AllocationUnits": unit, "VirtualQuantity": quantity, "VirtualQuantityUnits": unit,
        "Reservation": quantity, "Limit": quantity, "Weight": 100,
    }  # fmt: skip


def disk(size_bytes: int, address: str) -> Mapping[str, CimValue]:
    """Return the setting of a disk; of one that is a volume, too."""
    return {
        "AllocationUnits": "byte", "VirtualQuantity": size_bytes // BLOCK_BYTES,
        "VirtualQuantityUnits": "count", "VirtualResourceBlockSize": BLOCK_BYTES,
        "AddressOnParent": address, "Access": READ_WRITE,
    }  # fmt: skip


def volume_link(volume: Instance) -> Mapping[str, CimValue]:
    """Return what the setting of a disk says of the volume behind it."""
    return {"HostResource": (wbem_uri(volume.path),), "HostExtentName": volume.values["Name"]}


def adapter(mac_address: str, number: int) -> Mapping[str, CimValue]:
    """Return the setting of a network adapter, apart from what it is connected to."""
    return {
        "Address": mac_address, "AddressOnParent": str(number),
        "VirtualQuantity": 1, "VirtualQuantityUnits": "count",
        "DesiredVLANEndpointMode": 2, "PortVID": 1 + number,
    }  # fmt: skip


def connection(switch: InstancePath) -> Mapping[str, CimValue]:
    """Return what the setting of a network adapter says of its switch."""
    return {"Connection": (str(switch.key("Name")),), "HostResource": (wbem_uri(switch),)}


def device_address(number: int) -> str:
    """Return where a machine sees its n-th disk: /dev/vda to /dev/vdz, /dev/vdaa, ..."""
    letters = ""
    number += 1
    while number:
        number, place = divmod(number - 1, 26)
        letters = chr(ord("a") + place) + letters
    return f"/dev/vd{letters}"


def resource_of(setting: Instance) -> Resource:
    """Return the resource that a setting describes."""
    values = setting.values
    kind = KINDS[number(values, "ResourceType")]
    return Resource(
        kind,
        part_of(setting),
        amount_of(kind, values),
        {name: value for name, value in values.items() if name not in _BELONGING},
        volume_path(values.get("HostResource")) if kind is Kind.VOLUME else None,
    )


def amount_of(kind: Kind, values: Mapping[str, CimValue]) -> int:
    """Return what a resource takes from its pool: a volume has taken its share itself."""
    if kind is Kind.DISK:
        return number(values, "VirtualQuantity") * number(values, "VirtualResourceBlockSize")
    if kind is Kind.ADAPTER:
        return 1
    return 0 if kind is Kind.VOLUME else number(values, "VirtualQuantity")


def part_of(setting: Instance) -> str:
    """Return the part that a setting is of: the last of its InstanceID."""
    return str(setting.values["InstanceID"]).rpartition("/")[2]


def clock_mhz(setting: Instance) -> int:
    """Return the clock speed that a setting of processors allocates by."""
    try:
        return int(parse_unit(str(setting.values.get("AllocationUnits"))).factor) // 10**6 or 2400
    except UnitError:
        return 2400


def number(values: Mapping[str, CimValue], name: str) -> int:
    """Return an integer property, 0 where it is NULL."""
    value = values.get(name)
    return value if isinstance(value, int) else 0


def wbem_uri(path: InstancePath) -> str:
    """Return the untyped WBEM URI of an instance, without a host (DSP0207)."""
    keys = ",".join(f"{name}={_uri_value(value)}" for name, value in path.keys)
    return f"/{path.namespace}:{path.classname}.{keys}"


def _uri_value(value: KeyValue) -> str:
    if isinstance(value, (bool, int, float)):
        return str(value).upper()
    text = wbem_uri(value) if isinstance(value, InstancePath) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def volume_path(host_resource: CimValue) -> InstancePath | None:
    """Return the path that the first entry of HostResource leads to, None for no WBEM URI."""
    if not isinstance(host_resource, tuple) or not host_resource:
        return None
    return uri_path(host_resource[0])


def uri_path(uri: object) -> InstancePath | None:
    """Return the path of a WBEM URI, with or without a host; None for any other text."""
    try:
        found = CIMInstanceName.from_wbem_uri(str(uri))
    except ValueError:
        return None
    keys = tuple((name, value) for name, value in found.keybindings.items())
    if not all(isinstance(value, str) for _, value in keys):
        return None
    return InstancePath(str(found.namespace or ""), str(found.classname), keys)
