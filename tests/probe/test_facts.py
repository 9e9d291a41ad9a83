"""What probing finds out about servers it has never seen, and that it changes nothing there."""

from __future__ import annotations

from typing import Any

from cimi_cim.config import TargetConfig
from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.replay import ReplayBackend, load_recording
from cimi_cim.mapping.probing.abilities import try_abilities
from cimi_cim.mapping.probing.probe import asked
from tests.probe.running import Shell
from tests.tapes import tape_folder

# What two real servers do, each in its own way: captured and replayed.
ABILITIES = {
    "sfcb": ("answered as the plain operation", "ignored", "text"),
    "pegasus": ("works", "honoured", "instance"),
}


def by_name(found: list[dict[str, Any]], key: str = "classname") -> dict[str, dict[str, Any]]:
    return {each[key]: each for each in found}


def test_a_recorded_server_is_recognised_with_its_quirks(
    recorded: tuple[str, str], found_recorded: dict[str, Any]
) -> None:
    software, found = recorded[0], found_recorded
    assert (found["mapping"], found["server"]) == ("libvirt-cim", software)
    assert (found["namespace"], found["interop"]) == ("root/virt", "root/interop")
    assert found["dialect"]["certainty"] == "recognised, and what was tried fits"
    pulls, lists, embed = ABILITIES[software]
    assert found["abilities"]["pulls"] == pulls
    assert found["abilities"]["property_lists"] == lists
    assert found["dialect"]["embed"] == embed
    links = by_name(found["associations"])
    for name in ("CIM_SettingsDefineState", "CIM_VirtualSystemSettingDataComponent"):
        assert links[name]["behaviour"] == "walk-only"
        assert links[name]["why"].startswith("it enumerates to nothing; a walk from KVM_")
    service = by_name(found["services"])["KVM_VirtualSystemManagementService"]
    assert {"DefineSystem", "DestroySystem"} <= set(service["methods"])
    assert service["declared_by"] == "the server"
    spelled = {(unit["classname"], unit["spelling"]) for unit in found["units"]}
    assert ("KVM_MemResourceAllocationSettingData", "KiloBytes") in spelled
    profiles = by_name(found["profiles"], "name")
    assert profiles["System Virtualization"]["version"] == "1.0.0"
    times = by_name(found["timings"])["CIM_ComputerSystem"]
    assert (times["rows"], times["milliseconds"] > 0) == (4, True)


def test_the_namespaces_are_listed_by_the_interop_namespace(
    found_recorded: dict[str, Any],
) -> None:
    named = by_name(found_recorded["namespaces"], "name")
    assert {"root/virt", "root/cimv2", "root/interop"} <= named.keys()
    assert named["root/virt"]["classes"] > 300
    assert "not recorded" in named["root/cimv2"]["refusal"]  # a refusal is information


def test_a_server_of_the_profiles_is_served_by_the_base_mapping(found_lab: dict[str, Any]) -> None:
    found = found_lab
    assert (found["mapping"], found["server"]) == ("base", "generic")
    assert found["dialect"]["certainty"].startswith("a guess")
    assert (found["namespace"], found["interop"]) == ("root/virt", "interop")
    assert found["abilities"]["pulls"] == "works"
    profiles = by_name(found["profiles"], "name")
    assert profiles["Virtual System"]["central"] == ["LAB_VirtualSystem"]
    links = by_name(found["associations"])
    assert links["CIM_SettingsDefineState"]["behaviour"] == "enumerable"
    assert links["CIM_SnapshotOfVirtualSystem"]["behaviour"] == "empty"
    services = by_name(found["services"])
    assert services["LAB_VirtualSystemManagementService"]["capabilities"]


class Watched:
    """A recorded server that notes what it is asked for, and refuses pull operations."""

    def __init__(self, refusal: int) -> None:
        self._recorded = ReplayBackend(load_recording(tape_folder("pegasus")))
        self._refusal = refusal
        self.asked: list[str] = []

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        self.asked.append(call.operation)
        if call.operation.startswith("Open"):
            raise CimError(self._refusal, "no such thing")
        return self._recorded.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        self.asked.append(call.method)
        return self._recorded.method(call)


def test_nothing_is_changed_and_a_refused_pull_is_told(shell: Shell) -> None:
    watched = Watched(1)
    with WbemFront(watched) as front:
        found = shell.run("probe", front.url, "--json").json
    assert found["abilities"]["pulls"] == "refused"
    assert "no such thing" in found["abilities"]["why"]
    assert set(watched.asked) <= {
        "EnumerateClassNames", "EnumerateInstances", "GetClass", "GetInstance", "Associators",
        "AssociatorNames", "References", "OpenEnumerateInstances",
    }  # fmt: skip


def test_a_pull_may_be_refused_in_several_ways() -> None:
    for status in (1, 7):
        with WbemFront(Watched(status)) as front:
            config = TargetConfig("server", front.url)
            with asked(config, lambda what: None, 10) as asker:
                found = try_abilities(asker, [("KVM_ComputerSystem", "root/virt")])
        assert (found.pulls, found.property_lists) == ("refused", "honoured")


def test_a_namespace_that_the_operator_names_is_the_one(sfcb: str, shell: Shell) -> None:
    found = shell.run("probe", sfcb, "--json", "--namespace", "root/interop").json
    assert found["namespace"] == "root/interop"
    assert not any(line["served"] for line in found["coverage"])
