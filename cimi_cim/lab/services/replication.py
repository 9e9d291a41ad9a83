"""Copies of volumes: CIM_ReplicationService, and the older methods of storage configuration.

A snapshot stays bound to its source, by a CIM_StorageSynchronized; a clone is bound to it
only while it is being copied, and is a volume like any other then.
"""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.outcomes import Declined, Outcome, Refusal, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.platform import Host
from cimi_cim.lab.resources import Kind
from cimi_cim.lab.services.storage import LONGEST_NAME, Storage
from cimi_cim.lab.volumes import (
    ASYNCHRONOUS,
    CLONE,
    COMPLETED,
    REPLICA_TARGET,
    RESTORING,
    SNAPSHOT,
    SYNCHRONIZED,
    UNRESTRICTED,
    VolumeSpec,
)
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import CimValue, InstancePath

# Operation of ModifyReplicaSynchronization, and of ModifySynchronization.
DETACH, RESTORE, RETURN = 8, 15, 19
_OLD_DETACH, _OLD_RESTORE = 2, 5
_OPERATIONS = range(2, 28)
_OLD_OPERATIONS = range(2, 14)
# CopyType of CreateReplica: UnSyncAssoc, UnSyncUnAssoc.
_SYNC_TYPES = {4: SNAPSHOT, 5: CLONE}
_OLD_COPY_TYPES = (2, 3)


