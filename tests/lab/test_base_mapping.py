"""mappings/base.yaml against the lab, over HTTP: right values, at a constant cost."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.lab.personality import SHIPPED, load_personality
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Resource
from cimi_cim.resources import mof_folder
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from tests.asked import names
from tests.lab.conftest import Clock

GLOBAL = {"Machine": "machines", "Volume": "volumes", "Network": "networks"}
NESTED = {"disks": "Disk", "volumes": "locatedVolume", "interfaces": "NetworkInterface"}


@dataclass(frozen=True)
class Bridge:
    """An engine on a lab."""

    simulation: Simulation
    engine: Engine

    def all(self, type_name: str) -> list[Resource]:
        """Return a global collection."""
        location = Location(type_name, ((GLOBAL[type_name], None),))
        return list(self.engine.read_collection(location, None, deadline()).items)

    def inside(self, machine: Resource, collection: str) -> list[Resource]:
        """Return a collection inside a machine."""
        token = machine.path.rpartition("/")[2]
        steps = (("machines", token), (collection, None))
        location = Location(NESTED[collection], steps)
        return list(self.engine.read_collection(location, None, deadline()).items)

    def one(self, item: Resource) -> Resource:
        """Return a resource of a global collection by its id."""
        token = item.path.rpartition("/")[2]
        location = Location(item.type, ((GLOBAL[item.type], token),))
        return self.engine.read(location, None, deadline())

    def cost(self, read: Callable[..., Any], *arguments: Any) -> Counter[str]:
        """Return how many operations of each name a read takes."""
        with traced(Trace()) as trace:
            read(*arguments)
        return Counter(names(trace))


def deadline() -> Deadline:
    return Deadline.after(60)


@contextmanager
def bridge(simulation: Simulation, mapping: str = "base", **options: Any) -> Iterator[Bridge]:
    with ExitStack() as stack:
        front = stack.enter_context(lab_server(simulation))
        client = WbemClient(ConnectionSettings(front.url), load_dialect("generic"))
        gateway = TracingGateway(client, "lab")
        compiled = load_mapping(mapping, load_model(), **options)
        engine = Engine([Target("lab", gateway, compiled)])
        stack.callback(engine.close)
        yield Bridge(simulation, engine)


@pytest.fixture(scope="module")
def small() -> Iterator[Bridge]:
    with bridge(Simulation(20, clock=Clock())) as opened:
        yield opened


def instances(opened: Bridge, classname: str) -> list[Any]:
    return opened.simulation.repository.of_class("root/virt", classname)


def test_every_state_of_the_lab_is_the_cimi_state_for_it(small: Bridge) -> None:
    cimi = {
        "defined": "STOPPED", "running": "STARTED", "paused": "PAUSED", "suspended": "SUSPENDED",
        "starting": "STARTING", "stopping": "STOPPING", "pausing": "PAUSING",
        "suspending": "SUSPENDING", "snapshotting": "CAPTURING", "aborted": "ERROR",
        "failed": "FAILED",
    }  # fmt: skip
    found = Counter(str(item.values["state"]) for item in small.all("Machine"))
    assert found == Counter(cimi[state] for state in load_personality().population)


def test_machines_are_what_the_lab_made_them(small: Bridge) -> None:
    found = {item.values["name"]: item for item in small.all("Machine")}
    assert len(found) == len(instances(small, "LAB_VirtualSystem"))
    for system in instances(small, "LAB_VirtualSystem"):
        machine = found[system.values["ElementName"]]
        identifier = f"lab:{system.values['Name']}"
        settings = {
            str(s.values["InstanceID"]).removeprefix(identifier): s.values
            for s in instances(small, "CIM_ResourceAllocationSettingData")
            if str(s.values["InstanceID"]).startswith(f"{identifier}/")
        }
        assert machine.path == f"machines/{system.values['OtherIdentifyingInfo'][0]}"
        assert machine.values["cpu"] == settings["/processor"]["VirtualQuantity"]
        assert machine.values["memory"] == settings["/memory"]["VirtualQuantity"] * 1024
        disks = [s for name, s in settings.items() if name.startswith("/disk")]
        plain = [s for s in disks if "HostResource" not in s]
        assert [item.values["capacity"] for item in small.inside(machine, "disks")] == [
            s["VirtualQuantity"] * 512 // 1000 for s in plain
        ]
        assert len(small.inside(machine, "volumes")) == len(disks) - len(plain)
        assert len(small.inside(machine, "interfaces")) == sum(
            name.startswith("/nic") for name in settings
        )


def test_a_volume_in_use_is_referred_to_by_its_machine(small: Bridge) -> None:
    volumes = {item.path: item for item in small.all("Volume")}
    used = [
        located.values["volume"]
        for machine in small.all("Machine")
        for located in small.inside(machine, "volumes")
    ]
    assert used
    for ref in used:
        assert isinstance(ref, Ref)
        assert str(volumes[ref.path].values["name"]).endswith("-data")


def test_a_copy_of_a_volume_is_no_volume(small: Bridge) -> None:
    names = {str(item.values["name"]) for item in small.all("Volume")}
    held = {str(v.values["ElementName"]) for v in instances(small, "LAB_StorageVolume")}
    assert {name for name in held - names} == {"vol-001-copy", "vol-002-copy"}


def test_interfaces_of_active_machines_are_enabled(small: Bridge) -> None:
    for machine in small.all("Machine"):
        states = {item.values["state"] for item in small.inside(machine, "interfaces")}
        if machine.values["state"] == "STARTED":
            assert states == {"ENABLED"}
        if machine.values["state"] == "STOPPED":
            assert states == {"DISABLED"}


def test_switches_are_networks_and_no_machines(small: Bridge) -> None:
    networks = small.all("Network")
    assert {item.values["state"] for item in networks} == {"STARTED"}
    assert len(networks) == len(instances(small, "LAB_VirtualSwitch"))


def test_a_single_resource_equals_the_item_of_its_collection(small: Bridge) -> None:
    for type_name in GLOBAL:
        for item in small.all(type_name)[:5]:
            single = small.one(item)
            assert {k: single.values[k] for k in item.values} == dict(item.values)
            assert single.path == item.path


def test_a_running_machine_tells_its_clock_speed(small: Bridge) -> None:
    running = next(m for m in small.all("Machine") if m.values["state"] == "STARTED")
    assert small.one(running).values["cpuSpeed"] in (2400, 2700, 3100)


def test_the_cost_is_the_same_for_one_machine_and_for_a_thousand() -> None:
    costs = []
    for count in (1, 1000):
        with bridge(Simulation(count)) as opened:
            machine = opened.all("Machine")[0]
            assert len(opened.all("Machine")) == count
            costs.append(
                {
                    "machine": opened.cost(opened.one, machine),
                    **{name: opened.cost(opened.all, name) for name in GLOBAL},
                    **{name: opened.cost(opened.inside, machine, name) for name in NESTED},
                }
            )
    assert costs[0] == costs[1]
    assert costs[0]["Machine"] == {"EnumerateInstances": 5}
    assert sum(costs[0]["machine"].values()) <= 4
    assert sum(costs[0]["disks"].values()) <= 5


OVERLAY = """
language: 1
name: acme
extends: base
mof: acme/
classes: {CIM_: ACME_}
namespaces: {impl: root/acme, interop: acme/interop}
rules:
  machine_state:
    - {if: {cs.EnabledState: 32770}, is: STARTED}
    - {if: {cs.EnabledState: 3},     is: STOPPED}
    - {else: ERROR}
