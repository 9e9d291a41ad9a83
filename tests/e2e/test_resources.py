"""Stored resources over HTTP: created, changed, listed and deleted; or refused, unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients import NS, Client, action, rels


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


def test_what_is_created_is_read_changed_and_deleted(client: Client) -> None:
    made = client.add("machineConfigs", {"name": "small", "cpu": 2, "properties": {"a": "b"}})
    assert client.get(made["id"]) == made
    assert rels(made) == {"edit", "delete"}
    changed = client.ask("PUT", made["id"], {"name": "large", "cpu": 8})
    assert changed.status_code == 200
    assert (changed.json["cpu"], changed.json.get("properties")) == (8, None)
    listed = client.get("machineConfigs")["machineConfigurations"]
    assert made["id"] in {item["id"] for item in listed}
    gone = client.ask("DELETE", made["id"])
    assert gone.status_code == 200
    assert gone.json["action"] == f"{NS}/action/delete"
    assert client.ask("GET", made["id"]).status_code == 404
    assert client.ask("DELETE", made["id"]).status_code == 404


def test_the_same_in_xml_and_1x(client: Client) -> None:
    body = (
        '<MachineConfigurationCreate xmlns="http://schemas.dmtf.org/cimi/1">'
        "<name>x</name><cpu> 2 </cpu></MachineConfigurationCreate>"
    )
    answer = client.ask("POST", "/cimi/1/machineConfigs", body,
                        Content_Type="application/xml", Accept="application/xml")  # fmt: skip
    assert answer.status_code == 201
    assert answer.headers["Content-Type"].startswith("application/xml")
    one = client.get(answer.headers["Location"])
    two = client.get(answer.headers["Location"].replace("/cimi/1/", "/cimi/2/"))
    assert one["cpu"] == two["cpu"] == 2
    assert one["resourceURI"] == "http://schemas.dmtf.org/cimi/1/MachineConfiguration"


def test_a_partial_update_changes_what_it_selects_and_nothing_else(client: Client) -> None:
    made = client.add("machineConfigs", {"name": "n", "description": "d", "cpu": 1})
    answer = client.ask("PUT", f"{made['id']}?$select=name,description", {"name": "m"})
    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["cpu"]) == ("m", 1)
    assert "description" not in answer.json
    refused = client.ask("PUT", f"{made['id']}?$select=name", {"name": "o", "cpu": 5})
    assert refused.status_code == 400
    assert "cpu is in the document, but not in $select" in refused.json["statusMessage"]
    assert client.get(made["id"]) == answer.json


def test_put_with_stale_etag_changes_nothing(client: Client) -> None:
    made = client.ask("POST", "machineConfigs", {"name": "a"})
    url, first = made.headers["Location"], made.headers["ETag"]
    xml = client.ask("GET", url, Accept="application/xml").headers["ETag"]
    assert first != xml
    second = client.ask("PUT", url, {"name": "b"}, If_Match=xml)
    assert second.status_code == 200
    for method in ("PUT", "DELETE"):
        refused = client.ask(method, url, {"name": "c"}, If_Match=first)
        assert (refused.status_code, refused.json["returnCode"]) == (412, 10412)
    assert client.get(url)["name"] == "b"
    assert client.ask("PUT", url, {"name": "d"}, If_None_Match="*").status_code == 412
    assert client.ask("PUT", url, {"name": "e"}, If_Match="nonsense").status_code == 400
    assert client.ask("DELETE", url, If_Match=second.headers["ETag"]).status_code == 200


def test_what_a_client_has_already_is_not_sent_again(client: Client) -> None:
    made = client.ask("POST", "machineConfigs", {"name": "a"})
    url, tag = made.headers["Location"], made.headers["ETag"]
    again = client.ask("GET", url, If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.ask("GET", url, If_None_Match='"other"').status_code == 200


def test_a_template_by_reference_takes_overrides_and_loses_what_is_null(client: Client) -> None:
    template = client.add(
        "credentialTemplates", {"name": "t", "userName": "root", "parameters": {"k": "v"}}
    )
    made = client.add(
        "credentials",
        {
            "resourceURI": f"{NS}/CredentialCreate",
            "name": "mine",
            "credentialTemplate": {
                "href": template["id"], "userName": "admin", "parameters": None, "password": "x",
            },
        },
    )  # fmt: skip
    assert made["userName"] == "admin"
    assert made["name"] == "mine"
    assert made.keys() & {"parameters", "password"} == set()
    assert client.get(template["id"])["userName"] == "root"


def test_configurations_inside_a_template_fill_the_new_resource(client: Client) -> None:
    config = client.add(
        "meterConfigs", {"aspect": f"{NS}/aspect/cpu", "units": "percent", "sampleInterval": 60}
    )
    machine = client.get("machines")["machines"][0]
    made = client.add(
        "meters",
        {
            "meterTemplate": {
                "targetResource": {"href": machine["id"]},
                "meterConfig": {"href": config["id"], "units": "ratio"},
            }
        },
    )
    assert (made["aspect"], made["units"], made["sampleInterval"]) == (
        f"{NS}/aspect/cpu", "ratio", 60,
    )  # fmt: skip
    listed = client.get(machine["meters"]["href"])
    assert [meter["id"] for meter in listed["meters"]] == [made["id"]]
    assert made["parent"] == {"href": listed["id"]}


def test_children_go_with_their_parent_and_what_was_inserted_stays(client: Client) -> None:
    system = client.add("systems", {"systemTemplate": {}})
    child = client.add(system["credentials"]["href"], {"credentialTemplate": {"userName": "a"}})
    guest = client.add("credentials", {"credentialTemplate": {"userName": "b"}})
    log = client.add("eventLogs", {"eventLogTemplate": {"targetResource": {"href": system["id"]}}})
    assert client.get(system["id"])["eventLog"] == {"href": log["id"]}
    url = system["credentials"]["href"]
    inserted = client.ask("POST", url, action("insert", credential={"href": guest["id"]}))
    assert inserted.status_code == 200
    again = client.ask("POST", f"{url}/insert", action("insert", credential={"href": guest["id"]}))
    assert again.status_code == 409
    assert [c["id"] for c in client.get(url)["credentials"]] == [child["id"], guest["id"]]
    assert client.ask("DELETE", system["id"]).status_code == 200
    assert client.ask("GET", child["id"]).status_code == 404
    assert client.ask("GET", log["id"]).status_code == 404
    assert client.get(guest["id"])["userName"] == "b"


def test_remove_takes_off_the_list_and_deletes_nothing(client: Client) -> None:
    system = client.add("systems", {"systemTemplate": {}})
    machine = client.get("machines")["machines"][0]["id"]
    url = system["machines"]["href"]
    member = {"machine": {"href": machine}}
    assert client.ask("POST", f"{url}/insert", action("insert", **member)).status_code == 200
    assert client.get(url)["count"] == 1
    assert client.get(system["id"])["state"] == client.get(machine)["state"]
    assert client.ask("POST", f"{url}/remove", action("remove", **member)).status_code == 200
    assert client.ask("POST", f"{url}/remove", action("remove", **member)).status_code == 400
    assert client.get(url)["count"] == 0
    assert client.get(machine)["id"] == machine
    assert client.get(system["id"])["state"] == "MIXED"


def test_lists_of_1x_hold_join_resources(client: Client) -> None:
    system = client.add("/cimi/1/systems", {"systemTemplate": {}})
    machine = client.get("/cimi/1/machines")["machines"][0]["id"]
    url = system["machines"]["href"]
    join = client.add(url, {"machine": {"href": machine}})
    assert join["resourceURI"] == "http://schemas.dmtf.org/cimi/1/SystemMachine"
    assert client.get(join["id"])["machine"] == {"href": machine}
    assert [item["machine"]["href"] for item in client.get(url)["systemMachines"]] == [machine]
    assert client.get(url.replace("/1/", "/2/"))["machines"][0]["id"] == machine.replace(
        "/1/", "/2/"
    )
    assert client.ask("DELETE", join["id"]).status_code == 200
    assert client.get(url)["count"] == 0
    assert client.ask("GET", join["id"]).status_code == 404
    assert client.get(machine)["id"] == machine


def test_what_a_wbem_server_cannot_keep_is_kept_here(client: Client) -> None:
    machine = client.get("machines")["machines"][1]
    sent = {**client.get(machine["id"]), "description": "mine", "properties": {"env": "test"}}
    changed = client.ask("PUT", machine["id"], sent)
    assert changed.status_code == 200
    assert changed.json["updated"]
    found = client.get("machines?$filter=property['env']='test'")
    assert [item["id"] for item in found["machines"]] == [machine["id"]]
    assert client.get(machine["id"])["description"] == "mine"
    del sent["description"]
    assert client.ask("PUT", machine["id"], sent).json["description"] == machine["description"]


def test_recorded_states_change_as_the_tables_say(client: Client) -> None:
    made = client.segment(initialState="STOPPED")
    assert f"{NS}/action/start" in rels(made)
    started = client.ask("POST", f"{made['id']}/start", action("start"))
    assert started.status_code == 200
    now = client.get(made["id"])
    assert (now["state"], now["updated"]) == ("STARTED", made["updated"])
    again = client.ask("POST", f"{made['id']}/start", action("start"))
    assert (again.status_code, again.json["returnCode"]) == (409, 10409)


@pytest.mark.parametrize(
    ("url", "body", "says"),
    [
        ("machineConfigs", {"cppu": 1}, "did you mean 'cpu'"),
        ("machineConfigs", {"cpu": -1}, "cannot be negative"),
        ("machineConfigs", {"cpu": "many"}, "integer"),
        ("machineConfigs", {"disks": [{"format": "ext4"}]}, "disks[0].capacity is missing"),
        ("machineConfigs", {"properties": {str(n): "" for n in range(257)}}, "256 at most"),
        ("credentials", {"name": "x"}, "credentialTemplate is missing"),
        ("credentials", {"credentialTemplate": {"href": "credentialTemplates/x"}}, "there is no"),
        ("credentials", {"credentialTemplate": {"href": "http://elsewhere/1"}}, "is no Credential"),
        ("segments", {"protocolSegmentTemplate": {"protocol": "Token Ring"}}, "allowed are"),
        ("segments", {"protocolSegmentTemplate": {}}, "protocol is missing"),
        ("machineTemplates", {"machineConfig": {"href": "machineImages/none"}}, "is no Machine"),
        ("systems", action("insert", system={"href": "systems/none"}), "not offered"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(client: Client, url: str, body: Any, says: str) -> None:
    if url == "segments":
        template = body["protocolSegmentTemplate"]
        body = {"protocolSegmentTemplate": {**template, "network": client.network}}
    before = (client.get(url)["count"], client.get("jobs")["count"])
    answer = client.ask("POST", url, body)
    assert (answer.status_code, answer.json["state"]) == (400, "FAILED")
    assert says in answer.json["statusMessage"]
    assert (client.get(url)["count"], client.get("jobs")["count"]) == before


def test_a_reference_vanishes_with_what_it_leads_to(client: Client) -> None:
    config = client.add("machineConfigs", {"cpu": 1})
    template = client.add("machineTemplates", {"machineConfig": {"href": config["id"]}})
    assert client.ask("DELETE", config["id"]).status_code == 200
    assert "machineConfig" not in client.get(template["id"])


def test_the_entry_point_takes_a_name(client: Client) -> None:
    answer = client.ask("PUT", "cloudEntryPoint?$select=name", {"name": "my cloud"})
    assert answer.json["name"] == client.get("cloudEntryPoint")["name"] == "my cloud"
    assert client.ask("PUT", "cloudEntryPoint", {}).json["name"] == "cimi-cim"


def test_an_event_log_tells_what_happened(client: Client) -> None:
    segment = client.segment()
    log = client.add("eventLogs", {"eventLogTemplate": {"targetResource": {"href": segment["id"]}}})
    client.ask("PUT", f"{segment['id']}?$select=name", {"name": "lan"})
    client.ask("POST", f"{segment['id']}/stop", action("stop"))
    events = client.get(log["events"]["href"])["events"]
    assert [event["type"].removeprefix(f"{NS}/event/") for event in events] == ["model", "state"]
    assert events[0]["content"] == {
        "resource": {"href": segment["id"]},
        "resType": f"{NS}/ProtocolSegment",
        "change": "update",
        "resName": "lan",
    }
    assert (events[1]["content"]["state"], events[1]["content"]["previous"]) == (
        "STOPPED",
        "STARTED",
    )
    assert client.get(log["id"])["summary"] == {"low": 2, "medium": 0, "high": 0, "critical": 0}
    assert client.ask("DELETE", log["id"]).status_code == 200
    assert client.ask("GET", events[0]["id"]).status_code == 404
    assert "eventLog" not in client.get(segment["id"])
