"""Storage volumes and their copies (SMI-S block storage): instances, space, and who uses them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.devices import ENABLED
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Reason, Refusal
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.lab.resources import BLOCK_BYTES, Kind, number
from cimi_cim.wbem.values import CimValue, InstancePath

NAA = 9
OK, STARTING = 2, 8  # OperationalStatus
NONE, READYING = 2, 10  # ExtentStatus
UNRESTRICTED, REPLICA_TARGET = 2, 8  # Usage
SNAPSHOT, CLONE = 7, 8  # SyncType
_COPY_TYPES = {SNAPSHOT: 4, CLONE: 5}  # UnSyncAssoc, UnSyncUnAssoc
SYNCHRONIZED, INITIALIZED = 4, 2  # CopyState
COMPLETED, SYNCHRONIZING, RESTORING = 2, 6, 8  # ProgressStatus
ASYNCHRONOUS = 3  # Mode
_ALLOCATION = "CIM_AllocatedFromStoragePool"


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A volume to be: a thin one takes nothing of its pool."""

    device: str
    title: str
    size_bytes: int
    created: float
    is_thin: bool = False
    usage: int = UNRESTRICTED


class Volumes:
    """All storage volumes; a volume is used by one machine at most."""

    def __init__(self, platform: Platform, seed: int) -> None:
        self._builder = platform.builder
        self._repository = platform.repository
        self._pools = platform.pools
        self._seed = seed
        self._users: dict[str, str] = {}
        self._capabilities = self._builder.put("SystemCapabilities", {
            "InstanceID": f"{self._builder.personality.name}:volumes",
            "ElementName": "Names of volumes", "ElementNameEditSupported": True,
            "MaxElementNameLen": 255,
        })  # fmt: skip

    def add(self, host: Host, spec: VolumeSpec, *, is_ready: bool = True) -> Instance:
        """Add a volume, allocated from the storage pool of a host."""
        rng = random.Random(f"{self._seed}/volume/{spec.device}")  # noqa: S311
        blocks = spec.size_bytes // BLOCK_BYTES
        volume = self._builder.put("StorageVolume", {
            "SystemCreationClassName": host.system.cls.name,
            "SystemName": host.system.values["Name"], "DeviceID": spec.device,
            "ElementName": spec.title,
            "Name": f"6{rng.getrandbits(124):031x}", "NameFormat": NAA, "NameNamespace": 2,
            "BlockSize": BLOCK_BYTES, "NumberOfBlocks": blocks, "ConsumableBlocks": blocks,
            "Usage": spec.usage, "HealthState": 5, "EnabledState": ENABLED,
            "Primordial": False, "ThinlyProvisioned": spec.is_thin, "CanDelete": True,
            "InstallDate": cim_datetime(spec.created), **_readiness(is_ready),
        })  # fmt: skip
        pool = host.pools[Kind.VOLUME]
        consumed = 0 if spec.is_thin else spec.size_bytes
        self._builder.link(
            "AllocatedFromStoragePool", "", {"SpaceConsumed": consumed},
            Antecedent=pool, Dependent=volume,
        )  # fmt: skip
        self._pools.allocate(pool, consumed)
        self._builder.link("SystemDevice", GroupComponent=host.system, PartComponent=volume)
        self._builder.link(
            "ElementCapabilities", ManagedElement=volume, Capabilities=self._capabilities
        )
        return volume

    def show(self, path: InstancePath, changes: Mapping[str, CimValue]) -> None:
        """Change a volume, unless it is gone."""
        found = self._repository.get(path)
        if found is not None:
            self._repository.put(found.changed(changes))

    def ready(self, path: InstancePath) -> None:
        """Show that a volume may be used."""
        self.show(path, _readiness(True))

    def is_ready(self, volume: Instance) -> bool:
        """Whether a volume may be used."""
        return volume.values.get("ExtentStatus") == (NONE,)

    def pool_of(self, volume: InstancePath) -> InstancePath:
        """Return the pool that a volume is allocated from."""
        found = self._repository.linked(volume, association=_ALLOCATION, role="Dependent")
        return found[0].path

    def consumed(self, volume: InstancePath) -> int:
        """Return the bytes that a volume takes of its pool."""
        links = self._repository.links(volume, association=_ALLOCATION, role="Dependent")
        return sum(number(link.values, "SpaceConsumed") for link in links)

    def resize(self, path: InstancePath, size_bytes: int) -> None:
        """Give a volume another size, and its pool the difference."""
        blocks = size_bytes // BLOCK_BYTES
        for link in self._repository.links(path, association=_ALLOCATION, role="Dependent"):
            consumed = number(link.values, "SpaceConsumed")
            found = self._repository.get(path)
            if found is not None and found.values.get("ThinlyProvisioned") is not True:
                self._repository.put(link.changed({"SpaceConsumed": size_bytes}))
                self._pools.allocate(self.pool_of(path), size_bytes - consumed)
        self.show(path, {"NumberOfBlocks": blocks, "ConsumableBlocks": blocks})

    def remove(self, path: InstancePath) -> None:
        """Take a volume away, and give back what it has of its pool."""
        if self._repository.get(path) is None:
            return
        self._pools.allocate(self.pool_of(path), -self.consumed(path))
        self._repository.remove(path)
        self._users.pop(path.canonical, None)

    def size_bytes(self, volume: Instance) -> int:
        """Return the size of a volume."""
        return number(volume.values, "BlockSize") * number(volume.values, "NumberOfBlocks")

    def user(self, path: InstancePath) -> str | None:
        """Return the name of the machine that uses a volume, None if nobody does."""
        return self._users.get(path.canonical)

    def use(self, path: InstancePath, machine: str) -> None:
        """Give a volume to a machine. Raises `Refusal` if somebody has it."""
        user = self._users.get(path.canonical)
        if user is not None:
            device = path.key("DeviceID")
            raise Refusal(Reason.IN_USE, f"the volume {device} is used by the machine {user}")
        self._users[path.canonical] = machine

    def keep(self, path: InstancePath, machine: str) -> None:
        """Note that a volume is a machine's, for whom it was reserved."""
        self._users[path.canonical] = machine

    def leave(self, path: InstancePath, machine: str) -> None:
        """Take a volume from a machine, if it has it."""
        if self._users.get(path.canonical) == machine:
            del self._users[path.canonical]

    def copy(
        self, host: Host, source: Instance, spec: VolumeSpec, sync_type: int, *, is_ready: bool
    ) -> tuple[Instance, Instance]:
        """Add a point-in-time copy of a volume; return it, and its synchronization."""
        replica = self.add(host, spec, is_ready=is_ready)
        state = (SYNCHRONIZED, COMPLETED) if is_ready else (INITIALIZED, SYNCHRONIZING)
        link = self._builder.link(
            "StorageSynchronized", "",
            {
                "SyncType": sync_type, "CopyType": _COPY_TYPES[sync_type],
                "Mode": ASYNCHRONOUS, "CopyState": state[0], "ProgressStatus": state[1],
                "WhenSynced": cim_datetime(spec.created), "SyncMaintained": False,
                "PercentSynced": 100 if is_ready else 0,
            },
            SystemElement=source, SyncedElement=replica,
        )  # fmt: skip
        return replica, link

    def copies(self, path: InstancePath) -> list[Instance]:
        """Return the synchronizations that a volume is the source of."""
        return self._repository.links(
            path, association="CIM_StorageSynchronized", role="SystemElement"
        )

    def source_of(self, path: InstancePath) -> InstancePath | None:
        """Return the volume that a volume is a copy of, None if it is no copy."""
        found = self._repository.linked(
            path, association="CIM_StorageSynchronized", role="SyncedElement"
        )
        return found[0].path if found else None


def _readiness(is_ready: bool) -> dict[str, CimValue]:
    if is_ready:
        return {"OperationalStatus": (OK,), "ExtentStatus": (NONE,)}
    return {"OperationalStatus": (STARTING,), "ExtentStatus": (READYING,)}
