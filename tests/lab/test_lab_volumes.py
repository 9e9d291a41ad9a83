"""Volumes live as SMI-S has it: created, resized, copied, restored, returned to their pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from pywbem import Uint16, Uint64

from tests.lab.conftest import Lab
from tests.lab.provisioning import (
    COMPLETED,
    DONE,
    EXCEPTION,
    STARTED,
    TERMINATED,
    VOLUME,
    Site,
    attached,
)

StartLab = Callable[..., Lab]
GIB = 2**30
FAILED, INVALID_PARAMETER, IN_USE, SIZE_NOT_SUPPORTED = 4, 5, 6, 4097
SNAPSHOT, CLONE = 7, 8
CREATE, COPY = "CreateOrModifyElementFromStoragePool", "CreateElementReplica"


def storage(site: Site, method: str, **sent: Any) -> tuple[int, Any]:
    kinds = {"ElementType": Uint16, "Size": Uint64, "CopyType": Uint16, "Operation": Uint16}
    typed = {name: kinds.get(name, lambda v: v)(value) for name, value in sent.items()}
    answer: tuple[int, Any] = site.call(method, "StorageConfiguration", **typed)
    return answer


def replication(site: Site, method: str, **sent: Any) -> tuple[int, Any]:
    typed = {n: Uint16(v) if isinstance(v, int) else v for n, v in sent.items()}
    answer: tuple[int, Any] = site.call(method, "Replication", **typed)
    return answer


def create(site: Site, name: str = "data", size: int = GIB, **more: Any) -> Any:
    code, out = storage(site, CREATE, ElementName=name, ElementType=2, Size=size, **more)
    (made,) = site.finish(code, out)
    assert made == out["TheElement"]
    return made


def status(site: Site, volume: Any) -> tuple[list[int], list[int]]:
    found = site.client.GetInstance(volume)
    return found["OperationalStatus"], found["ExtentStatus"]


def synchronization(site: Site, replica: Any) -> Any:
    (link,) = site.client.References(
        replica, ResultClass="CIM_StorageSynchronized", Role="SyncedElement"
    )
    return link


def test_a_volume_lives_from_its_pool_and_back(lab: StartLab) -> None:
    site = Site(lab(0))
    before = [site.reserved(host)[3] for host in ("host001", "host002")]
    code, out = storage(site, CREATE, ElementName="data", ElementType=2, Size=GIB + 1)
    assert (code, out["Size"]) == (STARTED, GIB + 512)
    volume = out["TheElement"]
    assert status(site, volume) == ([8], [10])  # being made
    (link,) = site.client.References(volume, ResultClass="CIM_AllocatedFromStoragePool")
    assert link["SpaceConsumed"] == GIB + 512
    assert site.finish(code, out) == [volume]
    assert status(site, volume) == ([2], [2])
    found = site.client.GetInstance(volume)
    assert (found["ElementName"], found["BlockSize"] * found["NumberOfBlocks"]) == (
        "data", GIB + 512,
    )  # fmt: skip
    site.finish(*storage(site, CREATE, TheElement=volume, Size=2 * GIB, ElementName="grown"))
    found = site.client.GetInstance(volume)
    assert (found["ElementName"], found["BlockSize"] * found["NumberOfBlocks"]) == (
        "grown",
        2 * GIB,
    )
    site.finish(*storage(site, "ReturnToStoragePool", TheElement=volume))
    with pytest.raises(pywbem.CIMError):
        site.client.GetInstance(volume)
    assert [site.reserved(host)[3] for host in ("host001", "host002")] == before
    assert storage(site, "ReturnToStoragePool", TheElement=volume)[0] == INVALID_PARAMETER


def test_a_volume_that_is_made_is_like_the_first_ones(lab: StartLab) -> None:
    site = Site(lab(0))
    first = next(
        v for v in site.client.EnumerateInstances("LAB_StorageVolume")
        if v["ElementName"] == "vol-001-1"
    )  # fmt: skip
    made = site.client.GetInstance(create(site))
    assert set(made.keys()) == set(first.keys())
    assert {k for k in made if made[k] == first[k]} >= {
        "Usage",
        "ExtentStatus",
        "NameFormat",
    }
    links = [
        sorted(link.classname for link in site.client.References(path))
        for path in (made.path, first.path)
    ]
    assert [n for n in links[0] if n != "LAB_AffectedJobElement"] == links[1]


def test_a_job_that_is_given_up_takes_its_volume_away(lab: StartLab) -> None:
    site = Site(lab(0))
    before = site.reserved()
    _, out = storage(site, CREATE, ElementType=2, Size=GIB)
    assert site.reserved() != before
    assert storage(site, "ReturnToStoragePool", TheElement=out["TheElement"])[0] == IN_USE
    code, _ = site.client.InvokeMethod(
        "RequestStateChange", out["Job"], [("RequestedState", Uint16(4))]
    )
    assert code == DONE
    assert site.client.GetInstance(out["Job"])["JobState"] == TERMINATED
    assert site.reserved() == before


def test_sizes_have_a_range(lab: StartLab) -> None:
    site = Site(lab(0))
    pool = site.pool("storage")
    code, out = site.client.InvokeMethod(
        "GetSupportedSizeRange", pool.path, [("ElementType", Uint16(3))]
    )
    assert code == DONE
    largest = int(out["MaximumVolumeSize"])
    assert largest == pool["RemainingManagedSpace"]
    assert (out["MinimumVolumeSize"], out["VolumeSizeDivisor"]) == (512, 512)
    code, out = storage(site, CREATE, ElementType=2, Size=0, InPool=pool.path)
    assert (code, out["Size"]) == (SIZE_NOT_SUPPORTED, 512)
    total = int(pool["TotalManagedSpace"])
    code, out = storage(site, CREATE, ElementType=2, Size=total + 512, InPool=pool.path)
    assert (code, out["Size"]) == (SIZE_NOT_SUPPORTED, total)
    create(site, size=largest, InPool=pool.path)
    for method, element_type, said in (
        ("GetSupportedSizeRange", 2, 3),
        ("GetSupportedSizes", 3, 2),
        ("GetSupportedSizes", 9, 3),
    ):
        code, _ = site.client.InvokeMethod(
            method, pool.path, [("ElementType", Uint16(element_type))]
        )
        assert code == said


@pytest.mark.parametrize("pace", [0.0, 1.0])
def test_a_full_pool_is_told(lab: StartLab, pace: float) -> None:
    site = Site(lab(0, pace=pace))
    pool = site.pool("storage")
    sent = {"ElementType": 2, "Size": int(pool["RemainingManagedSpace"]) + 512}
    volumes = site.client.EnumerateInstanceNames("CIM_StorageVolume")
    try:
        code, out = storage(site, CREATE, InPool=pool.path, **sent)
    except pywbem.CIMError as error:
        message = error.status_description
    else:
        assert code == STARTED
        site.lab.clock.now += 60
        job = site.client.GetInstance(out["Job"])
        assert job["JobState"] == EXCEPTION
        message = job["ErrorDescription"]
    assert message.startswith("Insufficient Resources: the pool host001-storage has ")
    assert site.client.EnumerateInstanceNames("CIM_StorageVolume") == volumes
    assert site.pool("storage")["Reserved"] == pool["Reserved"]


def test_a_thin_volume_takes_nothing_of_its_pool(lab: StartLab) -> None:
    site = Site(lab(0))
    before = site.reserved()
    code, out = storage(site, CREATE, ElementType=5, Size=100 * GIB)
    (made,) = site.finish(code, out)
    assert site.client.GetInstance(made)["ThinlyProvisioned"] is True
    assert site.reserved() == before
    site.finish(*storage(site, CREATE, TheElement=made, Size=200 * GIB))
    assert site.reserved() == before


def test_wrong_volumes_are_declined(lab: StartLab) -> None:
    site = Site(lab(0, pace=0))
    _, out = storage(site, CREATE, ElementType=2, Size=GIB)
    made = out["TheElement"]
    memory_pool = site.pool("memory").path
    machine = site.service()
    for sent, said in (
        ({"ElementType": 2}, INVALID_PARAMETER),
        ({"ElementType": 4, "Size": GIB}, 1),
        ({"ElementType": 99, "Size": GIB}, INVALID_PARAMETER),
        ({"ElementType": 2, "Size": GIB, "InPool": memory_pool}, INVALID_PARAMETER),
        ({"ElementType": 2, "Size": GIB, "Goal": memory_pool}, INVALID_PARAMETER),
        ({"ElementType": 2, "Size": GIB, "ElementName": "x" * 256}, INVALID_PARAMETER),
        ({"TheElement": machine, "Size": GIB}, INVALID_PARAMETER),
        ({"TheElement": made, "Size": GIB // 2}, SIZE_NOT_SUPPORTED),
        ({"TheElement": made, "Size": GIB, "InPool": memory_pool}, INVALID_PARAMETER),
    ):
        assert storage(site, CREATE, **sent)[0] == said, sent
    assert site.client.GetInstance(made)["NumberOfBlocks"] == GIB // 512


def test_a_volume_in_use_grows_for_its_machine_and_is_not_returned(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = create(site)
    machine = site.define("m", attached(volume))
    site.request(machine, 2)
    assert storage(site, "ReturnToStoragePool", TheElement=volume)[0] == IN_USE
    site.finish(*storage(site, CREATE, TheElement=volume, Size=2 * GIB))
    (setting,) = site.resources(machine, VOLUME)
    assert setting["VirtualQuantity"] * setting["VirtualResourceBlockSize"] == 2 * GIB
    (device,) = [d for d in site.devices(machine) if d.classname == "LAB_LogicalDisk"]
    assert device["NumberOfBlocks"] * device["BlockSize"] == 2 * GIB
    site.finish(*site.call("RemoveResourceSettings", ResourceSettings=[setting.path]))
    code, out = storage(site, "ReturnToStoragePool", TheElement=volume)
    assert (
        "In Use"
        in site.refused("DefineSystem", ResourceSettings=[attached(volume)]).status_description
    )
    site.finish(code, out)


def test_a_snapshot_stays_bound_to_its_volume(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = create(site)
    before = site.reserved()[3]
    code, out = replication(
        site, COPY, ElementName="yesterday", SyncType=SNAPSHOT, SourceElement=volume
    )
    replica = out["TargetElement"]
    link = synchronization(site, replica)
    assert (link["SyncType"], link["CopyState"], link["ProgressStatus"]) == (SNAPSHOT, 2, 6)
    assert storage(site, "ReturnToStoragePool", TheElement=volume)[0] == IN_USE
    assert site.finish(code, out) == [replica]
    link = synchronization(site, replica)
    assert (link["CopyState"], link["ProgressStatus"], link["PercentSynced"]) == (4, 2, 100)
    assert link["SystemElement"] == volume
    assert site.client.GetInstance(replica)["ElementName"] == "yesterday"
    assert site.reserved()[3] == before + GIB
    code, job = replication(
        site, "ModifyReplicaSynchronization", Operation=15, Synchronization=link.path
    )
    assert synchronization(site, replica)["ProgressStatus"] == 8  # restoring
    assert storage(site, CREATE, TheElement=volume, Size=2 * GIB)[0] == IN_USE
    site.finish(code, job)
    assert synchronization(site, replica)["ProgressStatus"] == 2
    assert storage(site, "ReturnToStoragePool", TheElement=volume)[0] == IN_USE
    site.finish(*replication(
        site, "ModifyReplicaSynchronization", Operation=19, Synchronization=link.path
    ))  # fmt: skip
    assert site.reserved()[3] == before
    site.finish(*storage(site, "ReturnToStoragePool", TheElement=volume))


def test_a_clone_is_a_volume_of_its_own_when_it_is_done(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = create(site)
    code, out = replication(site, COPY, SyncType=CLONE, SourceElement=volume)
    replica = out["TargetElement"]
    assert synchronization(site, replica)["SyncType"] == CLONE
    site.finish(code, out)
    assert not site.client.References(replica, ResultClass="CIM_StorageSynchronized")
    assert site.client.GetInstance(replica)["Usage"] == 2
    site.finish(*storage(site, "ReturnToStoragePool", TheElement=volume))
    site.define("m", attached(replica))


def test_a_copy_that_is_given_up_is_gone(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = create(site)
    before = site.reserved()
    _, out = replication(site, COPY, SyncType=SNAPSHOT, SourceElement=volume)
    site.client.InvokeMethod("RequestStateChange", out["Job"], [("RequestedState", Uint16(5))])
    assert not site.client.References(volume, ResultClass="CIM_StorageSynchronized")
    assert site.reserved() == before


def test_the_older_methods_copy_too(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = create(site)
    code, out = storage(site, "CreateReplica", SourceElement=volume, CopyType=4)
    (replica,) = site.finish(code, out)
    link = synchronization(site, replica)
    site.finish(*storage(site, "ModifySynchronization", Operation=5, Synchronization=link.path))
    site.finish(*storage(site, "ModifySynchronization", Operation=2, Synchronization=link.path))
    assert not site.client.References(volume, ResultClass="CIM_StorageSynchronized")
    assert storage(site, "CreateReplica", SourceElement=volume, CopyType=2)[0] == 1


def test_wrong_copies_are_declined(lab: StartLab) -> None:
    site = Site(lab(0, pace=0))
    volume = storage(site, CREATE, ElementType=2, Size=GIB)[1]["TheElement"]
    other = storage(site, CREATE, ElementType=2, Size=GIB)[1]["TheElement"]
    pool = site.pool("memory").path
    for sent, said in (
        ({"SyncType": 6}, 1),
        ({"SyncType": 1}, INVALID_PARAMETER),
        ({"SyncType": SNAPSHOT, "Mode": 2}, 1),
        ({"SyncType": SNAPSHOT, "TargetElement": other}, 1),
        ({"SyncType": SNAPSHOT, "TargetPool": pool}, INVALID_PARAMETER),
    ):
        assert replication(site, COPY, SourceElement=volume, **sent)[0] == said, sent
    assert replication(site, COPY, SyncType=7, SourceElement=pool)[0] == INVALID_PARAMETER
    error = site.refused(COPY, "Replication", SourceElement=volume)
    assert error.status_code == pywbem.CIM_ERR_INVALID_PARAMETER
    out = replication(site, COPY, SyncType=SNAPSHOT, SourceElement=volume)[1]
    link = out["Synchronization"]
    for operation, said in ((2, 1), (99, INVALID_PARAMETER)):
        code, _ = replication(
            site, "ModifyReplicaSynchronization", Operation=operation, Synchronization=link
        )
        assert code == said


def test_a_volume_can_be_renamed_and_nothing_else_be_written(lab: StartLab) -> None:
    site = Site(lab(0))
    volume = site.client.GetInstance(create(site))
    volume["ElementName"] = "renamed"
    site.client.ModifyInstance(volume)
    assert site.client.GetInstance(volume.path)["ElementName"] == "renamed"
    volume["ElementName"] = "other"
    site.client.ModifyInstance(volume, PropertyList=[])
    assert site.client.GetInstance(volume.path)["ElementName"] == "renamed"
    for name, value, status_code in (
        ("NumberOfBlocks", Uint64(1), pywbem.CIM_ERR_NOT_SUPPORTED),
        ("ElementName", "x" * 256, pywbem.CIM_ERR_INVALID_PARAMETER),
        ("NoSuchProperty", "x", pywbem.CIM_ERR_NO_SUCH_PROPERTY),
        ("BlockSize", "x", pywbem.CIM_ERR_TYPE_MISMATCH),
    ):
        wrong = pywbem.CIMInstance("LAB_StorageVolume", {name: value}, path=volume.path)
        with pytest.raises(pywbem.CIMError) as error:
            site.client.ModifyInstance(wrong)
        assert error.value.status_code == status_code
    with pytest.raises(pywbem.CIMError) as error:
        site.client.DeleteInstance(volume.path)
    assert error.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED
    (capabilities,) = site.client.Associators(volume.path, AssocClass="CIM_ElementCapabilities")
    assert capabilities["ElementNameEditSupported"] is True


def test_a_job_can_be_kept_and_be_deleted(lab: StartLab) -> None:
    site = Site(lab(0))
    _, out = storage(site, CREATE, ElementType=2, Size=GIB)
    running = site.client.GetInstance(out["Job"])
    with pytest.raises(pywbem.CIMError):
        site.client.DeleteInstance(running.path)
    kept = pywbem.CIMInstance("LAB_ConcreteJob", {"DeleteOnCompletion": False}, path=running.path)
    site.client.ModifyInstance(kept)
    site.lab.clock.now += 10**6
    assert site.client.GetInstance(running.path)["JobState"] == COMPLETED
    kept["DeleteOnCompletion"] = True
    kept["TimeBeforeRemoval"] = pywbem.CIMDateTime("00000020000000.000000:000")
    site.client.ModifyInstance(kept)
    site.lab.clock.now += 86400
    site.client.GetInstance(running.path)
    site.lab.clock.now += 20 * 86400
    with pytest.raises(pywbem.CIMError):
        site.client.GetInstance(running.path)
    _, out = storage(site, CREATE, ElementType=2, Size=GIB)
    site.lab.clock.now += 60
    site.client.DeleteInstance(out["Job"])
    assert out["Job"] not in site.client.EnumerateInstanceNames("CIM_ConcreteJob")
