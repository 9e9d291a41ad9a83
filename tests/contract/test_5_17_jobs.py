"""Clauses 4.2.1.6, 4.2.1.7 and 5.17.1: Jobs of what is done at once, and of what runs on."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker, named
from tests.contract.provider import Answer, action, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2


def changes(maker: Maker) -> dict[str, tuple[Answer, Document]]:
    """An answer to each kind of change, with the Job that it tells."""
    provider = maker.provider
    found: dict[str, tuple[Answer, Document]] = {}

    def note(name: str, answer: Answer) -> Answer:
        found[name] = (answer, provider.get(answer.headers["cimi-job-uri"]))
        return answer

    system = note("add", maker.add("System", maker.document("System"))).json
    edit, delete = (str(operation(system, name)) for name in ("edit", "delete"))
    note("edit", provider.send("PUT", edit, {**system, "name": "new"}))
    if maker.version is V2:
        machines = provider.get(system["machines"]["href"])
        machine = str(maker.example("Machine"))
        note("insert", maker.insert(machines, machine))
        note("remove", maker.insert(machines, machine, "remove"))
        segment = maker.make("ProtocolSegment")
        name = "stop" if segment["state"] == "STARTED" else "start"
        note(name, provider.send("POST", str(operation(segment, name)), action(name)))
    machine_now = provider.machine("STARTED", maker.version)
    for name in ("pause", "start"):
        href = str(operation(provider.get(machine_now["id"]), name))
        note(f"{name} of a machine", provider.send("POST", href, action(name, maker.version)))
    live = provider.get(str(maker.example("Machine")))
    edit = str(operation(live, "edit"))
    part = {"description": "renamed"}
    note("edit of a machine", provider.send("PUT", edit, part, ("$select", "description")))
    note("delete", provider.request("DELETE", delete))
    return found


@pytest.mark.parametrize("version", list(CimiVersion), ids=named)
def test_4_2_1_6_every_change_tells_its_finished_job(makers: Makers, version: CimiVersion) -> None:
    for name, (answer, job) in changes(makers[version]).items():
        assert answer.status in (200, 201), name
        assert answer.headers["cimi-job-uri"].startswith("http://"), name
        assert job["id"] == answer.headers["cimi-job-uri"], name
        assert job["state"] == "SUCCESS", name
        assert job["action"].startswith(f"{version.namespace}/action/"), name
    jobs = makers[version].provider.collection("jobs", version)
    everything = makers[version].provider.get(jobs)
    assert job["id"] in [item["id"] for item in items(everything)]


def test_5_17_1_a_job_lists_what_it_touched(makers: Makers) -> None:
    maker = makers[V2]
    found = changes(maker)
    for name, (_, job) in found.items():
        if name != "delete":
            assert job["targetResource"] in job["affectedResources"], name
        assert "nestedJobs" not in job, name
    machine = {"href": maker.example("Machine")}
    for name in ("insert", "remove"):
        _, job = found[name]
        assert machine in job["affectedResources"], name
    root = maker.provider.get_xml(job["id"])
    hrefs = [e.get("href") for e in root.iter(f"{{{V2.namespace}}}affectedResource")]
    now = maker.provider.get(job["id"])  # without what has been deleted since
    assert hrefs == [ref["href"] for ref in now["affectedResources"]]


@pytest.mark.parametrize("version", list(CimiVersion), ids=named)
def test_5_17_1_the_target_of_an_add_is_the_collection(
    makers: Makers, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    for type_name in ("MachineConfiguration", "System", "Credential"):
        answer = maker.add(type_name, maker.document(type_name))
        job = provider.get(answer.headers["cimi-job-uri"])
        assert job["targetResource"] == {"href": maker.collection(type_name)}
        assert {"href": answer.json["id"]} in job["affectedResources"]


def test_5_17_1_what_is_gone_is_not_listed(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    answer = maker.add("System", maker.document("System"))
    system = answer.json
    changed = provider.send("PUT", str(operation(system, "edit")), {**system, "name": "x"})
    deleted = provider.request("DELETE", str(operation(system, "delete")))
    for each in (answer, changed, deleted):
        job = provider.get(each.headers["cimi-job-uri"])
        assert system["id"] not in str({**job, "id": ""}), job


def test_5_17_1_a_job_that_has_ended_has_made_all_progress(makers: Makers) -> None:
    for name, (_, job) in changes(makers[V2]).items():
        assert job["progress"] == 100, name
        assert job["returnCode"] >= 10000, name
        assert job["timeOfStatusChange"], name
