"""The life of machines, volumes and networks over HTTP, each step held against the server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.lab.simulation import Simulation
from tests.clouds import LIMIT_S, NS, Cloud, action


@pytest.fixture(scope="module", params=[0, 0.01], ids=["at-once", "by-jobs"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A lab that does everything at once, and one that starts a job for everything."""
    with ExitStack() as stack:
        yield Cloud(stack, Simulation(3, pace=request.param))


def system(cloud: Cloud, name: str) -> Any:
    """The lab's own instance of a machine or switch."""
    found = [
        s for s in cloud.lab.EnumerateInstances("CIM_ComputerSystem") if s["ElementName"] == name
    ]
    return found[0] if found else None


def machine(cloud: Cloud, name: str, **template: Any) -> dict[str, Any]:
    template.setdefault("machineConfig", {"cpu": 2, "memory": 1048576})
    return cloud.made("machines", {"name": name, "machineTemplate": template})


def test_a_machine_lives_and_dies(cloud: Cloud) -> None:
    config = cloud.made(
        "machineConfigs", {"cpu": 2, "memory": 1048576, "disks": [{"capacity": 2048}]}
    )
    template = cloud.made(
        "machineTemplates", {"machineConfig": {"href": config["id"]}, "initialState": "STARTED"}
    )
    made = machine(
        cloud, "life", href=template["id"], machineConfig={"href": config["id"], "cpu": 4}
    )
    assert (made["name"], made["state"], made["cpu"], made["memory"]) == (
        "life", "STARTED", 4, 1048576,
    )  # fmt: skip
    assert system(cloud, "life")["EnabledState"] == 2
    assert [d["capacity"] for d in cloud.get(made["disks"]["href"])["disks"]] == [2048]
    cloud.done("POST", f"{made['id']}/stop", action("stop", force=True))
    assert system(cloud, "life")["EnabledState"] == 3
    cloud.done("PUT", f"{made['id']}?$select=cpu,memory,properties",
               {"cpu": 1, "memory": 2097152, "properties": {"k": "v"}})  # fmt: skip
    changed = cloud.get(made["id"])
    assert (changed["cpu"], changed["memory"], changed["properties"]) == (1, 2097152, {"k": "v"})
    cloud.done("DELETE", made["id"])
    assert cloud.ask("GET", made["id"]).status_code == 404
    assert system(cloud, "life") is None


