"""What a machine has comes, changes and goes, cold and hot (DSP1041, DSP1042)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pywbem import Uint16, Uint64

from tests.lab.conftest import Lab
from tests.lab.provisioning import (
    DISK,
    INCOMPATIBLE,
    INVALID_PARAMETER,
    INVALID_STATE,
    MEMORY,
    PROCESSOR,
    STARTED,
    VOLUME,
    Site,
    adapter,
    attached,
    disk,
    memory,
    processors,
)

StartLab = Callable[..., Lab]
GB = 10**9


def test_resources_come_change_and_go_cold(lab: StartLab) -> None:
    site = Site(lab(0))
    made = site.define("m", processors(1), memory(512), disk(GB))
    defined = site.state_setting(made).path
    before = site.reserved()
    added = site.finish(*site.call(
        "AddResourceSettings", AffectedConfiguration=defined,
        ResourceSettings=[disk(2 * GB), adapter()],
    ))  # fmt: skip
    assert [path["InstanceID"] for path in added] == ["lab:m/disk-1", "lab:m/nic-0"]
    assert not site.devices(made)
    proc, mem = site.resources(made)[:2]
    proc["VirtualQuantity"], mem["VirtualQuantity"] = Uint64(8), Uint64(1024)
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[proc, mem]))
    assert [r["VirtualQuantity"] for r in site.resources(made)][:2] == [8, 1024]
    grown = -(-2 * GB // 512) * 512
    assert site.reserved() == (
        before[0] + 7, before[1] + 512, before[2] + 1, before[3] + grown
    )  # fmt: skip
    site.finish(*site.call("RemoveResourceSettings", ResourceSettings=added))
    assert site.reserved() == (before[0] + 7, before[1] + 512, before[2], before[3])
    again = site.finish(*site.call(
        "AddResourceSettings", AffectedConfiguration=defined, ResourceSettings=[disk(GB)]
    ))  # fmt: skip
    assert again[0]["InstanceID"] == "lab:m/disk-2"  # a name is never given twice
    assert site.resources(made, DISK)[1]["AddressOnParent"] == "/dev/vdb"


def test_an_active_machine_takes_disks_and_adapters_hot(lab: StartLab) -> None:
    site = Site(lab(4))
    made = site.define("hot", processors(2), memory(512))
    site.request(made, 2)
    volume = next(
        name for name in site.client.EnumerateInstanceNames("LAB_StorageVolume")
        if name["DeviceID"] == "vol-001-0"
    )  # fmt: skip
    state = site.state_setting(made).path
    added = site.finish(*site.call(
        "AddResourceSettings", AffectedConfiguration=state,
        ResourceSettings=[attached(volume), adapter()],
    ))  # fmt: skip
    kinds = sorted(device.classname for device in site.devices(made))
    assert kinds == ["LAB_EthernetPort", "LAB_LogicalDisk", "LAB_Memory"] + ["LAB_Processor"] * 2
    (mem,) = site.resources(made, MEMORY)
    mem["VirtualQuantity"] = Uint64(1024)
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[mem]))
    (device,) = [d for d in site.devices(made) if d.classname == "LAB_Memory"]
    assert device["BlockSize"] * device["NumberOfBlocks"] == 2**30
    (proc,) = site.resources(made, PROCESSOR)
    proc["VirtualQuantity"] = Uint64(4)
    assert site.call("ModifyResourceSettings", ResourceSettings=[proc])[0] == INVALID_STATE
    site.finish(*site.call("RemoveResourceSettings", ResourceSettings=added))
    assert sorted(d.classname for d in site.devices(made)) == ["LAB_Memory"] + ["LAB_Processor"] * 2


def test_a_volume_is_one_machines_at_a_time(lab: StartLab) -> None:
    site = Site(lab(4))
    volume = next(
        name for name in site.client.EnumerateInstanceNames("LAB_StorageVolume")
        if name["DeviceID"] == "vol-001-0"
    )  # fmt: skip
    first = site.define("first", attached(volume))
    second = site.define("second")
    sent = {
        "AffectedConfiguration": site.state_setting(second).path,
        "ResourceSettings": [attached(volume)],
    }
    error = site.refused("AddResourceSettings", **sent)
    assert "In Use: the volume vol-001-0 is used by the machine first" in error.status_description
    twice = site.refused("DefineSystem", ResourceSettings=[attached(volume), attached(volume)])
    assert "In Use" in twice.status_description
    site.finish(*site.call(
        "RemoveResourceSettings",
        ResourceSettings=[found.path for found in site.resources(first, VOLUME)],
    ))  # fmt: skip
    site.finish(*site.call("AddResourceSettings", **sent))
    site.finish(*site.call("DestroySystem", AffectedSystem=second))
    assert site.client.GetInstance(volume)["DeviceID"] == "vol-001-0"
    site.define("third", attached(volume))


def test_wrong_changes_change_nothing(lab: StartLab) -> None:
    site = Site(lab(4))
    made = site.define("m", disk(GB), disk(GB), adapter())
    other = site.define("other", disk(GB))
    before = site.resources(made)
    root, second = site.resources(made, DISK)
    small = disk(GB // 2, InstanceID=root["InstanceID"])
    moved = disk(GB, InstanceID=root["InstanceID"], AddressOnParent=second["AddressOnParent"])
    kind = processors(1, InstanceID=root["InstanceID"])
    pool = disk(GB, InstanceID=root["InstanceID"], PoolID="host001-memory")
    stranger = disk(2 * GB, InstanceID=site.resources(other, DISK)[0]["InstanceID"])
    for wrong, said in (
        ([small], INVALID_PARAMETER),
        ([moved], INVALID_PARAMETER),
        ([kind], INVALID_PARAMETER),
        ([pool], INCOMPATIBLE),
        ([disk(GB)], INVALID_PARAMETER),
        ([root, stranger], INVALID_PARAMETER),
        ([root, root], INVALID_PARAMETER),
        (None, INVALID_PARAMETER),
    ):
        assert site.call("ModifyResourceSettings", ResourceSettings=wrong)[0] == said
    for paths in (
        [site.resources(made, PROCESSOR)[0].path],
        [root.path, stranger_path(site, other)],
        None,
    ):
        code, _ = site.call("RemoveResourceSettings", ResourceSettings=paths)
        assert code == INVALID_PARAMETER
    defined = site.state_setting(made).path
    for wrong in ([processors(1)], [disk(GB, AddressOnParent="/dev/vda")], None):
        code, _ = site.call(
            "AddResourceSettings", AffectedConfiguration=defined, ResourceSettings=wrong
        )
        assert code == INVALID_PARAMETER
    assert site.resources(made) == before


def stranger_path(site: Site, machine: Any) -> Any:
    return site.resources(machine, DISK)[0].path


def test_a_machine_that_is_worked_on_is_left_alone(lab: StartLab) -> None:
    site = Site(lab(0))
    made = site.define("busy", disk(GB))
    defined = site.state_setting(made)
    _, out = site.call(
        "AddResourceSettings", AffectedConfiguration=defined.path, ResourceSettings=[adapter()]
    )
    code, _ = site.client.InvokeMethod("RequestStateChange", made, [("RequestedState", Uint16(2))])
    assert code == 6  # In Use
    assert site.call("DestroySystem", AffectedSystem=made)[0] == INVALID_STATE
    defined["ElementName"] = "other"
    assert site.call("ModifySystemSettings", SystemSettings=defined)[0] == INVALID_STATE
    site.finish(STARTED, out)
    site.request(made, 2)
