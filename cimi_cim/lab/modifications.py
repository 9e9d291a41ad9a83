"""The few instances that clients may make, change or delete directly (DSP0200 5.3.2).

What they want to hear is made and deleted like this (`subscriptions`). A volume takes another
ElementName; a job another `DeleteOnCompletion` and `TimeBeforeRemoval`, and it may be deleted
once it is over. All else is changed by methods.
"""

from __future__ import annotations

from pywbem import (
    CIM_ERR_FAILED,
    CIM_ERR_INVALID_PARAMETER,
    CIM_ERR_NO_SUCH_PROPERTY,
    CIM_ERR_NOT_FOUND,
    CIM_ERR_NOT_SUPPORTED,
    CIM_ERR_TYPE_MISMATCH,
)

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.builder import interval_seconds
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.parameters import fits
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.subscriptions import Subscriptions
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath

_WRITABLE = {
    "StorageVolume": ("ElementName",),
    "ConcreteJob": ("DeleteOnCompletion", "TimeBeforeRemoval"),
}
LONGEST_NAME = 255


class Modifications:
    """Answers ModifyInstance, DeleteInstance and, with `subscriptions`, CreateInstance."""

    def __init__(self, platform: Platform, subscriptions: Subscriptions | None = None) -> None:
        self._platform = platform
        self._repository = platform.repository
        self._subscriptions = subscriptions
        self.operations = {"ModifyInstance": self._modify, "DeleteInstance": self._delete}
        if subscriptions is not None:
            self.operations["CreateInstance"] = subscriptions.create

    def _modify(self, call: IntrinsicCall) -> Reply:
        modified = call.parameters.get("ModifiedInstance")
        if not isinstance(modified, tuple):
            raise CimError(CIM_ERR_INVALID_PARAMETER, "ModifyInstance needs a ModifiedInstance")
        path, instance = modified
        found = self._found(path)
        changes = self._changes(found, instance, call.parameters.get("PropertyList"))
        if not changes:
            return Reply()
        if self._kind(found) == "StorageVolume":
            self._rename(found, changes)
        else:
            self._keep(found, changes)
        return Reply()

    def _found(self, path: object) -> Instance:
        found = self._repository.get(path) if isinstance(path, InstancePath) else None
        if found is None:
            raise CimError(CIM_ERR_NOT_FOUND, "there is no such instance")
        return found

    def _kind(self, found: Instance) -> str:
        return found.cls.name.removeprefix(self._platform.personality.prefix)

    def _changes(
        self, found: Instance, instance: EmbeddedInstance, wanted: object
    ) -> dict[str, CimValue]:
        """The properties that get other values; only those may that are writable."""
        writable = _WRITABLE.get(self._kind(found), ())
        listed = {str(n).lower() for n in wanted} if isinstance(wanted, tuple) else None
        changes: dict[str, CimValue] = {}
        for name, value in instance.values.items():
            declared = found.cls.properties.get(name.lower())
            if declared is None:
                raise CimError(CIM_ERR_NO_SUCH_PROPERTY, f"{found.cls.name} has no {name}")
            if listed is not None and name.lower() not in listed:
                continue
            if not fits(value, declared):
                raise CimError(CIM_ERR_TYPE_MISMATCH, f"{name} must be a {declared.type}")
            if found.values.get(declared.name) == value:
                continue
            if declared.name not in writable:
                raise CimError(CIM_ERR_NOT_SUPPORTED, f"{declared.name} cannot be changed")
            changes[declared.name] = value
        return changes

    def _rename(self, volume: Instance, changes: dict[str, CimValue]) -> None:
        title = changes["ElementName"]
        if not isinstance(title, str) or not 0 < len(title) <= LONGEST_NAME:
            raise CimError(
                CIM_ERR_INVALID_PARAMETER, f"ElementName has 1 to {LONGEST_NAME} characters"
            )
        if self._platform.works.busy(volume.path) is not None:
            raise CimError(CIM_ERR_FAILED, "In Use: the volume is being worked on")
        self._repository.put(volume.changed(changes))

    def _keep(self, job: Instance, changes: dict[str, CimValue]) -> None:
        kept = changes.get("TimeBeforeRemoval", job.values.get("TimeBeforeRemoval"))
        if not isinstance(kept, CimDateTime) or interval_seconds(kept) is None:
            raise CimError(CIM_ERR_INVALID_PARAMETER, "TimeBeforeRemoval is an interval")
        self._platform.jobs.keep(job, changes, self._platform.clock())

    def _delete(self, call: IntrinsicCall) -> Reply:
        found = self._found(call.parameters.get("InstanceName"))
        if self._subscriptions is not None and self._subscriptions.knows(found.cls.name):
            return self._subscriptions.delete(found)
        if self._kind(found) != "ConcreteJob":
            raise CimError(CIM_ERR_NOT_SUPPORTED, f"a {found.cls.name} is not deleted like this")
        if self._platform.jobs.find(found.path) is not None:
            raise CimError(CIM_ERR_FAILED, "the job is running; terminate it first")
        self._platform.jobs.remove(found.path)
        return Reply()
