"""CIM_StorageConfigurationService and the size questions of pools (SMI-S Block Services).

A new volume is there at once and shows that it is being made until its job ends; its
space is taken from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Declined, Outcome, Refusal, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.platform import Host
from cimi_cim.lab.pools import Promise
from cimi_cim.lab.resources import BLOCK_BYTES, Kind
from cimi_cim.lab.volumes import VolumeSpec
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import CimValue, InstancePath

VOLUME_TYPE, THIN_VOLUME_TYPE = 2, 5  # ElementType of the service's methods
_POOL_TYPES = (3, 5)  # ElementType of the pool's methods: volume, thinly provisioned volume
SMALLEST_BYTES = BLOCK_BYTES
LONGEST_NAME = 255


class _Wanted(NamedTuple):
    """What CreateOrModifyElementFromStoragePool is asked for; None says nothing."""

    title: str | None
    size_bytes: int | None
    is_thin: bool


class Storage:
    """Makes, resizes and returns volumes."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._platform = estate.platform
        self._volumes = estate.volumes

    def create_or_modify(self, service: Instance, parameters: Parameters) -> Result:
        """CreateOrModifyElementFromStoragePool."""
        element_type = parameters.number("ElementType")
        if element_type not in (None, VOLUME_TYPE, THIN_VOLUME_TYPE):
            known = element_type is not None and element_type <= 8
            raise Declined(Outcome.NOT_SUPPORTED if known else Outcome.INVALID_PARAMETER)
        title = parameters.text("ElementName")
        if parameters.path("Goal") is not None or len(title or "") > LONGEST_NAME:
            raise Declined(Outcome.INVALID_PARAMETER)  # there are no storage settings to name
        size_bytes = parameters.number("Size")
        if size_bytes is not None:
            size_bytes = -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES
        wanted = _Wanted(title, size_bytes, element_type == THIN_VOLUME_TYPE)
        if parameters.path("TheElement") is not None:
            volume = self._volume(parameters, "TheElement")
            return self._modify(service, volume, wanted, parameters.path("InPool"))
        return self._create(service, self._host(parameters.path("InPool")), wanted)

    def _host(self, pool: InstancePath | None) -> Host:
        """Where a volume goes: into the pool that is named, or the one with most left."""
        if pool is None:
            return self._estate.hosts.emptiest_store()
        found = self._estate.hosts.of_pool(pool)
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return found

    def _create(self, service: Instance, host: Host, wanted: _Wanted) -> Result:
        if wanted.size_bytes is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        pool = host.pools[Kind.VOLUME]
        self._must_be_possible(pool, wanted.size_bytes)
        device = f"vol-{self._platform.new_uuid()}"
        spec = VolumeSpec(
            device, wanted.title or device, wanted.size_bytes, self._platform.clock(),
            wanted.is_thin,
        )  # fmt: skip
        refusal = self._room(pool, 0 if wanted.is_thin else wanted.size_bytes)
        if refusal is not None:
            return self._begin(service, "Create a volume", "create", refusal)
        volume = self._volumes.add(host, spec, is_ready=False)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._volumes.ready(volume.path)
            return {"TheElement": volume.path}

        def undo(now: float) -> None:
            self._volumes.remove(volume.path)

        task = Task(
            f"Create {device}", service, (volume.path,), self._platform.seconds("create"),
            finish, undo,
        )  # fmt: skip
        made: dict[str, CimValue] = {"TheElement": volume.path, "Size": wanted.size_bytes}
        return self._platform.works.begin(task, made)

    def _begin(self, service: Instance, name: str, work: str, refusal: Refusal) -> Result:
        """Begin work of which it is known that it will fail."""
        return self._platform.works.begin(Task(
            name, service, (), self._platform.seconds(work), lambda now: {}, refusal=refusal
        ))  # fmt: skip

    def _must_be_possible(self, pool: InstancePath, size_bytes: int) -> None:
        """A size that the pool can never have is declined with the nearest one."""
        found = self._platform.repository.get(pool)
        total = 0 if found is None else found.values.get("TotalManagedSpace")
        largest = total if isinstance(total, int) else 0
        if not SMALLEST_BYTES <= size_bytes <= largest:
            nearest = min(max(SMALLEST_BYTES, size_bytes), largest)
            raise Declined(Outcome.SIZE, Size=nearest)

    def _room(self, pool: InstancePath, size_bytes: int) -> Refusal | None:
        """Why a pool has no room, None if it has."""
        try:
            self._platform.pools.promise({pool: size_bytes}).end()
        except Refusal as refusal:
            return refusal
        return None

    def _modify(
        self, service: Instance, volume: Instance, wanted: _Wanted, pool: InstancePath | None
    ) -> Result:
        path = volume.path
        if pool is not None and pool != self._volumes.pool_of(path):
            raise Declined(Outcome.INVALID_PARAMETER)
        self._must_be_free(volume)
        old_bytes = self._volumes.size_bytes(volume)
        new_bytes = old_bytes if wanted.size_bytes is None else wanted.size_bytes
        if new_bytes < old_bytes:
            raise Declined(Outcome.SIZE, Size=old_bytes)
        if new_bytes > old_bytes:
            self._must_be_possible(self._volumes.pool_of(path), new_bytes)
        promise, refusal = Promise([]), None
        try:
            more = 0 if volume.values.get("ThinlyProvisioned") is True else new_bytes - old_bytes
            promise = self._platform.pools.promise({self._volumes.pool_of(path): more})
        except Refusal as full:
            refusal = full

        def finish(now: float) -> Mapping[str, CimValue]:
            promise.end()
            if wanted.title is not None:
                self._volumes.show(path, {"ElementName": wanted.title})
            if new_bytes != old_bytes:
                self._volumes.resize(path, new_bytes)
                machine = self._estate.machines.named(self._volumes.user(path) or "")
                if machine is not None:
                    self._estate.machines.follow_volume(machine, path, new_bytes)
            return {}

        task = Task(
            f"Change {volume.values['DeviceID']}", service, (path,),
            self._platform.seconds("resize"), finish, lambda now: promise.end(), refusal,
        )  # fmt: skip
        return self._platform.works.begin(task, {"TheElement": path, "Size": new_bytes})

    def _volume(self, parameters: Parameters, name: str) -> Instance:
        found = self._platform.get(parameters.the_path(name), "StorageVolume")
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return found

    def _must_be_free(self, volume: Instance) -> None:
        if self._platform.works.busy(volume.path) is not None:
            raise Declined(Outcome.IN_USE)

    def return_to_pool(self, service: Instance, parameters: Parameters) -> Result:
        """ReturnToStoragePool: of a volume that no machine uses and that has no copies."""
        volume = self._volume(parameters, "TheElement")
        return self.give_back(service, volume)

    def give_back(self, service: Instance, volume: Instance) -> Result:
        """Begin to take a volume away."""
        path = volume.path
        self._must_be_free(volume)
        if self._volumes.user(path) is not None or self._volumes.copies(path):
            raise Declined(Outcome.IN_USE)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._volumes.remove(path)
            return {}

        def undo(now: float) -> None:
            self._volumes.leave(path, holder)

        holder = f"(being returned: {volume.values['DeviceID']})"
        self._volumes.use(path, holder)  # no machine may have it any more
        return self._platform.works.begin(Task(
            f"Return {volume.values['DeviceID']}", service, (path,),
            self._platform.seconds("return"), finish, undo,
        ))  # fmt: skip

    def supported_size_range(self, pool: Instance, parameters: Parameters) -> Result:
        """GetSupportedSizeRange: of volumes, as large as what is left."""
        if parameters.number("ElementType") not in _POOL_TYPES:
            raise Declined(Outcome.ELEMENT_TYPE)
        left = max(0, self._platform.pools.left(pool.path))
        return Result(Outcome.DONE, {
            "MinimumVolumeSize": SMALLEST_BYTES,
            "MaximumVolumeSize": left - left % BLOCK_BYTES, "VolumeSizeDivisor": BLOCK_BYTES,
        })  # fmt: skip

    def supported_sizes(self, pool: Instance, parameters: Parameters) -> Result:
        """GetSupportedSizes: any size in a range, so there is no list of them."""
        if parameters.number("ElementType") not in _POOL_TYPES:
            raise Declined(Outcome.ELEMENT_TYPE)
        raise Declined(Outcome.OTHER_SIZES)
