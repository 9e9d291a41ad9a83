"""Whatever is done with Machines in whatever order, the model, the bridge and the lab agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.clouds import Cloud, action
from tests.states.running import run

LEADS_TO = {
    "STOPPED": {"start": "STARTED", "restart": "STARTED"},
    "STARTED": {
        "stop": "STOPPED", "restart": "STARTED", "pause": "PAUSED", "suspend": "SUSPENDED",
    },
    "PAUSED": {"start": "STARTED", "stop": "STOPPED", "suspend": "SUSPENDED"},
    "SUSPENDED": {"start": "STARTED"},
}  # fmt: skip
ENABLED = {"STARTED": 2, "STOPPED": 3, "SUSPENDED": 6, "PAUSED": 9}
ACTIVE = ("STARTED", "PAUSED")
"""What has its processors in use, so that their number cannot be changed in the lab."""
PROCESSOR, MEMORY, DISK = 3, 4, 31

states = st.sampled_from(sorted(ENABLED))
cpus = st.integers(1, 4)
memories = st.sampled_from([262144, 524288, 1048576])
capacities = st.sampled_from([2048, 4096, 8192])
numbers = count()


@dataclass(frozen=True)
class Known:
    """What a Machine must be."""

    name: str
    state: str
    cpu: int
    memory: int
    disks: tuple[int, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)


class Machines(RuleBasedStateMachine):
    """A client at work on the Machines of a cloud."""

    machines: Bundle[str] = Bundle("machines")
    snapshots: Bundle[tuple[str, str]] = Bundle("snapshots")

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.known: dict[str, Known] = {}
        self.taken: dict[str, dict[str, Known]] = {}
        self.touched: set[str] = set()
        self.others = self.shown().keys()

    def shown(self) -> dict[str, dict[str, Any]]:
        found = self.cloud.get("machines")["machines"]
        return {machine["id"]: machine for machine in found}

    def becomes(self, machine: str, **values: Any) -> None:
        self.known[machine] = replace(self.known[machine], **values)
        self.touched.add(machine)

    @rule(
        target=machines, cpu=cpus, memory=memories, state=states,
        disks=st.lists(capacities, max_size=2),
    )  # fmt: skip
    def create(self, cpu: int, memory: int, state: str, disks: list[int]) -> str:
        name = f"machine-{next(numbers)}"
        config = {"cpu": cpu, "memory": memory, "disks": [{"capacity": size} for size in disks]}
        template = {"machineConfig": config, "initialState": state}
        made = self.cloud.made("machines", {"name": name, "machineTemplate": template})
        machine = str(made["id"])
        self.known[machine] = Known(name, state, cpu, memory, tuple(disks))
        self.taken[machine] = {}
        self.touched.add(machine)
        return machine

    @rule(what=st.sampled_from([{"cpu": 65}, {"memory": 1}, {"disks": [{"capacity": 10**15}]}]))
    def create_what_cannot_be(self, what: dict[str, Any]) -> None:
        self.cloud.refused("POST", "machines", {"machineTemplate": {"machineConfig": what}})

    @rule(
        machine=machines, force=st.booleans(),
        name=st.sampled_from(["start", "stop", "restart", "pause", "suspend"]),
    )  # fmt: skip
    def act(self, machine: str, name: str, force: bool) -> None:
        parameters = {"force": force} if name in ("stop", "restart") else {}
        url, body = f"{machine}/{name}", action(name, **parameters)
        to = LEADS_TO[self.known[machine].state].get(name)
        if to is None:
            assert self.cloud.ask("POST", url, body).status_code == 409
        else:
            self.cloud.done("POST", url, body)
        self.becomes(machine, state=to or self.known[machine].state)

    @rule(machine=machines, cpu=cpus, memory=memories)
    def change(self, machine: str, cpu: int, memory: int) -> None:
        known, url = self.known[machine], f"{machine}?$select=cpu,memory"
        body = {"cpu": cpu, "memory": memory}
        if known.state in ACTIVE and cpu != known.cpu:
            self.cloud.refused("PUT", url, body)
            self.becomes(machine)
        else:
            self.cloud.done("PUT", url, body)
            self.becomes(machine, **body)

    @rule(machine=machines, value=st.text("abc", max_size=3))
    def describe(self, machine: str, value: str) -> None:
        self.cloud.done("PUT", f"{machine}?$select=properties", {"properties": {"k": value}})
        self.becomes(machine, properties={"k": value})

    @rule(machine=machines)
    def rename(self, machine: str) -> None:
        name = f"machine-{next(numbers)}"
        self.cloud.done("PUT", f"{machine}?$select=name", {"name": name})
        self.becomes(machine, name=name)

    @rule(machine=machines, capacity=capacities)
    def add_disk(self, machine: str, capacity: int) -> None:
        disk = self.cloud.made(f"{machine}/disks", {"capacity": capacity})
        assert disk["capacity"] == capacity
        self.becomes(machine, disks=(*self.known[machine].disks, capacity))

    @rule(machine=machines)
    def remove_disk(self, machine: str) -> None:
        for disk in self.cloud.get(f"{machine}/disks").get("disks", [])[:1]:
            self.cloud.done("DELETE", disk["id"])
            left = list(self.known[machine].disks)
            left.remove(disk["capacity"])
            self.becomes(machine, disks=tuple(left))

    @rule(target=snapshots, machine=machines)
    def take(self, machine: str) -> tuple[str, str]:
        name = f"snapshot-{next(numbers)}"
        made = self.cloud.made(
            "machineImages", {"name": name, "imageLocation": machine, "type": "SNAPSHOT"}
        )
        assert (made["name"], made["type"], made["state"]) == (name, "SNAPSHOT", "AVAILABLE")
        self.taken[machine][made["id"]] = self.known[machine]
        self.touched.add(machine)
        return machine, made["id"]

    @rule(snapshot=snapshots)
    def go_back(self, snapshot: tuple[str, str]) -> None:
        machine, image = snapshot
        if image not in self.taken.get(machine, {}):
            return
        body = action("restore", image={"href": image})
        self.cloud.done("POST", f"{machine}/restore", body)
        then = self.taken[machine][image]
        self.becomes(machine, state=then.state, cpu=then.cpu, memory=then.memory, disks=then.disks)

    @rule(snapshot=consumes(snapshots))
    def delete_snapshot(self, snapshot: tuple[str, str]) -> None:
        machine, image = snapshot
        if image in self.taken.get(machine, {}):
            self.cloud.done("DELETE", image)
            del self.taken[machine][image]
            self.touched.add(machine)
        assert self.cloud.ask("GET", image).status_code == 404

    @rule(machine=consumes(machines))
    def delete(self, machine: str) -> None:
        self.cloud.done("DELETE", machine)
        assert self.cloud.ask("GET", machine).status_code == 404
        del self.known[machine], self.taken[machine]
        self.touched.discard(machine)

    @invariant()
    def all_agree(self) -> None:
        shown = self.shown()
        assert shown.keys() == self.others | self.known.keys()
        systems = {
            system["ElementName"]: system
            for system in self.cloud.lab.EnumerateInstances("CIM_ComputerSystem")
        }
        for machine, known in self.known.items():
            now = shown[machine]
            assert now["name"] == known.name
            assert (now["state"], now["cpu"], now["memory"]) == (
                known.state, known.cpu, known.memory,
            )  # fmt: skip
            assert now.get("properties", {}) == known.properties
            assert systems[known.name]["EnabledState"] == ENABLED[known.state]
        for machine in self.touched:
            self._parts_agree(machine, systems[self.known[machine].name])
        self.touched.clear()

    def _parts_agree(self, machine: str, system: Any) -> None:
        known = self.known[machine]
        disks = self.cloud.get(f"{machine}/disks").get("disks", [])
        assert sorted(disk["capacity"] for disk in disks) == sorted(known.disks)
        images = self.cloud.get(f"{machine}/snapshots").get("machineImages", [])
        assert {image["id"] for image in images} == self.taken[machine].keys()
        (setting,) = self.cloud.lab.AssociatorNames(system.path, "CIM_SettingsDefineState")
        parts = self.cloud.lab.Associators(setting, "CIM_VirtualSystemSettingDataComponent")
        found: dict[int, list[int]] = {PROCESSOR: [], MEMORY: [], DISK: []}
        for part in parts:
            found[part["ResourceType"]].append(part["VirtualQuantity"])
        assert found[PROCESSOR] == [known.cpu]
        assert [mib * 1024 for mib in found[MEMORY]] == [known.memory]
        assert sorted(n * 512 // 1000 for n in found[DISK]) == sorted(known.disks)

    def teardown(self) -> None:
        for machine in self.known:
            self.cloud.done("DELETE", machine)
        assert self.shown().keys() == self.others


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack)


def test_machines_are_what_their_model_is(cloud: Cloud) -> None:
    run(lambda: Machines(cloud))
