"""Pools are as full as what was allocated from them says, and run out (DSP1041, DSP1043)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from pywbem import Uint16, Uint64

from tests.lab.conftest import Lab
from tests.lab.provisioning import (
    DISK,
    EXCEPTION,
    MEMORY,
    PROCESSOR,
    STARTED,
    Site,
    adapter,
    disk,
    memory,
    processors,
)

StartLab = Callable[..., Lab]
GIB = 2**30


def allocated(site: Site, host: str) -> tuple[int, ...]:
    """What the settings and volumes say that is allocated from the pools of a host."""
    found = []
    for kind in ("processor", "memory", "network", "storage"):
        total = 0
        pool = site.pool(kind, host).path
        for link in site.client.References(pool, ResultClass="CIM_ResourceAllocationFromPool"):
            item = site.client.GetInstance(link["Dependent"])
            quantity = item["VirtualQuantity"]
            if item["ResourceType"] == DISK:
                total += quantity * item["VirtualResourceBlockSize"]
            elif item["ResourceType"] != 32:
                total += quantity
        for link in site.client.References(pool, ResultClass="CIM_AllocatedFromStoragePool"):
            total += link["SpaceConsumed"]
        found.append(int(total))
    return tuple(found)


def test_reserved_is_the_sum_of_what_is_allocated(lab: StartLab) -> None:
    site = Site(lab(30))
    for host in ("host001", "host002"):
        assert site.reserved(host) == allocated(site, host)
    site.define("m", processors(3), memory(1024), disk(5 * 10**9), adapter(), adapter())
    for host in ("host001", "host002"):
        assert site.reserved(host) == allocated(site, host)
    storage = site.pool("storage")
    assert storage["RemainingManagedSpace"] == storage["TotalManagedSpace"] - storage["Reserved"]


FULL = pytest.mark.parametrize(
    ("asked", "pool"),
    [
        ([processors(64, PoolID="host001-processor")], "host001-processor"),
        ([memory(40 * 1024, PoolID="host001-memory")], "host001-memory"),
        ([disk(2200 * GIB, PoolID="host001-storage")], "host001-storage"),
    ],
)


@FULL
def test_a_pool_that_is_full_is_why_a_job_fails(lab: StartLab, asked: list[Any], pool: str) -> None:
    site = Site(lab(0))
    made = site.define("first", *asked)
    if pool == "host001-processor":
        site.define("second", *asked)
    reserved = site.reserved()
    code, out = site.call("DefineSystem", ResourceSettings=asked)
    assert code == STARTED
    site.lab.clock.now += 60
    job = site.client.GetInstance(out["Job"])
    assert (job["JobState"], job["ErrorCode"]) == (EXCEPTION, pywbem.CIM_ERR_FAILED)
    assert job["ErrorDescription"].startswith(f"Insufficient Resources: the pool {pool} has ")
    (error,) = site.errors(job.path)
    assert error["Message"] == job["ErrorDescription"]
    assert (error["ErrorType"], error["CIMStatusCode"]) == (8, 1)
    _, out = site.client.InvokeMethod("GetError", job.path)
    assert out["Error"]["Message"] == error["Message"]
    assert site.reserved() == reserved
    site.finish(*site.call("DestroySystem", AffectedSystem=made))
    site.finish(*site.call("DefineSystem", ResourceSettings=asked))


@FULL
def test_a_pool_that_is_full_is_told_at_once_where_there_are_no_jobs(
    lab: StartLab, asked: list[Any], pool: str
) -> None:
    site = Site(lab(0, pace=0))
    before = site.reserved()
    count = 2 if pool == "host001-processor" else 1
    made = [
        site.call("DefineSystem", ResourceSettings=asked)[1]["ResultingSystem"]
        for _ in range(count)
    ]
    error = site.refused("DefineSystem", ResourceSettings=asked)
    assert error.status_code == pywbem.CIM_ERR_FAILED
    assert error.status_description.startswith(f"Insufficient Resources: the pool {pool} has")
    assert site.client.EnumerateInstanceNames("LAB_VirtualSystem") == made
    for machine in made:
        assert site.call("DestroySystem", AffectedSystem=machine)[0] == 0
    assert site.reserved() == before


def test_what_a_job_was_promised_another_cannot_have(lab: StartLab) -> None:
    site = Site(lab(0))
    sent: dict[str, Any] = {"ResourceSettings": [memory(40 * 1024, PoolID="host001-memory")]}
    _, first = site.call("DefineSystem", **sent)
    _, second = site.call("DefineSystem", **sent)
    site.client.InvokeMethod("RequestStateChange", first["Job"], [("RequestedState", Uint16(5))])
    assert site.client.GetInstance(first["Job"])["JobState"] == 9
    _, third = site.call("DefineSystem", **sent)
    site.lab.clock.now += 60
    states = [site.client.GetInstance(job["Job"])["JobState"] for job in (second, third)]
    assert states == [EXCEPTION, 7]
    assert site.reserved()[1] == 40 * 1024


def test_a_change_takes_only_what_is_more(lab: StartLab) -> None:
    site = Site(lab(0))
    made = site.define("m", memory(40 * 1024))
    (mem,) = site.resources(made, MEMORY)
    mem["VirtualQuantity"] = Uint64(60 * 1024)
    site.finish(*site.call("ModifyResourceSettings", ResourceSettings=[mem]))
    mem["VirtualQuantity"] = Uint64(70 * 1024)
    code, out = site.call("ModifyResourceSettings", ResourceSettings=[mem])
    assert code == STARTED
    site.lab.clock.now += 60
    assert site.client.GetInstance(out["Job"])["JobState"] == EXCEPTION
    assert site.resources(made, MEMORY)[0]["VirtualQuantity"] == 60 * 1024
    assert site.reserved() == allocated(site, "host001")


def test_limits_can_be_discovered(lab: StartLab) -> None:
    site = Site(lab(0))
    found = {}
    for kind in ("processor", "memory", "storage", "network"):
        (capabilities,) = site.client.Associators(
            site.pool(kind).path, AssocClass="CIM_ElementCapabilities",
            ResultClass="CIM_AllocationCapabilities",
        )  # fmt: skip
        roles = {}
        for link in site.client.References(
            capabilities.path, ResultClass="CIM_SettingsDefineCapabilities"
        ):
            value = site.client.GetInstance(link["PartComponent"])["VirtualQuantity"]
            roles[int(link["ValueRole"]), int(link["ValueRange"])] = int(value)
        found[kind] = roles
    default, minimum, maximum, increment = (0, 0), (3, 1), (3, 2), (3, 3)
    assert found["processor"] == {default: 1, minimum: 1, maximum: 64, increment: 1}
    assert found["memory"] == {default: 512, minimum: 64, maximum: 256 * 1024, increment: 1}
    assert found["storage"][minimum] == 1
    assert found["network"][default] == 1
    for count, code in ((64, STARTED), (65, 4)):
        assert site.call("DefineSystem", ResourceSettings=[processors(count)])[0] == code


def test_the_states_in_which_resources_come_and_go_can_be_discovered(lab: StartLab) -> None:
    site = Site(lab(0))
    found = {
        int(c["ResourceType"]): (c["SupportedAddStates"], c["SupportedRemoveStates"])
        for c in site.client.EnumerateInstances("CIM_AllocationCapabilities")
    }
    assert found[DISK] == ([2, 3, 11, 12], [2, 3, 11, 12])
    assert found[PROCESSOR] == ([], [])