"""


def test_another_vendor_is_yaml_and_mof_only(tmp_path: Path) -> None:
    """Other class prefix, namespaces, memory unit and state value; not a line of Python."""
    acme = tmp_path / "acme"
    shutil.copytree(mof_folder() / "lab", acme)
    for file in acme.glob("*.mof"):
        file.write_text(file.read_text().replace("LAB_", "ACME_"))
    personality = SHIPPED.read_text()
    for old, new in (
        ("prefix: LAB_", "prefix: ACME_"),
        ("mof: [dmtf, lab]", "mof: [dmtf, acme/]"),
        ("{impl: root/virt, interop: interop}", "{impl: root/acme, interop: acme/interop}"),
        ("memory_unit: byte*2^20", "memory_unit: byte*10^3"),
        (
            "running:      {active: true,  properties: {EnabledState: 2,",
            "running:      {active: true,  properties: {EnabledState: 32770,",
        ),
    ):
        assert old in personality
        personality = personality.replace(old, new, 1)
    (tmp_path / "acme.yaml").write_text(personality)
    (tmp_path / "acme-mapping.yaml").write_text(OVERLAY)
    assert not re.search("LAB_", "".join(file.read_text() for file in acme.glob("*.mof")))
    acme_lab = Simulation(4, personality=load_personality(tmp_path / "acme.yaml"))
    with (
        bridge(acme_lab, str(tmp_path / "acme-mapping.yaml"), beside=tmp_path) as renamed,
        bridge(Simulation(4)) as shipped,
    ):
        found, expected = renamed.all("Machine"), shipped.all("Machine")
        assert [m.values["state"] for m in found] == ["STARTED", "STARTED", "STOPPED", "STARTED"]
        for other, machine in zip(found, expected, strict=True):
            assert {k: other.values[k] for k in ("name", "cpu")} == {
                k: machine.values[k] for k in ("name", "cpu")
            }
            kib = machine.values["memory"]
            kilobytes = kib * 1024 // 1000
            assert other.values["memory"] == kilobytes * 1000 // 1024
        assert len(renamed.inside(found[1], "volumes")) == 1