def test_volumes_are_connected_and_disconnected(cloud: Cloud) -> None:
    volume = cloud.made(
        "volumes", {"name": "data", "volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}
    )
    assert volume["state"] == "AVAILABLE"
    made = machine(
        cloud, "with-volumes",
        volumeTemplates=[{"volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}],
    )  # fmt: skip
    url = made["volumes"]["href"]
    assert cloud.get(url)["count"] == 1
    cloud.done("POST", url, action("insert", volume={"href": volume["id"]}))
    connected = cloud.get(url)["locatedVolumes"]
    assert volume["id"] in [item["volume"]["href"] for item in connected]
    cloud.done("POST", url, action("remove", volume={"href": volume["id"]}))
    assert cloud.get(url)["count"] == 1
    assert cloud.get(volume["id"])["state"] == "AVAILABLE"
    cloud.done("PUT", f"{volume['id']}?$select=capacity", {"capacity": 2097152})
    assert cloud.get(volume["id"])["capacity"] == 2097152
    cloud.done("DELETE", volume["id"])
    assert cloud.ask("GET", volume["id"]).status_code == 404


def test_parts_of_a_machine_come_and_go(cloud: Cloud) -> None:
    made = machine(cloud, "parts")
    disk = cloud.made(made["disks"]["href"], {"capacity": 4096})
    assert disk["capacity"] == 4096
    card = cloud.made(made["interfaces"]["href"], {"networkInterfaceTemplate": {}})
    assert cloud.get(made["interfaces"]["href"])["count"] == 1
    cloud.done("DELETE", card["id"])
    cloud.done("DELETE", disk["id"])
    assert cloud.get(made["disks"]["href"])["count"] == 0


def test_what_is_refused_is_refused_before_anything_is_made(cloud: Cloud) -> None:
    before = cloud.get("jobs")["count"]
    for template, says in [
        ({"machineConfig": {"href": "machineConfigs/none"}}, "there is no"),
        ({"machineConfig": {"cpu": -1}}, "negative"),
        ({"machineImage": {"href": "machineImages/none"}}, "there is no"),
        ({"initialState": "RUNNING"}, "allowed are"),
        ({"userData": "eA=="}, "userData"),
        ({"volumes": [{"volume": {"href": "volumes/none"}}]}, "there is no"),
    ]:
        answer = cloud.ask("POST", "machines", {"machineTemplate": template})
        assert answer.status_code == 400, (template, answer.text)
        assert says in answer.json["statusMessage"]
    assert cloud.get("jobs")["count"] == before


def test_what_the_server_refuses_is_told_and_undone(cloud: Cloud) -> None:
    volumes = cloud.get("volumes")["count"]
    template = {
        "machineConfig": {"cpu": 100_000},
        "volumeTemplates": [{"volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}],
    }
    answer = cloud.ask("POST", "machines", {"name": "huge", "machineTemplate": template})
    assert answer.status_code in (202, 400, 409), answer.text
    if answer.status_code == 202:
        assert cloud.job(answer)["state"] == "FAILED"
    limit = time.monotonic() + LIMIT_S
    while cloud.get("volumes")["count"] != volumes and time.monotonic() < limit:
        time.sleep(0.02)
    assert cloud.get("volumes")["count"] == volumes
    assert system(cloud, "huge") is None


def test_a_retried_request_makes_one_machine(cloud: Cloud) -> None:
    body = {"name": "once", "machineTemplate": {"machineConfig": {"cpu": 1}}}
    first = cloud.ask("POST", "machines", body, Idempotency_Key="k-1")
    again = cloud.ask("POST", "machines", body, Idempotency_Key="k-1")
    assert first.headers["CIMI-Job-URI"] == again.headers["CIMI-Job-URI"]
    cloud.job(again)
    assert cloud.get("machines?$filter=name='once'")["count"] == 1
    other = cloud.ask("POST", "machines", {**body, "name": "twice"}, Idempotency_Key="k-1")
    assert other.status_code in (409, 422)


def test_networks_come_and_go(cloud: Cloud) -> None:
    made = cloud.made("networks", {"name": "lan", "networkTemplate": {}})
    assert system(cloud, "lan") is not None
    cloud.done("DELETE", made["id"])
    assert system(cloud, "lan") is None


def test_machines_are_snapshotted_and_restored(cloud: Cloud) -> None:
    made = machine(cloud, "snap")
    image = cloud.made(
        "machineImages", {"name": "before", "imageLocation": made["id"], "type": "SNAPSHOT"}
    )
    assert (image["type"], image["state"], image["name"]) == ("SNAPSHOT", "AVAILABLE", "before")
    listed = cloud.get(made["snapshots"]["href"])
    assert [item["id"] for item in listed["machineImages"]] == [image["id"]]
    cloud.done("PUT", f"{made['id']}?$select=cpu", {"cpu": 1})
    cloud.done("POST", f"{made['id']}/restore", action("restore", image={"href": image["id"]}))
    assert cloud.get(made["id"])["cpu"] == 2
    cloud.done("POST", f"{made['id']}/snapshot", {"name": "second"})
    assert cloud.get(made["snapshots"]["href"])["count"] == 2
    cloud.done("DELETE", image["id"])
    assert cloud.get(made["snapshots"]["href"])["count"] == 1


def test_a_job_that_is_over_is_not_stopped_and_can_be_deleted(cloud: Cloud) -> None:
    made = cloud.ask("POST", "machines", {"name": "j", "machineTemplate": {}})
    job = cloud.job(made)
    assert {o["rel"] for o in job["operations"]} == {"edit", "delete"}
    assert cloud.ask("POST", f"{job['id']}/stop", action("stop")).status_code == 409
    assert cloud.ask("DELETE", job["id"]).status_code == 200
    assert cloud.ask("GET", job["id"]).status_code == 404


def test_meters_and_the_event_log_of_a_template_come_with_the_machine(cloud: Cloud) -> None:
    made = machine(
        cloud, "measured",
        meterTemplates=[{"meterConfig": {"aspect": f"{NS}/aspect/cpu"}}], eventLogTemplate={},
    )  # fmt: skip
    meters = cloud.get(made["meters"]["href"])["meters"]
    assert [meter["targetResource"]["href"] for meter in meters] == [made["id"]]
    log = cloud.get(cloud.get(made["id"])["eventLog"]["href"])
    assert log["targetResource"] == {"href": made["id"]}
    cloud.done("POST", f"{made['id']}/start", action("start"))
    assert "state" in {
        event["type"].rpartition("/")[2] for event in cloud.get(log["events"]["href"])["events"]
    }
    cloud.done("DELETE", made["id"])
    assert cloud.ask("GET", meters[0]["id"]).status_code == 404
    assert cloud.ask("GET", log["id"]).status_code == 404


def test_a_system_is_made_operated_and_deleted_with_its_machines(cloud: Cloud) -> None:
    config = {"machineConfig": {"cpu": 1, "memory": 262144}}
    system_template = {
        "componentDescriptors": [
            {"name": "net", "type": f"{NS}/Network", "networkTemplate": {}},
            {"name": "data", "type": f"{NS}/Credential", "credentialTemplate": {"userName": "a"}},
            {"name": "web", "type": f"{NS}/Machine", "quantity": 2, "machineTemplate": config},
        ]
    }
    made = cloud.made("systems", {"name": "shop", "systemTemplate": system_template})
    machines = cloud.get(made["machines"]["href"])["machines"]
    assert sorted(m["name"] for m in machines) == ["web1", "web2"]
    assert {m["parent"]["href"] for m in machines} == {made["machines"]["href"]}
    assert cloud.get(made["networks"]["href"])["count"] == 1
    assert cloud.get(made["credentials"]["href"])["count"] == 1
    assert made["state"] == "STOPPED"
    job = cloud.done("POST", f"{made['id']}/start", action("start"))
    assert len(job["nestedJobs"]) == 2
    assert cloud.get(made["id"])["state"] == "STARTED"
    assert {system(cloud, name)["EnabledState"] for name in ("web1", "web2")} == {2}
    cloud.done("DELETE", made["id"])
    assert cloud.ask("GET", made["id"]).status_code == 404
    assert [system(cloud, name) for name in ("web1", "web2", "net")] == [None] * 3


def test_a_system_of_which_a_part_fails_is_not_made(cloud: Cloud) -> None:
    before = cloud.get("systems")["count"]
    template = {
        "componentDescriptors": [
            {"name": "ok", "type": f"{NS}/Machine", "machineTemplate": {}},
            {"name": "no", "type": f"{NS}/Machine",
             "machineTemplate": {"machineConfig": {"cpu": 100_000}}},
        ]
    }  # fmt: skip
    answer = cloud.ask("POST", "systems", {"name": "half", "systemTemplate": template})
    if answer.status_code == 202:
        assert cloud.job(answer)["state"] == "FAILED"
    else:
        assert answer.status_code in (400, 409), answer.text
    assert cloud.get("systems")["count"] == before
    assert system(cloud, "ok") is None


def test_a_machine_is_made_and_changed_as_the_metadata_of_its_template_allow(
    cloud: Cloud,
) -> None:
    """DSP0263 5.11: they hold for whatever is made from the template."""
    own = cloud.made("resourceMetadata", {
        "typeURI": f"{NS}/Machine", "name": "small",
        "vscope": [{"cpu": {"values": [1, 2], "default": 1}}],
    })  # fmt: skip
    template = cloud.made("machineTemplates", {"genResourceMetadata": {"href": own["id"]}})
    refused = cloud.ask("POST", "machines", {
        "machineTemplate": {"href": template["id"], "machineConfig": {"cpu": 4}},
    })  # fmt: skip
    assert refused.status_code == 400
    assert "cpu is 4 count; allowed is 1, 2" in refused.json["statusMessage"]
    made = machine(cloud, "scoped", href=template["id"], machineConfig={"memory": 1048576})
    assert (made["cpu"], made["resourceMetadata"]) == (1, {"href": own["id"]})
    url = f"{made['id']}?$select=cpu"
    assert cloud.ask("PUT", url, {"cpu": 3}).status_code == 400
    cloud.done("PUT", url, {"cpu": 2})
    assert cloud.get(made["id"])["cpu"] == 2
    cloud.done("DELETE", made["id"])


def test_metadata_tell_what_can_be_made_and_how_long_jobs_are_kept(cloud: Cloud) -> None:
    def capabilities(name: str) -> dict[str, Any]:
        found = cloud.get(f"resourceMetadata/{name}")["capabilities"]
        return {one["name"]: one["value"] for one in found}

    assert capabilities("Job") == {"JobRetention": 1440}
    for state in capabilities("Machine")["InitialStates"]:
        made = machine(cloud, f"in-{state}", initialState=state)
        assert made["state"] == state
        cloud.done("DELETE", made["id"])
    told = cloud.get("resourceMetadata/Machine")["actions"]
    assert {"edit", "delete", "start"} <= {one["name"] for one in told}


def test_parts_are_made_in_what_they_are_parts_of_alone(cloud: Cloud) -> None:
    refused = cloud.ask("POST", "interfaces", {"networkInterfaceTemplate": {}})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    made = machine(cloud, "whole")
    listed = cloud.ask("POST", made["snapshots"]["href"], {"name": "part"})
    assert listed.status_code == 405


@pytest.mark.parametrize("name", ["snapshot", "connectvolume"])
def test_what_an_action_starts_waits_for_the_representation_it_is_meant_for(
    cloud: Cloud, name: str
) -> None:
    made = machine(cloud, f"conditional-{name}")
    body: dict[str, Any] = {"name": "image"}
    if name == "connectvolume":
        volume = cloud.get("volumes")["volumes"][0]["id"]
        body = action(name, volume={"href": volume})
    before = [cloud.get(each)["count"] for each in ("machineImages", "jobs")]
    for tag, status in (('"stale"', 412), ("no tag", 400)):
        refused = cloud.ask("POST", f"{made['id']}/{name}", body, If_Match=tag)
        assert refused.status_code == status, refused.text
    assert [cloud.get(each)["count"] for each in ("machineImages", "jobs")] == before
