"""CIM_VirtualSystemSnapshotService (DSP1042): the state of a machine, kept and given back.

A snapshot is a configuration of its own, which takes nothing from the pools. Disks and
what is in them are not simulated, so what comes back is the configuration, and with a
full snapshot the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import Machine
from cimi_cim.lab.outcomes import Declined, Outcome, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.personality import SNAPSHOTTING
from cimi_cim.lab.resources import resource_of
from cimi_cim.lab.services.claims import Claim
from cimi_cim.lab.works import Task
from cimi_cim.wbem.values import CimValue, InstancePath

FULL, DISK = 2, 3  # SnapshotType
_SETTING = "VirtualSystemSettingData"
# What a machine keeps when it goes back to a snapshot.
_KEPT = ("InstanceID", "ElementName", "VirtualSystemIdentifier", "CreationTime",
         "ConfigurationID")  # fmt: skip


@dataclass(slots=True)
class Snapshot:
    """What the platform knows of a snapshot apart from its instances."""

    path: InstancePath
    machine: Machine
    is_full: bool
    state: str
    parent: Snapshot | None


@dataclass(slots=True)
class _Line:
    """The snapshots of a machine: which it goes back to now, and which was applied last."""

    snapshots: list[Snapshot] = field(default_factory=list)
    current: Snapshot | None = None
    count: int = 0


class Snapshots:
    """Takes, applies and destroys snapshots."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._platform = estate.platform
        self._repository = estate.platform.repository
        self._known: dict[str, Snapshot] = {}
        self._lines: dict[str, _Line] = {}

    def create(self, service: Instance, parameters: Parameters) -> Result:
        """CreateSnapshot."""
        machine = self._estate.machines.at(parameters.the_path("AffectedSystem"))
        if machine is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        kind = parameters.number("SnapshotType")
        if kind not in (FULL, DISK):
            raise Declined(Outcome.INVALID_TYPE)
        given = parameters.embedded("SnapshotSettings")
        values: Mapping[str, CimValue] = {}
        if given is not None:
            values = self._estate.requests.values(given, "CIM_SettingData", _SETTING)
        if not self._estate.is_at_rest(machine):
            raise Declined(Outcome.INVALID_STATE)

        def finish(now: float) -> Mapping[str, CimValue]:
            over(now)
            return {"ResultingSnapshot": self._take(machine, kind == FULL, values, now).path}

        def over(now: float) -> None:
            self._estate.states.show(machine, machine.state, now, {})

        task = Task(
            f"Snapshot of {machine.name}", service, (machine.path, machine.setting),
            self._platform.seconds("snapshot"), finish, over,
        )  # fmt: skip
        if self._platform.works.takes_time(task):
            self._show_snapshotting(machine)
        return self._platform.works.begin(task)

    def _show_snapshotting(self, machine: Machine) -> None:
        system = self._repository.get(machine.path)
        if system is not None:
            self._repository.put(system.changed({
                "OperatingStatus": SNAPSHOTTING, "AvailableRequestedStates": (),
            }))  # fmt: skip

    def _take(
        self, machine: Machine, is_full: bool, values: Mapping[str, CimValue], now: float
    ) -> Snapshot:
        line = self._lines.setdefault(machine.path.canonical, _Line())
        line.count += 1
        setting = self._repository.get(machine.setting)
        own = {} if setting is None else setting.values
        identifier = f"{self._platform.personality.name}:snapshot:{machine.name}-{line.count}"
        title = values.get("ElementName") or f"snapshot {line.count} of {machine.title}"
        made = self._estate.configurations.put_system(identifier, {
            **own, **{n: v for n, v in values.items() if n not in _KEPT},
            "ElementName": title, "CreationTime": cim_datetime(now),
            "ConfigurationID": self._platform.new_uuid(),
        })  # fmt: skip
        for resource in self._estate.machines.resources(machine):
            self._estate.configurations.put_resource(made, resource_of(resource), None)
        self._platform.builder.link(
            "SnapshotOfVirtualSystem", Antecedent=machine.path, Dependent=made
        )
        snapshot = Snapshot(made.path, machine, is_full, machine.state, line.current)
        self._known[made.path.canonical] = snapshot
        line.snapshots.append(snapshot)
        self._set_current(line, snapshot)
        return snapshot

    def _set_current(self, line: _Line, snapshot: Snapshot | None) -> None:
        """Note which snapshot the present state of a machine comes from."""
        if line.current is not None:
            for link in self._repository.links(
                line.current.path, association=self._class("MostCurrentSnapshotInBranch")
            ):
                self._repository.remove(link.path)
        line.current = snapshot
        if snapshot is not None:
            self._platform.builder.link(
                "MostCurrentSnapshotInBranch",
                Antecedent=snapshot.machine.path, Dependent=snapshot.path,
            )  # fmt: skip

    def _class(self, name: str) -> str:
        return self._platform.builder.cls(name).name

    def _snapshot(self, parameters: Parameters, name: str) -> Snapshot:
        found = self._known.get(parameters.the_path(name).canonical)
        if found is None:
            raise Declined(Outcome.INVALID_PARAMETER)
        if not self._estate.is_at_rest(found.machine):
            raise Declined(Outcome.INVALID_STATE)
        return found

    def destroy(self, service: Instance, parameters: Parameters) -> Result:
        """DestroySnapshot: those that came after it stay."""
        snapshot = self._snapshot(parameters, "AffectedSnapshot")

        def finish(now: float) -> Mapping[str, CimValue]:
            self._forget(snapshot)
            return {}

        return self._platform.works.begin(Task(
            f"Destroy a snapshot of {snapshot.machine.name}", service,
            (snapshot.machine.path, snapshot.machine.setting, snapshot.path),
            self._platform.seconds("forget"), finish,
        ))  # fmt: skip

    def _forget(self, snapshot: Snapshot) -> None:
        line = self._lines[snapshot.machine.path.canonical]
        line.snapshots.remove(snapshot)
        for other in line.snapshots:
            if other.parent is snapshot:
                other.parent = snapshot.parent
        if line.current is snapshot:
            self._set_current(line, snapshot.parent)
        del self._known[snapshot.path.canonical]
        self._estate.configurations.remove(snapshot.path)

    def forget_all(self, machine: Machine) -> None:
        """Take the snapshots of a machine away with it."""
        line = self._lines.get(machine.path.canonical)
        for snapshot in list(line.snapshots) if line is not None else ():
            self._forget(snapshot)
        self._lines.pop(machine.path.canonical, None)

    def apply(self, service: Instance, parameters: Parameters) -> Result:
        """ApplySnapshot; a disk snapshot only to a machine that is not active."""
        snapshot = self._snapshot(parameters, "Snapshot")
        machine = snapshot.machine
        if not snapshot.is_full and self._estate.is_active(machine):
            raise Declined(Outcome.INVALID_STATE)
        settings = self._estate.machines.resources(machine)
        before = [resource_of(setting) for setting in settings]
        after = [
            resource_of(setting) for setting in self._estate.configurations.resources(snapshot.path)
        ]

        def finish(now: float) -> Mapping[str, CimValue]:
            self._estate.requests.check(after)
            claim.end()
            self._estate.machines.reconfigure(machine, self._values(snapshot), after)
            state = snapshot.state if snapshot.is_full else machine.state
            self._estate.states.show(machine, state, now, {})
            self._note_applied(snapshot)
            return {}

        with Claim(self._estate, machine.host, machine.name) as claim:
            claim.volumes(after, before)
            return claim.begin(Task(
                f"Apply a snapshot to {machine.name}", service,
                (machine.path, machine.setting, snapshot.path),
                self._platform.seconds("restore"), finish, claim.undo,
                claim.pools(after, before),
            ))  # fmt: skip

    def _values(self, snapshot: Snapshot) -> dict[str, CimValue]:
        """The setting data of a machine when it has gone back to a snapshot."""
        kept = self._repository.get(snapshot.path)
        present = self._repository.get(snapshot.machine.setting)
        if kept is None or present is None:
            return {}
        gone: dict[str, CimValue] = dict.fromkeys(present.values)
        wanted = {n: v for n, v in kept.values.items() if n not in _KEPT}
        return {**{n: v for n, v in gone.items() if n not in _KEPT}, **wanted}

    def _note_applied(self, snapshot: Snapshot) -> None:
        machine = snapshot.machine.path
        association = self._class("LastAppliedSnapshot")
        for link in self._repository.links(machine, association=association):
            self._repository.remove(link.path)
        self._platform.builder.link(
            "LastAppliedSnapshot", Antecedent=snapshot.path, Dependent=machine
        )
        self._set_current(self._lines[machine.canonical], snapshot)
