"""AddResourceSettings, ModifyResourceSettings and RemoveResourceSettings (DSP1041, DSP1042).

The setting data of a machine's state is that of its definition: what is changed while
the machine is active is changed hot, where the personality has that, and its devices
follow; else it is changed cold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cimi_cim.lab import resources
from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import Machine
from cimi_cim.lab.outcomes import Declined, Outcome, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.platform import Host
from cimi_cim.lab.requested import Draft
from cimi_cim.lab.resources import Resource
from cimi_cim.lab.services.claims import Claim
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

_SETTINGS = (
    "ProcessorSettingData", "MemorySettingData", "StorageSettingData", "NetworkAdapterSettingData",
)  # fmt: skip


class ResourceChanges:
    """Changes what machines have."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._platform = estate.platform

    def add(self, service: Instance, parameters: Parameters) -> Result:
        """AddResourceSettings."""
        path = parameters.the_path("AffectedConfiguration")
        machine = _known(self._estate.machines.of_setting(path))
        settings = parameters.all_embedded("ResourceSettings")
        if not settings:
            raise Declined(Outcome.INVALID_PARAMETER)
        draft = self._draft(machine)
        wanted = [
            self._estate.requests.connected(
                self._estate.requests.read(setting, draft), machine.host
            )
            for setting in settings
        ]
        if any(r.kind.is_single or _is_elsewhere(r, machine.host) for r in wanted):
            raise Declined(Outcome.INVALID_PARAMETER)
        self._must_allow(machine, "add", wanted)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._estate.requests.check(wanted)
            claim.end()
            made = tuple(self._estate.machines.add_resource(machine, r).path for r in wanted)
            return {"ResultingResourceSettings": made}

        with Claim(self._estate, machine.host, machine.name) as claim:
            claim.volumes(wanted)
            return claim.begin(Task(
                f"Add resources to {machine.name}", service, _of(machine),
                self._platform.seconds("add"), finish, claim.undo, claim.pools(wanted),
            ))  # fmt: skip

    def _draft(self, machine: Machine) -> Draft:
        draft = Draft(machine.parts)
        for setting in self._estate.machines.resources(machine):
            draft.know(resources.resource_of(setting))
        return draft

    def modify(self, service: Instance, parameters: Parameters) -> Result:
        """ModifyResourceSettings: all of them or none."""
        embedded = parameters.all_embedded("ResourceSettings")
        settings = [self._setting(item) for item in embedded]
        machine = _known(self._one_machine([s.path for s in settings]))
        before = [resources.resource_of(setting) for setting in settings]
        after = [
            self._estate.requests.read_change(item, setting)
            for item, setting in zip(embedded, settings, strict=True)
        ]
        self._must_allow(machine, "change", after)
        self._must_differ(machine, after)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._estate.requests.check(after)
            claim.end()
            for setting, resource in zip(settings, after, strict=True):
                self._estate.machines.replace_resource(machine, setting, resource)
            return {"ResultingResourceSettings": tuple(setting.path for setting in settings)}

        with Claim(self._estate, machine.host, machine.name) as claim:
            return claim.begin(Task(
                f"Change resources of {machine.name}", service,
                (*_of(machine), *(setting.path for setting in settings)),
                self._platform.seconds("change"), finish, claim.undo,
                claim.pools(after, before),
            ))  # fmt: skip

    def _setting(self, embedded: EmbeddedInstance) -> Instance:
        """The setting that an embedded instance is a new version of, by its InstanceID."""
        lowered = {name.lower(): value for name, value in embedded.values.items()}
        kind = self._estate.requests.kind(embedded)
        path = self._platform.builder.path(kind.setting, InstanceID=str(lowered.get("instanceid")))
        found = self._platform.get(path, kind.setting)
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return found

    def _must_differ(self, machine: Machine, after: Sequence[Resource]) -> None:
        """No two disks of a machine may be seen at the same address."""
        changed = {resource.part for resource in after}
        others = (resources.resource_of(s) for s in self._estate.machines.resources(machine))
        all_resources = [*after, *(r for r in others if r.part not in changed)]
        addresses = [
            r.values.get("AddressOnParent") for r in all_resources if r.part.startswith("disk")
        ]
        if len(changed) != len(after) or len(set(addresses)) != len(addresses):
            raise Declined(Outcome.INVALID_PARAMETER)

    def remove(self, service: Instance, parameters: Parameters) -> Result:
        """RemoveResourceSettings; a processor or memory setting every machine needs."""
        paths = list(dict.fromkeys(parameters.paths("ResourceSettings")))
        machine = _known(self._one_machine(paths))
        settings = [found for p in paths if (found := self._platform.get(p, *_SETTINGS))]
        kinds = [resources.resource_of(setting) for setting in settings]
        if any(resource.kind.is_single for resource in kinds):
            raise Declined(Outcome.INVALID_PARAMETER)
        self._must_allow(machine, "remove", kinds)

        def finish(now: float) -> Mapping[str, CimValue]:
            for setting in settings:
                self._estate.machines.remove_resource(setting)
            return {}

        return self._platform.works.begin(Task(
            f"Remove resources of {machine.name}", service, (*_of(machine), *paths),
            self._platform.seconds("remove"), finish,
        ))  # fmt: skip

    def _one_machine(self, settings: Sequence[InstancePath]) -> Machine | None:
        """The machine that all settings belong to, None for several or none."""
        owners = {self._estate.configurations.owner(path) for path in settings}
        owner = owners.pop() if len(owners) == 1 else None
        return None if owner is None else self._estate.machines.of_setting(owner)

    def _must_allow(self, machine: Machine, what: str, wanted: Sequence[Resource]) -> None:
        if not self._estate.is_at_rest(machine):
            raise Declined(Outcome.INVALID_STATE)
        hot = self._platform.personality.hot[what]
        if self._estate.is_active(machine) and not all(r.kind in hot for r in wanted):
            raise Declined(Outcome.INVALID_STATE)


def _known(machine: Machine | None) -> Machine:
    if machine is None:
        raise Declined(Outcome.INVALID_PARAMETER)
    return machine


def _is_elsewhere(resource: Resource, host: Host) -> bool:
    """Whether a resource is wanted from a pool of another host."""
    return resource.pool_id is not None and resource.pool_id != host.pool_ids[resource.kind]


def _of(machine: Machine) -> tuple[InstancePath, ...]:
    return (machine.path, machine.setting)
