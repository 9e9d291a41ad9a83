"""Snapshots of machines are taken, applied and destroyed (DSP1042)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from pywbem import Uint16, Uint64

from tests.lab.conftest import Lab
from tests.lab.provisioning import (
    DISK,
    INVALID_PARAMETER,
    INVALID_STATE,
    MEMORY,
    PROCESSOR,
    Site,
    adapter,
    disk,
    memory,
    setting,
)

StartLab = Callable[..., Lab]
FULL, DISKS, INVALID_TYPE = 2, 3, 6
GB = 10**9


def call(site: Site, method: str, **sent: Any) -> tuple[int, Any]:
    answer: tuple[int, Any] = site.call(method, "VirtualSystemSnapshot", **sent)
    return answer


def take(site: Site, machine: Any, kind: int = FULL, **more: Any) -> Any:
    (made,) = site.finish(*call(
        site, "CreateSnapshot", AffectedSystem=machine, SnapshotType=Uint16(kind), **more
    ))  # fmt: skip
    return made


def linked(site: Site, machine: Any, association: str) -> list[Any]:
    found = list(site.client.AssociatorNames(machine, AssocClass=association))
    for path in found:
        path.host = None
    return found


def test_a_snapshot_keeps_the_configuration(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m", memory(1024), disk(GB), adapter())
    reserved = site.reserved()
    made = take(site, machine, SnapshotSettings=setting(ElementName="before", Notes=["why"]))
    found = site.client.GetInstance(made)
    assert (found["ElementName"], found["Notes"]) == ("before", ["why"])
    assert found["VirtualSystemIdentifier"] == "m"
    assert linked(site, machine, "CIM_SnapshotOfVirtualSystem") == [made]
    assert linked(site, machine, "LAB_MostCurrentSnapshotInBranch") == [made]
    assert not linked(site, machine, "CIM_LastAppliedSnapshot")
    kept = site.client.Associators(made, AssocClass="CIM_VirtualSystemSettingDataComponent")
    assert [r["VirtualQuantity"] for r in kept] == [
        r["VirtualQuantity"] for r in site.resources(machine)
    ]
    assert site.reserved() == reserved
    assert site.state_setting(machine)["InstanceID"] == "lab:m"


def test_a_machine_shows_that_it_is_being_kept(lab: StartLab) -> None:
    site = Site(lab(20))
    machine = site.lab.machine("running")
    devices = len(site.devices(machine))
    code, out = call(site, "CreateSnapshot", AffectedSystem=machine, SnapshotType=Uint16(FULL))
    shown = site.client.GetInstance(machine)
    assert (shown["EnabledState"], shown["OperatingStatus"]) == (2, 12)
    assert shown["AvailableRequestedStates"] == []
    again = call(site, "CreateSnapshot", AffectedSystem=machine, SnapshotType=Uint16(FULL))
    assert again[0] == INVALID_STATE
    site.finish(code, out)
    shown = site.client.GetInstance(machine)
    assert (shown["EnabledState"], shown["OperatingStatus"]) == (2, 16)
    assert len(site.devices(machine)) == devices


def test_a_machine_goes_back_to_what_it_was(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m", memory(1024), disk(GB))
    site.request(machine, 2)
    running = take(site, machine)
    reserved = site.reserved()
    site.request(machine, 3)
    (mem,) = site.resources(machine, MEMORY)
    mem["VirtualQuantity"] = Uint64(2048)
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[mem]))
    site.finish(*site.call(
        "AddResourceSettings", AffectedConfiguration=site.state_setting(machine).path,
        ResourceSettings=[disk(GB), adapter()],
    ))  # fmt: skip
    (root, *_) = site.resources(machine, DISK)
    site.finish(*site.call("RemoveResourceSettings", ResourceSettings=[root.path]))
    renamed = site.state_setting(machine)
    renamed["ElementName"] = "other name"
    site.finish(*site.call("ModifySystemSettings", SystemSettings=renamed))
    site.finish(*call(site, "ApplySnapshot", Snapshot=running))
    found = [(r["InstanceID"], r["VirtualQuantity"]) for r in site.resources(machine)]
    assert sorted(found) == [
        ("lab:m/disk-0", -(-GB // 512)), ("lab:m/memory", 1024), ("lab:m/processor", 1),
    ]  # fmt: skip
    assert site.reserved() == reserved
    assert site.client.GetInstance(machine)["EnabledState"] == 2
    assert site.client.GetInstance(machine)["ElementName"] == "other name"
    kinds = sorted(device.classname for device in site.devices(machine))
    assert kinds == ["LAB_LogicalDisk", "LAB_Memory", "LAB_Processor"]
    assert linked(site, machine, "CIM_LastAppliedSnapshot") == [running]
    assert linked(site, machine, "LAB_MostCurrentSnapshotInBranch") == [running]


def test_a_disk_snapshot_leaves_the_state_alone(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m", disk(GB))
    site.request(machine, 2)
    kept = take(site, machine, DISKS)
    assert call(site, "ApplySnapshot", Snapshot=kept)[0] == INVALID_STATE
    site.request(machine, 3)
    site.finish(*call(site, "ApplySnapshot", Snapshot=kept))
    assert site.client.GetInstance(machine)["EnabledState"] == 3


def test_snapshots_form_a_line_that_closes_when_one_goes(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m")
    first, second, third = (take(site, machine) for _ in range(3))
    current = "LAB_MostCurrentSnapshotInBranch"
    assert linked(site, machine, current) == [third]
    site.finish(*call(site, "DestroySnapshot", AffectedSnapshot=second))
    assert linked(site, machine, current) == [third]
    site.finish(*call(site, "DestroySnapshot", AffectedSnapshot=third))
    assert linked(site, machine, current) == [first]
    site.finish(*call(site, "ApplySnapshot", Snapshot=first))
    branch = take(site, machine)
    site.finish(*call(site, "DestroySnapshot", AffectedSnapshot=branch))
    assert linked(site, machine, current) == [first]
    assert call(site, "DestroySnapshot", AffectedSnapshot=branch)[0] == INVALID_PARAMETER


def test_snapshots_go_with_their_machine(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m", disk(GB))
    kept = take(site, machine)
    site.finish(*call(site, "ApplySnapshot", Snapshot=kept))
    site.finish(*site.call("DestroySystem", AffectedSystem=machine))
    with pytest.raises(pywbem.CIMError):
        site.client.GetInstance(kept)
    again = site.define("m")
    assert not linked(site, again, "CIM_SnapshotOfVirtualSystem")
    assert take(site, again)["InstanceID"] == "lab:snapshot:m-1"


def test_a_machine_is_made_from_a_snapshot_and_from_an_image(lab: StartLab) -> None:
    site = Site(lab(0))
    kept = take(site, site.define("m", memory(2048), disk(GB)))
    image = pywbem.CIMInstanceName(
        "LAB_VirtualSystemSettingData", {"InstanceID": "lab:image:large"}, namespace="root/virt"
    )
    for number, (reference, quantity) in enumerate(((kept, 2048), (image, 4096))):
        system = setting(VirtualSystemIdentifier=f"n{number}")
        code, out = site.call(
            "DefineSystem", SystemSettings=system, ReferenceConfiguration=reference
        )
        (made,) = site.finish(code, out)
        assert site.resources(made, MEMORY)[0]["VirtualQuantity"] == quantity
        assert [r["ResourceType"] for r in site.resources(made)] == [PROCESSOR, MEMORY, DISK]


def test_wrong_snapshots_are_declined(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m")
    defined = site.state_setting(machine).path
    for sent, said in (
        ({"AffectedSystem": machine, "SnapshotType": Uint16(4)}, INVALID_TYPE),
        ({"AffectedSystem": machine}, INVALID_TYPE),
        ({"AffectedSystem": defined, "SnapshotType": Uint16(2)}, INVALID_PARAMETER),
        ({"SnapshotType": Uint16(2)}, INVALID_PARAMETER),
    ):
        assert call(site, "CreateSnapshot", **sent)[0] == said
    assert call(site, "ApplySnapshot", Snapshot=defined)[0] == INVALID_PARAMETER
    assert call(site, "DestroySnapshot", AffectedSnapshot=defined)[0] == INVALID_PARAMETER
    (capabilities,) = site.client.EnumerateInstances("CIM_VirtualSystemSnapshotServiceCapabilities")
    assert capabilities["SnapshotTypesSupported"] == [FULL, DISKS]


def test_a_snapshot_that_no_longer_fits_changes_nothing(lab: StartLab) -> None:
    site = Site(lab(0))
    machine = site.define("m", memory(40 * 1024, PoolID="host001-memory"))
    big = take(site, machine)
    (mem,) = site.resources(machine, MEMORY)
    mem["VirtualQuantity"] = Uint64(1024)
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[mem]))
    site.define("other", memory(40 * 1024, PoolID="host001-memory"))
    _, out = call(site, "ApplySnapshot", Snapshot=big)
    site.lab.clock.now += 60
    job = site.client.GetInstance(out["Job"])
    assert job["ErrorDescription"].startswith("Insufficient Resources: the pool host001-memory")
    assert site.resources(machine, MEMORY)[0]["VirtualQuantity"] == 1024
