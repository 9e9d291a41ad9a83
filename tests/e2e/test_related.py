"""What a WBEM server relates to a resource is in its Collections, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pywbem import Uint16

from tests.clouds import Cloud

GB = 10**9


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack)


def service(cloud: Cloud, classname: str) -> Any:
    [path] = cloud.lab.EnumerateInstanceNames(classname)
    return path


def taken_elsewhere(cloud: Cloud, machine: str) -> Any:
    """A snapshot that another client of the WBEM server takes."""
    token = machine.rpartition("/")[2]
    system = next(
        i.path for i in cloud.lab.EnumerateInstances("CIM_ComputerSystem")
        if token in (i.get("OtherIdentifyingInfo") or ())
    )  # fmt: skip
    snapshots = service(cloud, "CIM_VirtualSystemSnapshotService")
    code, out = cloud.lab.InvokeMethod(
        "CreateSnapshot", snapshots,
        [("AffectedSystem", system), ("SnapshotType", Uint16(2))],
    )  # fmt: skip
    assert code == 0
    return out["ResultingSnapshot"]


def stopped(cloud: Cloud) -> str:
    machines = cloud.get("machines")["machines"]
    return str(next(m["id"] for m in machines if m["state"] == "STOPPED"))


def test_snapshots_of_others_are_those_of_their_machine(cloud: Cloud) -> None:
    machine = stopped(cloud)
    before = cloud.get(f"{machine}/snapshots")
    assert before["count"] == 0
    made = taken_elsewhere(cloud, machine)
    listed = cloud.get(f"{machine}/snapshots")
    assert listed["count"] == 1
    [image] = listed["machineImages"]
    assert image in cloud.get("machineImages")["machineImages"]
    assert cloud.get(image["id"])["type"] == "SNAPSHOT"
    # 1.x lists joins, whose target is the image.
    [join] = cloud.get(f"/cimi/1{machine.partition('/cimi/2')[2]}/snapshots")["machineSnapshots"]
    assert cloud.get(join["id"])["snapshot"]["href"].endswith(image["id"].rpartition("/")[2])
    cloud.lab.InvokeMethod(
        "DestroySnapshot", service(cloud, "CIM_VirtualSystemSnapshotService"),
        [("AffectedSnapshot", made)],
    )  # fmt: skip
    assert cloud.get(f"{machine}/snapshots")["count"] == 0


def test_a_snapshot_that_is_taken_here_is_listed_once(cloud: Cloud) -> None:
    machine = stopped(cloud)
    image = cloud.made("machineImages", {"type": "SNAPSHOT", "imageLocation": machine})
    listed = cloud.get(f"{machine}/snapshots")["machineImages"]
    assert [each["id"] for each in listed] == [image["id"]]


def test_others_machines_do_not_list_it(cloud: Cloud) -> None:
    for machine in cloud.get("machines")["machines"]:
        if machine["id"] != stopped(cloud):
            assert cloud.get(f"{machine['id']}/snapshots")["count"] == 0
