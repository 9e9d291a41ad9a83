"""What the WBEM services of the simulated platform do: one module per service."""

from __future__ import annotations

from cimi_cim.lab.estate import Estate
from cimi_cim.lab.methods import Handlers
from cimi_cim.lab.services.definitions import Definitions
from cimi_cim.lab.services.job_control import JobControl
from cimi_cim.lab.services.resource_changes import ResourceChanges

_MANAGEMENT = "VirtualSystemManagementService"


def method_handlers(estate: Estate) -> Handlers:
    """Return what answers each method that is implemented."""
    systems = Definitions(estate)
    changes = ResourceChanges(estate)
    jobs = JobControl(estate.platform)
    return {
        ("VirtualSystem", "RequestStateChange"): estate.states.request,
        ("VirtualSwitch", "RequestStateChange"): estate.states.request_of_switch,
        ("ConcreteJob", "RequestStateChange"): jobs.request_state_change,
        ("ConcreteJob", "GetErrors"): jobs.get_errors,
        ("ConcreteJob", "GetError"): jobs.get_error,
        (_MANAGEMENT, "DefineSystem"): systems.define,
        (_MANAGEMENT, "DestroySystem"): systems.destroy,
        (_MANAGEMENT, "ModifySystemSettings"): systems.modify,
        (_MANAGEMENT, "AddResourceSettings"): changes.add,
        (_MANAGEMENT, "ModifyResourceSettings"): changes.modify,
        (_MANAGEMENT, "RemoveResourceSettings"): changes.remove,
    }
