"""The table of what can be served: values as clients see them, and why the rest is not there."""

from __future__ import annotations

from typing import Any

from tests.probe.running import Shell


def lines_of(found: dict[str, Any], resource: str, kind: str) -> dict[str, dict[str, Any]]:
    return {
        line["name"]: line
        for line in found["coverage"]
        if (line["resource"], line["kind"]) == (resource, kind)
    }


def test_recorded_machines_are_covered_with_the_values_that_clients_see(
    found_recorded: dict[str, Any],
) -> None:
    found = found_recorded
    assert lines_of(found, "Machine", "resource")["Machine"]["sample"] == 3
    attributes = lines_of(found, "Machine", "attribute")
    machine = {name: line["sample"] for name, line in attributes.items() if line["served"]}
    assert machine["name"] in ("web01", "db01", "test03")
    state, cpu, memory = {
        "web01": ("STARTED", 1, 131072),
        "db01": ("PAUSED", 2, 262144),
        "test03": ("STOPPED", 1, 65536),
    }[machine["name"]]
    assert (machine["state"], machine["cpu"], machine["memory"]) == (state, cpu, memory)
    assert attributes["cpu"]["source"] == "KVM_ProcResourceAllocationSettingData.VirtualQuantity"
    assert attributes["created"]["why"] == "the mapping libvirt-cim leaves it out"
    assert attributes["meters"]["why"] == "no shipped mapping says where it would come from"
    operations = lines_of(found, "Machine", "operation")
    assert operations["pause"]["source"] == "KVM_ComputerSystem.RequestStateChange"
    assert operations["pause"]["sample"] == "1 of 3 offer it now"
    assert lines_of(found, "Network", "resource")["Network"]["sample"] == 2


def test_what_has_no_value_says_why(found_lab: dict[str, Any]) -> None:
    found = found_lab
    volumes = lines_of(found, "Volume", "attribute")
    why = "CIM_StorageVolume.Description is always NULL; the bridge keeps what clients say"
    assert volumes["description"]["why"] == why
    images = lines_of(found, "MachineImage", "resource")["MachineImage"]
    assert not images["served"]
    assert images["why"].startswith("no instance of CIM_VirtualSystemSettingData is one")
    delete = lines_of(found, "MachineImage", "operation")["delete"]
    assert delete["why"] == "there is no MachineImage to do it to"


def test_the_report_for_people_has_the_same(sfcb: str, shell: Shell) -> None:
    ran = shell.run("probe", sfcb)
    assert (ran.code, ran.err) == (0, "")
    for words in ("walk-only", "KVM_VirtualSystemManagementService", "libvirt-cim", "sfcb"):
        assert words in ran.out
    assert "Machine without created, cpuSpeed" in ran.out