class Replication:
    """Makes copies of volumes, and does with them what can be done."""

    def __init__(self, estate: Estate, storage: Storage) -> None:
        self._estate = estate
        self._platform = estate.platform
        self._volumes = estate.volumes
        self._storage = storage

    def create_element_replica(self, service: Instance, parameters: Parameters) -> Result:
        """CreateElementReplica: a snapshot or a clone, of which this makes the target."""
        sync_type = parameters.number("SyncType")
        if sync_type not in (SNAPSHOT, CLONE):
            is_known = sync_type in (6, 9)
            raise Declined(Outcome.NOT_SUPPORTED if is_known else Outcome.INVALID_PARAMETER)
        if parameters.number("Mode") not in (None, ASYNCHRONOUS):
            raise Declined(Outcome.NOT_SUPPORTED)
        if parameters.path("TargetElement") is not None:
            raise Declined(Outcome.NOT_SUPPORTED)
        if parameters.path("TargetSettingGoal") is not None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return self._copy(service, parameters, sync_type)

    def create_replica(self, service: Instance, parameters: Parameters) -> Result:
        """CreateReplica, as older clients ask for it."""
        copy_type = parameters.number("CopyType")
        if copy_type in _OLD_COPY_TYPES:
            raise Declined(Outcome.NOT_SUPPORTED)
        sync_type = _SYNC_TYPES.get(copy_type or 0)
        if sync_type is None or parameters.path("TargetSettingGoal") is not None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return self._copy(service, parameters, sync_type)

    def _copy(self, service: Instance, parameters: Parameters, sync_type: int) -> Result:
        source = self._platform.get(parameters.the_path("SourceElement"), "StorageVolume")
        host = self._host(parameters.path("TargetPool"), source)
        title = parameters.text("ElementName")
        if source is None or host is None or len(title or "") > LONGEST_NAME:
            raise Declined(Outcome.INVALID_PARAMETER)
        if not self._volumes.is_ready(source) or self._platform.works.busy(source.path):
            raise Declined(Outcome.IN_USE)
        device = f"vol-{self._platform.new_uuid()}"
        size_bytes = self._volumes.size_bytes(source)
        spec = VolumeSpec(
            device, title or device, size_bytes, self._platform.clock(),
            source.values.get("ThinlyProvisioned") is True, REPLICA_TARGET,
        )  # fmt: skip
        refusal = self._room(host, 0 if spec.is_thin else size_bytes)
        if refusal is not None:
            return self._platform.works.begin(Task(
                f"Copy {source.values['DeviceID']}", service, (),
                self._platform.seconds("copy"), lambda now: {}, refusal=refusal,
            ))  # fmt: skip
        return self._begin_copy(service, host, source, spec, sync_type)

    def _host(self, pool: InstancePath | None, source: Instance | None) -> Host | None:
        """Where a copy goes: into the pool that is named, or that of its source."""
        if pool is None and source is not None:
            pool = self._volumes.pool_of(source.path)
        return None if pool is None else self._estate.hosts.of_pool(pool)

    def _room(self, host: Host, size_bytes: int) -> Refusal | None:
        try:
            self._platform.pools.promise({host.pools[Kind.VOLUME]: size_bytes}).end()
        except Refusal as refusal:
            return refusal
        return None

    def _begin_copy(
        self, service: Instance, host: Host, source: Instance, spec: VolumeSpec, sync_type: int
    ) -> Result:
        replica, link = self._volumes.copy(host, source, spec, sync_type, is_ready=False)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._volumes.ready(replica.path)
            if sync_type == CLONE:
                self._detach(link.path, replica.path)
                return {"TargetElement": replica.path}
            self._show(link.path, {
                "CopyState": SYNCHRONIZED, "ProgressStatus": COMPLETED, "PercentSynced": 100,
            })  # fmt: skip
            return {"TargetElement": replica.path}

        def undo(now: float) -> None:
            self._volumes.remove(replica.path)

        task = Task(
            f"Copy {source.values['DeviceID']}", service, (replica.path,),
            self._platform.seconds("copy"), finish, undo,
        )  # fmt: skip
        made: dict[str, CimValue] = {"TargetElement": replica.path}
        if sync_type == SNAPSHOT:
            made["Synchronization"] = link.path
        return self._platform.works.begin(task, made)

    def _show(self, link: InstancePath, changes: Mapping[str, CimValue]) -> None:
        found = self._platform.repository.get(link)
        if found is not None:
            self._platform.repository.put(found.changed(changes))

    def _detach(self, link: InstancePath, replica: InstancePath) -> None:
        self._platform.repository.remove(link)
        self._volumes.show(replica, {"Usage": UNRESTRICTED})

    def modify_replica(self, service: Instance, parameters: Parameters) -> Result:
        """ModifyReplicaSynchronization: detach, restore from the replica, give it back."""
        operation = parameters.number("Operation")
        link = self._link(parameters)
        if operation == DETACH:
            return self._begin_detach(service, link)
        if operation == RESTORE:
            return self._begin_restore(service, link)
        if operation == RETURN:
            return self._storage.give_back(service, self._end(link, "SyncedElement"))
        is_known = operation in _OPERATIONS
        raise Declined(Outcome.NOT_SUPPORTED if is_known else Outcome.INVALID_PARAMETER)

    def modify_synchronization(self, service: Instance, parameters: Parameters) -> Result:
        """ModifySynchronization, as older clients ask for it."""
        operation = parameters.number("Operation")
        link = self._link(parameters)
        if operation == _OLD_DETACH:
            return self._begin_detach(service, link)
        if operation == _OLD_RESTORE:
            return self._begin_restore(service, link)
        is_known = operation in _OLD_OPERATIONS
        raise Declined(Outcome.NOT_SUPPORTED if is_known else Outcome.INVALID_PARAMETER)

    def _link(self, parameters: Parameters) -> Instance:
        """The synchronization, which must be there and not be worked on."""
        link = self._platform.get(parameters.the_path("Synchronization"), "StorageSynchronized")
        if link is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        ends = (self._end(link, "SystemElement"), self._end(link, "SyncedElement"))
        if any(self._platform.works.busy(end.path) for end in ends):
            raise Declined(Outcome.IN_USE)
        return link

    def _end(self, link: Instance, role: str) -> Instance:
        path = link.values.get(role)
        found = self._platform.repository.get(path) if isinstance(path, InstancePath) else None
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return found

    def _begin_detach(self, service: Instance, link: Instance) -> Result:
        replica = self._end(link, "SyncedElement").path

        def finish(now: float) -> Mapping[str, CimValue]:
            self._detach(link.path, replica)
            return {}

        return self._platform.works.begin(Task(
            "Detach a copy", service, (replica,), self._platform.seconds("revert"), finish
        ))  # fmt: skip

    def _begin_restore(self, service: Instance, link: Instance) -> Result:
        source, replica = self._end(link, "SystemElement"), self._end(link, "SyncedElement")
        if self._volumes.size_bytes(source) < self._volumes.size_bytes(replica):
            raise Declined(Outcome.INVALID_PARAMETER)

        def over(now: float) -> None:
            self._show(link.path, {"ProgressStatus": COMPLETED})

        def finish(now: float) -> Mapping[str, CimValue]:
            over(now)
            return {}

        task = Task(
            f"Restore {source.values['DeviceID']}", service, (source.path, replica.path),
            self._platform.seconds("revert"), finish, over,
        )  # fmt: skip
        if self._platform.works.takes_time(task):
            self._show(link.path, {"ProgressStatus": RESTORING})
        return self._platform.works.begin(task)
