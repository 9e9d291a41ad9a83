"""DefineSystem, DestroySystem and ModifySystemSettings (DSP1042), of machines and switches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from cimi_cim.lab import resources
from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import Blueprint
from cimi_cim.lab.outcomes import Declined, Outcome, Reason, Refusal, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.platform import Host
from cimi_cim.lab.requested import Draft
from cimi_cim.lab.resources import Kind, Resource
from cimi_cim.lab.services.claims import Claim
from cimi_cim.lab.services.snapshots import Snapshots
from cimi_cim.lab.switches import Switch
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import CimValue, EmbeddedInstance

_VSSD, _SWITCH_VSSD = "CIM_VirtualSystemSettingData", "CIM_VirtualEthernetSwitchSettingData"
_OUR_VSSD, _OUR_SWITCH_VSSD = "VirtualSystemSettingData", "VirtualSwitchSettingData"
_NAME = re.compile(r'[^/:"\\\x00-\x1f\x7f]{1,128}\Z')
# What the platform gives a system; a client may repeat it, but not change it.
OWN = ("InstanceID", "VirtualSystemIdentifier", "VirtualSystemType", "CreationTime",
       "ConfigurationID")  # fmt: skip


class Definitions:
    """Makes, destroys and changes virtual systems."""

    def __init__(self, estate: Estate, snapshots: Snapshots) -> None:
        self._estate = estate
        self._snapshots = snapshots
        self._platform = estate.platform

    def define(self, service: Instance, parameters: Parameters) -> Result:
        """DefineSystem."""
        given = parameters.embedded("SystemSettings")
        if given is not None and self._is_switch(given):
            return self._define_switch(service, given, parameters)
        values: Mapping[str, CimValue] = {}
        if given is not None:
            values = self._estate.requests.values(given, _VSSD, _OUR_VSSD)
        reference = self._reference(parameters)
        name, title = self._names_of(values)
        wanted = self._wanted(reference, parameters.all_embedded("ResourceSettings"))
        host = self._estate.hosts.place(wanted)
        if host is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        wanted = [self._estate.requests.connected(resource, host) for resource in wanted]
        if reference is not None:
            values = {**_inherited(reference), **values}
        blueprint = Blueprint(
            name, title, self._platform.new_uuid(), self._platform.clock(), "defined",
            tuple(wanted), {n: v for n, v in values.items() if n not in (*OWN, "ElementName")},
        )  # fmt: skip
        return self._begin_machine(service, host, blueprint)

    def _begin_machine(self, service: Instance, host: Host, blueprint: Blueprint) -> Result:
        wanted = list(blueprint.resources)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._estate.requests.check(wanted)
            claim.end()
            machine = self._estate.machines.add(replace(blueprint, created=now), host)
            return {"ResultingSystem": machine.path}

        with Claim(self._estate, host, blueprint.name) as claim:
            claim.name("identifier", blueprint.name)
            claim.name("name", blueprint.title)
            claim.volumes(wanted)
            return claim.begin(Task(
                f"Define {blueprint.name}", service, (), self._platform.seconds("define"),
                finish, claim.undo, claim.pools(wanted),
            ))  # fmt: skip

    def _is_switch(self, given: EmbeddedInstance) -> bool:
        found = self._platform.repository.classes.find(given.classname)
        return found is not None and _SWITCH_VSSD.lower() in found.lineage

    def _reference(self, parameters: Parameters) -> Instance | None:
        path = parameters.path("ReferenceConfiguration")
        if path is None:
            return None
        found = self._platform.get(path, _OUR_VSSD)
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        return found

    def _names_of(self, values: Mapping[str, CimValue]) -> tuple[str, str]:
        """The identifier of a new system, and what people call it."""
        types = self._platform.personality.system_types
        if values.get("VirtualSystemType", types[0]) not in types:
            raise Declined(Outcome.INVALID_PARAMETER)
        name = str(values.get("VirtualSystemIdentifier") or f"vm-{self._platform.new_uuid()}")
        title = str(values.get("ElementName") or name)
        if not _NAME.match(name) or len(title) > 255:
            raise Declined(Outcome.INVALID_PARAMETER)
        return name, title

    def _wanted(
        self, reference: Instance | None, settings: list[EmbeddedInstance]
    ) -> list[Resource]:
        """The resources of a new machine: those asked for, and what they leave open.

        A processor or memory setting takes the place of the one of the reference, the
        n-th disk that of its n-th disk, which must not become smaller. Network adapters
        and further disks come on top. A processor and memory there are always.
        """
        draft = Draft()
        copied = [] if reference is None else self._copied(reference, draft)
        asked = [self._estate.requests.read(setting, draft) for setting in settings]
        disks = [r for r in copied if r.kind is Kind.DISK]
        found = []
        for resource in asked:
            if resource.kind is Kind.DISK and disks:
                replaced = disks.pop(0)
                if resource.amount < replaced.amount:
                    raise Declined(Outcome.INVALID_PARAMETER)
                copied.remove(replaced)
            found.append(resource)
        for kind in (Kind.PROCESSOR, Kind.MEMORY):
            there = [r for r in found if r.kind is kind]
            if len(there) > 1:
                raise Declined(Outcome.INVALID_PARAMETER)
            if there:
                copied = [r for r in copied if r.kind is not kind]
            elif not any(r.kind is kind for r in copied):
                empty = EmbeddedInstance(
                    self._platform.builder.cls(kind.setting).name,
                    {"ResourceType": kind.resource_type},
                )
                found.append(self._estate.requests.read(empty, draft))
        return _in_order([*copied, *found])

    def _copied(self, reference: Instance, draft: Draft) -> list[Resource]:
        """The resources of a configuration for another machine: not its volumes."""
        copied = []
        for setting in self._estate.configurations.resources(reference.path):
            resource = resources.resource_of(setting)
            if resource.kind is Kind.VOLUME:
                continue
            draft.know(resource)
            if resource.kind is Kind.ADAPTER:
                resource = resource.changed({"Address": self._platform.new_mac_address()})
            copied.append(resource)
        return copied

    def _define_switch(
        self, service: Instance, given: EmbeddedInstance, parameters: Parameters
    ) -> Result:
        host = self._estate.hosts.all()[0]
        values = self._estate.requests.values(given, _SWITCH_VSSD, _OUR_SWITCH_VSSD)
        if parameters.all_embedded("ResourceSettings") or parameters.path("ReferenceConfiguration"):
            raise Declined(Outcome.INVALID_PARAMETER)
        name, title = self._names_of(values)
        kept = {n: v for n, v in values.items() if n not in (*OWN, "ElementName")}

        def finish(now: float) -> Mapping[str, CimValue]:
            claim.end()
            uuid = self._platform.new_uuid()
            switch = self._estate.switches.add(host, name, title, uuid, now, kept, is_enabled=False)
            return {"ResultingSystem": switch.path}

        with Claim(self._estate, host, name) as claim:
            claim.name("identifier", name)
            claim.name("name", title)
            return claim.begin(Task(
                f"Define {name}", service, (), self._platform.seconds("define"), finish,
                claim.undo,
            ))  # fmt: skip

    def destroy(self, service: Instance, parameters: Parameters) -> Result:
        """DestroySystem."""
        path = parameters.the_path("AffectedSystem")
        switch = self._estate.switches.at(path)
        if switch is not None:
            return self._destroy_switch(service, switch)
        machine = self._estate.machines.at(path)
        if machine is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        if self._estate.is_active(machine) or not self._estate.is_at_rest(machine):
            raise Declined(Outcome.INVALID_STATE)

        def finish(now: float) -> Mapping[str, CimValue]:
            self._snapshots.forget_all(machine)
            self._estate.machines.remove(machine)
            return {}

        return self._platform.works.begin(Task(
            f"Destroy {machine.name}", service, (path, machine.setting),
            self._platform.seconds("destroy"), finish,
        ))  # fmt: skip

    def _destroy_switch(self, service: Instance, switch: Switch) -> Result:
        switches = self._estate.switches
        if switches.is_needed(switch) or self._platform.works.busy(switch.path) is not None:
            raise Declined(Outcome.INVALID_STATE)

        def finish(now: float) -> Mapping[str, CimValue]:
            if switches.is_needed(switch):
                raise Refusal(Reason.IN_USE, f"the switch {switch.name} is connected")
            switches.remove(switch)
            return {}

        return self._platform.works.begin(Task(
            f"Destroy {switch.name}", service, (switch.path, switch.setting),
            self._platform.seconds("destroy"), finish,
        ))  # fmt: skip

    def modify(self, service: Instance, parameters: Parameters) -> Result:
        """ModifySystemSettings; what is NULL stays as it is."""
        given = parameters.embedded("SystemSettings")
        if given is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        ours = _OUR_SWITCH_VSSD if self._is_switch(given) else _OUR_VSSD
        values = self._estate.requests.values(given, _VSSD, ours)
        setting = self._platform.get(
            self._platform.builder.path(ours, InstanceID=str(values.get("InstanceID"))), ours
        )
        if setting is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        changes = _changes(setting, values)
        machine = self._estate.machines.of_setting(setting.path)
        switch = self._estate.switches.of_setting(setting.path)
        system = machine or switch
        if system is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        if self._platform.works.busy(system.path) is not None:
            raise Declined(Outcome.INVALID_STATE)

        def finish(now: float) -> Mapping[str, CimValue]:
            claim.end()
            if machine is not None:
                self._estate.machines.change(machine, changes)
            elif switch is not None:
                self._estate.switches.change(switch, changes)
            return {}

        with Claim(self._estate, system.host, system.name) as claim:
            if "ElementName" in changes:
                claim.name("name", str(changes["ElementName"]))
            return claim.begin(Task(
                f"Change {system.name}", service, (system.path, system.setting),
                self._platform.seconds("change"), finish, claim.undo,
            ))  # fmt: skip


def _inherited(reference: Instance) -> dict[str, CimValue]:
    return {n: v for n, v in reference.values.items() if n not in (*OWN, "ElementName")}


def _changes(setting: Instance, values: Mapping[str, CimValue]) -> dict[str, CimValue]:
    """What is to be changed; declined where the platform alone says it."""
    changes = {n: v for n, v in values.items() if setting.values.get(n) != v}
    if any(name in changes for name in OWN):
        raise Declined(Outcome.INCOMPATIBLE)
    title = changes.get("ElementName")
    if title is not None and (not isinstance(title, str) or not 0 < len(title) <= 255):
        raise Declined(Outcome.INVALID_PARAMETER)
    return changes


def _in_order(found: list[Resource]) -> list[Resource]:
    order = list(Kind)
    return sorted(found, key=lambda resource: order.index(resource.kind))
