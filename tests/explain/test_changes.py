"""What a change would do is told: the Jobs, their calls and parameters; and nothing is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients import NS, Client, action

Document = dict[str, Any]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack, with_jobs=True)


@pytest.fixture(autouse=True)
def unchanged(client: Client) -> Iterator[None]:
    """Whatever a test has explained, lab and store are as before."""

    def everything() -> str:
        names = ("machines", "volumes", "networks", "systems", "machineConfigs", "jobs")
        return json.dumps([client.get(name) for name in names])

    before = everything()
    yield
    assert everything() == before


def explained(client: Client, method: str, uri: str, body: Document | None = None) -> Document:
    answer = client.ask(method, uri, body, X_CIMI_Explain="1")
    assert answer.status_code == 200, answer.text
    found: Document = answer.json
    return found


def machine_in(client: Client, state: str) -> Document:
    machines: list[Document] = client.get("machines")["machines"]
    return next(machine for machine in machines if machine["state"] == state)


def test_an_action_tells_its_call(client: Client) -> None:
    machine = machine_in(client, "STARTED")
    told = explained(client, "POST", f"{machine['id']}/stop", action("stop", force=True))
    assert told["answer"]["status"] == 202
    assert told["request"]["leadsTo"] == "the action stop of a Machine"
    [call] = told["calls"]
    assert (call["method"], call["parameters"]) == ("RequestStateChange", {"RequestedState": 3})
    [job] = told["jobs"]
    [intent] = job["intents"]
    assert job["action"] == "stop"
    assert intent["method"].endswith(".RequestStateChange")
    assert intent["on"] == call["on"]


def test_what_is_done_in_steps_is_told_step_by_step(client: Client) -> None:
    machine = machine_in(client, "STARTED")
    told = explained(client, "DELETE", machine["id"])
    assert [call["method"] for call in told["calls"]] == ["RequestStateChange", "DestroySystem"]
    assert told["calls"][1]["parameters"]["AffectedSystem"] == told["calls"][0]["on"]
    assert [i["method"].partition(".")[2] for i in told["jobs"][0]["intents"]] == [
        "RequestStateChange", "DestroySystem",
    ]  # fmt: skip


def test_a_new_machine_is_told_with_all_that_describes_it(client: Client) -> None:
    told = explained(client, "POST", "machines", {
        "resourceURI": f"{NS}/MachineCreate", "name": "web",
        "machineTemplate": {
            "initialState": "STARTED",
            "machineConfig": {"cpu": 2, "memory": 1048576, "disks": [{"capacity": 1000000}]},
        },
    })  # fmt: skip
    assert told["answer"]["status"] == 202, told["answer"]
    [call] = told["calls"]
    assert call["method"] == "DefineSystem"
    system = call["parameters"]["SystemSettings"]
    assert system["class"] == "CIM_VirtualSystemSettingData"
    assert system["ElementName"] == "web"
    resources = {r["class"]: r for r in call["parameters"]["ResourceSettings"]}
    assert resources["CIM_ProcessorAllocationSettingData"]["VirtualQuantity"] == 2
    assert resources["CIM_ResourceAllocationSettingData"]["VirtualQuantity"] == 1048576
    assert resources["CIM_StorageAllocationSettingData"]["VirtualQuantity"] == 1953125
    [job] = told["jobs"]
    [intent] = job["intents"]
    assert intent["token"] in system["VirtualSystemIdentifier"]
    assert job["undo"] == ["delete the new Machine"]
    assert "then: start" in job["then"]


def test_changed_attributes_tell_the_whole_instances_that_go_back(client: Client) -> None:
    machine = machine_in(client, "STOPPED")
    sent = {"resourceURI": f"{NS}/Machine", "name": "other", "cpu": machine["cpu"] + 1}
    told = explained(client, "PUT", machine["id"], sent)
    calls = {call["method"]: call["parameters"] for call in told["calls"]}
    assert calls["ModifySystemSettings"]["SystemSettings"]["ElementName"] == "other"
    [changed] = calls["ModifyResourceSettings"]["ResourceSettings"]
    assert changed["VirtualQuantity"] == machine["cpu"] + 1
    assert changed["InstanceID"]
    assert all("GetInstance" in o["operation"] or o["rows"] is not None
               for o in told["operations"])  # fmt: skip


def test_a_new_volume_and_the_deletion_of_one(client: Client) -> None:
    told = explained(client, "POST", "volumes", {
        "resourceURI": f"{NS}/VolumeCreate", "name": "data",
        "volumeTemplate": {"volumeConfig": {"type": f"{NS}/mapped", "capacity": 1000000}},
    })  # fmt: skip
    assert [call["method"] for call in told["calls"]] == ["CreateOrModifyElementFromStoragePool"]
    volume = client.get("volumes")["volumes"][0]["id"]
    told = explained(client, "DELETE", volume)
    assert told["calls"] or told["answer"]["status"] >= 400


def test_what_a_system_is_made_of_is_told_job_by_job(client: Client) -> None:
    small = {"machineConfig": {"cpu": 1, "memory": 524288}}
    told = explained(client, "POST", "systems", {
        "resourceURI": f"{NS}/SystemCreate", "name": "shop", "systemTemplate": {
            "componentDescriptors": [
                {"name": "net", "type": f"{NS}/Network", "networkTemplate": {}},
                {"name": "web", "type": f"{NS}/Machine", "quantity": 2, "machineTemplate": small},
            ]
        },
    })  # fmt: skip
    assert told["answer"]["status"] == 202, told["answer"]
    [job] = told["jobs"]
    nested = [(inner["action"], inner["target"]) for inner in job["nested"]]
    assert sorted(nested) == [("add", "machines"), ("add", "machines"), ("add", "networks")]
    assert [len(inner["intents"]) for inner in job["nested"]] == [1, 1, 1]
    assert sorted(call["method"] for call in told["calls"])[:2] == ["DefineSystem", "DefineSystem"]
    assert job["undo"][0].startswith("delete systems/")


def test_what_is_refused_tells_why_and_calls_nothing(client: Client) -> None:
    machine = machine_in(client, "STOPPED")
    told = explained(client, "POST", f"{machine['id']}/pause", action("pause"))
    assert (told["answer"]["status"], told["answer"]["reason"]) == (409, "state-forbids")
    assert told["calls"] == told["jobs"] == []
    told = explained(client, "POST", "machines", {"resourceURI": f"{NS}/MachineCreate"})
    assert told["answer"]["status"] == 400
    told = explained(client, "PATCH", "machines")
    assert told["answer"]["status"] == 405


def test_what_only_the_store_keeps_is_not_made(client: Client) -> None:
    told = explained(client, "POST", "machineConfigs", {
        "resourceURI": f"{NS}/MachineConfigurationCreate", "name": "small", "cpu": 1,
        "memory": 524288,
    })  # fmt: skip
    assert told["answer"]["status"] in (201, 202)
    assert told["calls"] == told["jobs"] == told["operations"] == []
    assert "nothing was changed" in told["notes"][0]
    assert told["store"][0].startswith("make the MachineConfiguration machineConfigs/")


def test_what_the_store_keeps_of_a_machine_is_told_by_name(client: Client) -> None:
    machine = machine_in(client, "STOPPED")
    sent = {**machine, "properties": {"owner": "eve"}}
    told = explained(client, "PUT", machine["id"], sent)
    assert "keep of machines/" in told["store"][0]
    assert "properties" in told["store"][0]
    assert "eve" not in json.dumps(told["store"])


def test_passwords_of_a_request_are_not_told(client: Client) -> None:
    answer = client.ask("POST", "credentials", {
        "resourceURI": f"{NS}/CredentialCreate", "name": "login",
        "credentialTemplate": {"userName": "eve", "password": "correct-horse"},
    }, X_CIMI_Explain="1")  # fmt: skip
    assert answer.status_code == 200
    assert answer.json["answer"]["status"] < 300
    assert "correct-horse" not in answer.text


def test_text_shows_embedded_instances_property_by_property(client: Client) -> None:
    answer = client.ask("POST", "machines", {
        "resourceURI": f"{NS}/MachineCreate", "name": "web",
        "machineTemplate": {"machineConfig": {"cpu": 2, "memory": 1048576}},
    }, X_CIMI_Explain="1", Accept="text/plain")  # fmt: skip
    assert "Call, not sent: DefineSystem" in answer.text
    assert "  ResourceSettings[0]: CIM_ProcessorAllocationSettingData\n" in answer.text
    assert "    VirtualQuantity = 2\n" in answer.text
