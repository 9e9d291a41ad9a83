"""Machines, disks and volumes of the vendor live and die by Jobs, which tell why they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clouds import action
from tests.vendor.conftest import Vendor
from tests.vendor.hypervisor import LOCKED, MOST_PAGES

KIB_PER_PAGE = 4


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with ExitStack() as stack:
        yield Vendor(stack, 4)


def order(name: str, cpu: int = 2, memory: int = 524288) -> dict[str, Any]:
    return {"name": name, "machineTemplate": {"machineConfig": {"cpu": cpu, "memory": memory}}}


def refusal(vendor: Vendor, method: str, url: str, body: Any = None) -> dict[str, Any]:
    """The Job that failed, whether the answer has it or it was followed to its end."""
    answer = vendor.ask(method, url, body)
    job: dict[str, Any] = answer.json if answer.status_code >= 400 else vendor.job(answer)
    assert job["state"] == "FAILED", job
    return job


def instance(vendor: Vendor, name: str) -> Any:
    return next(vm for vm in vendor.instances("ACME_Vm") if vm["Caption"] == name)


def test_a_machine_is_made_by_a_task_from_plain_parameters(vendor: Vendor) -> None:
    made = vendor.made("machines", order("made", cpu=3, memory=524289))
    sent = vendor.called("CreateVM")[-1]
    assert (sent["Name"], sent["Cpus"]) == ("made", 3)
    assert sent["MemoryPages"] == 524288 // KIB_PER_PAGE + 1  # never less than was asked for
    assert instance(vendor, "made")["Notes"] == sent["Notes"]  # the token of the request
    assert (made["state"], made["cpu"]) == ("STOPPED", 3)
    assert made["memory"] == sent["MemoryPages"] * KIB_PER_PAGE


def test_a_machine_is_made_and_started_in_one_job(vendor: Vendor) -> None:
    body = order("started")
    body["machineTemplate"]["initialState"] = "STARTED"
    assert vendor.made("machines", body)["state"] == "STARTED"


def test_a_task_that_says_finished_and_failed_is_a_failed_job(vendor: Vendor) -> None:
    too_much = (MOST_PAGES + 1) * KIB_PER_PAGE
    job = refusal(vendor, "POST", "machines", order("huge", memory=too_much))
    assert f"no room for {MOST_PAGES + 1} pages" in job["statusMessage"]
    assert "huge" not in {m["name"] for m in vendor.get("machines")["machines"]}


def test_a_refusal_by_number_is_the_error_it_means(vendor: Vendor) -> None:
    job = refusal(vendor, "POST", "machines", order("wide", cpu=64))
    assert "Too Much" in job["statusMessage"]
    assert "(provider-rejected)" in job["statusMessage"]
    assert job["returnCode"] == 20018


def test_a_machine_goes_through_its_states(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("living"))
    for name, state, word in (
        ("start", "STARTED", "on"), ("pause", "PAUSED", "hold"), ("start", "STARTED", "on"),
        ("restart", "STARTED", "reboot"), ("stop", "STOPPED", "off"),
    ):  # fmt: skip
        vendor.done("POST", f"{machine['id']}/{name}", action(name))
        assert vendor.get(machine["id"])["state"] == state
        assert vendor.called("PowerControl")[-1] == {"Action": word}
    vendor.done("POST", f"{machine['id']}/start", action("start"))
    vendor.done("POST", f"{machine['id']}/stop", action("stop", force=True))
    assert vendor.called("PowerControl")[-1] == {"Action": "kill"}


def test_what_the_state_forbids_is_refused_without_a_call(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("still"))
    before = len(vendor.called("PowerControl"))
    job = refusal(vendor, "POST", f"{machine['id']}/pause", action("pause"))
    assert "(state-forbids)" in job["statusMessage"]
    assert len(vendor.called("PowerControl")) == before


def test_name_and_size_are_written_back(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("before"))
    vendor.done("PUT", f"{machine['id']}?$select=name", {"name": "after"})
    assert instance(vendor, "after")["Notes"] == vendor.called("CreateVM")[-1]["Notes"]
    vendor.done("PUT", f"{machine['id']}?$select=memory", {"memory": 1048576})
    assert vendor.called("Reconfigure")[-1] == {"MemoryPages": 1048576 // KIB_PER_PAGE}
    now = vendor.get(machine["id"])
    assert (now["name"], now["memory"], now["cpu"]) == ("after", 1048576, machine["cpu"])


def test_a_name_that_is_taken_is_a_conflict(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("first"))
    job = refusal(vendor, "PUT", f"{machine['id']}?$select=name", {"name": "vm 1"})
    assert "TAKEN" in job["statusMessage"]
    assert "(provider-refused)" in job["statusMessage"]
    assert vendor.get(machine["id"])["name"] == "first"


def test_a_description_is_kept_here(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("described"))
    vendor.done("PUT", f"{machine['id']}?$select=description", {"description": "of the shop"})
    assert vendor.get(machine["id"])["description"] == "of the shop"


def test_a_machine_is_destroyed_by_its_number(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("doomed"))
    number = instance(vendor, "doomed")["VmNo"]
    vendor.done("DELETE", machine["id"])
    assert vendor.called("DestroyVM")[-1] == {"VmNo": number}
    assert vendor.ask("GET", machine["id"]).status_code == 404


def test_a_deletion_that_fails_tells_the_vendors_reason(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("locked"))
    vm = instance(vendor, "locked")
    vendor.server.set_flags(vm.path, LOCKED)
    job = refusal(vendor, "DELETE", machine["id"])
    assert f"machine {vm['VmNo']} is locked" in job["statusMessage"]
    assert vendor.get(machine["id"])["name"] == "locked"


def test_disks_come_and_go(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("storing"))
    disk = vendor.made(machine["disks"]["href"], {"capacity": 5000001, "initialLocation": "b7"})
    assert (disk["capacity"], disk["initialLocation"]) == (5001000, "b7")  # whole megabytes
    [other] = [d for d in vendor.instances("ACME_VDisk") if d["Bay"] == "b7"]
    vendor.done("DELETE", disk["id"])
    sent = vendor.called("DetachDisk")[-1]
    assert sent == {"Shelf": other["Shelf"], "DiskNo": other["DiskNo"]}
    assert vendor.get(machine["disks"]["href"])["count"] == 0


def test_a_volume_is_made_without_a_task_and_told_by_a_uri(vendor: Vendor) -> None:
    body = {"name": "data", "volumeTemplate": {"volumeConfig": {"capacity": 2000000}}}
    volume = vendor.made("volumes", body)
    assert (volume["name"], volume["capacity"]) == ("data", 2000000)
    vendor.done("DELETE", volume["id"])
    assert vendor.ask("GET", volume["id"]).status_code == 404


def test_a_job_that_is_stopped_ends_the_vendors_task(vendor: Vendor) -> None:
    vendor.server.hold_tasks()
    try:
        answer = vendor.ask("POST", "machines", order("unwanted"))
        assert answer.status_code == 202, answer.text
        job = answer.headers["CIMI-Job-URI"]
        vendor.ask("POST", f"{job}/stop", action("stop"))
        assert vendor.job(answer)["state"] in ("STOPPED", "FAILED")
    finally:
        vendor.server.release_tasks()
    assert vendor.called("Abort")[-1] == {"Hard": True}
    assert "unwanted" not in {m["name"] for m in vendor.get("machines")["machines"]}


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("CreateVM", "machines", order("lost")),  # the token tells
        ("CreateLun", "volumes",
         {"name": "lost", "volumeTemplate": {"volumeConfig": {"capacity": 1000000}}}),  # the name
    ],
)  # fmt: skip
def test_what_was_made_is_found_when_the_answer_is_lost(
    vendor: Vendor, method: str, url: str, body: dict[str, Any]
) -> None:
    before = len(vendor.called(method))
    vendor.server.backend.lost.add(method)
    vendor.server.runs_alone = True
    try:
        made = vendor.made(url, body)
    finally:
        vendor.server.backend.lost.clear()
        vendor.server.runs_alone = False
    assert made["name"] == "lost"
    assert len(vendor.called(method)) == before + 1


def test_a_power_change_whose_answer_is_lost_is_told_by_the_state(vendor: Vendor) -> None:
    machine = vendor.made("machines", order("powered"))
    vendor.server.backend.lost.add("PowerControl")
    try:
        answer = vendor.ask("POST", f"{machine['id']}/start", action("start"))
    finally:
        vendor.server.backend.lost.clear()
    assert answer.status_code in (200, 202), answer.text
    assert vendor.get(machine["id"])["state"] == "STARTED"
