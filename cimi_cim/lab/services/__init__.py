"""What the WBEM services of the simulated platform do: one module per service."""

from __future__ import annotations

from cimi_cim.lab.estate import Estate
from cimi_cim.lab.methods import Handlers
from cimi_cim.lab.services.definitions import Definitions
from cimi_cim.lab.services.job_control import JobControl
from cimi_cim.lab.services.replication import Replication
from cimi_cim.lab.services.resource_changes import ResourceChanges
from cimi_cim.lab.services.snapshots import Snapshots
from cimi_cim.lab.services.storage import Storage

_MANAGEMENT = "VirtualSystemManagementService"
_SNAPSHOTS = "VirtualSystemSnapshotService"
_STORAGE = "StorageConfigurationService"
_REPLICATION = "ReplicationService"


def method_handlers(estate: Estate) -> Handlers:
    """Return what answers each method that is implemented."""
    snapshots = Snapshots(estate)
    systems = Definitions(estate, snapshots)
    changes = ResourceChanges(estate)
    storage = Storage(estate)
    replication = Replication(estate, storage)
    jobs = JobControl(estate.platform)
    return {
        ("VirtualSystem", "RequestStateChange"): estate.states.request,
        ("VirtualSwitch", "RequestStateChange"): estate.states.request_of_switch,
        ("EthernetPort", "RequestStateChange"): estate.states.request_of_port,
        ("ConcreteJob", "RequestStateChange"): jobs.request_state_change,
        ("ConcreteJob", "GetErrors"): jobs.get_errors,
        ("ConcreteJob", "GetError"): jobs.get_error,
        (_MANAGEMENT, "DefineSystem"): systems.define,
        (_MANAGEMENT, "DestroySystem"): systems.destroy,
        (_MANAGEMENT, "ModifySystemSettings"): systems.modify,
        (_MANAGEMENT, "AddResourceSettings"): changes.add,
        (_MANAGEMENT, "ModifyResourceSettings"): changes.modify,
        (_MANAGEMENT, "RemoveResourceSettings"): changes.remove,
        (_SNAPSHOTS, "CreateSnapshot"): snapshots.create,
        (_SNAPSHOTS, "ApplySnapshot"): snapshots.apply,
        (_SNAPSHOTS, "DestroySnapshot"): snapshots.destroy,
        (_STORAGE, "CreateOrModifyElementFromStoragePool"): storage.create_or_modify,
        (_STORAGE, "ReturnToStoragePool"): storage.return_to_pool,
        (_STORAGE, "CreateReplica"): replication.create_replica,
        (_STORAGE, "ModifySynchronization"): replication.modify_synchronization,
        ("StoragePool", "GetSupportedSizeRange"): storage.supported_size_range,
        ("StoragePool", "GetSupportedSizes"): storage.supported_sizes,
        (_REPLICATION, "CreateElementReplica"): replication.create_element_replica,
        (_REPLICATION, "ModifyReplicaSynchronization"): replication.modify_replica,
    }
