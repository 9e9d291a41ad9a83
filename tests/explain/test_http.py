"""`X-CIMI-Explain: 1`: who gets what, in which form, and what failures tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import falcon
import falcon.testing
import pytest

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.credentials import Secret
from cimi_cim.errors import Forbidden
from cimi_cim.http.app import make_app
from cimi_cim.http.explaining import must_be_allowed
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.service.accounts import ANYBODY, STRANGER, Principal, Role
from tests.clients import Client
from tests.explain.bridges import bridge_over, bridge_to
from tests.lab.test_hidden_associations import Hiding

DEAD = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack)


def explained(client: Client, uri: str) -> dict[str, Any]:
    answer = client.ask("GET", uri, X_CIMI_Explain="1")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def test_the_body_is_the_explanation_and_no_cache_takes_it_for_the_answer(client: Client) -> None:
    answer = client.ask("GET", "machines", X_CIMI_Explain="1")
    assert answer.status_code == 200
    assert answer.headers["X-CIMI-Explain"] == "1"
    assert "X-CIMI-Explain" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(answer.json) == {
        "request", "answer", "notes", "elapsedMs", "plans", "operations", "calls", "jobs",
        "store", "resources",
    }  # fmt: skip


def test_text_is_for_people(client: Client) -> None:
    answer = client.ask("GET", "machines?$last=1", X_CIMI_Explain="1", Accept="text/plain")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    for said in ("Plan: Machine on lab, batch; mapping base", "rule machine_state", "Operations: "):
        assert said in answer.text
    assert all(len(line) <= 110 for line in answer.text.splitlines())


def test_other_forms_are_not_acceptable(client: Client) -> None:
    answer = client.ask("GET", "machines", X_CIMI_Explain="1", Accept="application/xml")
    assert answer.status_code == 406


@pytest.mark.parametrize("said", ["0", ""])
def test_who_does_not_ask_gets_the_answer(client: Client, said: str) -> None:
    answer = client.ask("GET", "machines", X_CIMI_Explain=said)
    assert answer.json["count"] == 5
    assert "X-CIMI-Explain" not in answer.headers


def test_another_word_is_a_bad_header(client: Client) -> None:
    assert client.ask("GET", "machines", X_CIMI_Explain="yes").status_code == 400


def test_it_is_for_those_who_are_let_in() -> None:
    must_be_allowed(ANYBODY)
    must_be_allowed(Principal("eve", Role.USER))
    with pytest.raises(Forbidden):
        must_be_allowed(STRANGER)


def test_a_stranger_at_the_public_entry_point_is_refused(client: Client) -> None:
    app = make_app(client.service, http=HttpConfig(), authenticator=lambda req, segments: STRANGER)
    asked = falcon.testing.TestClient(app)
    answer = asked.simulate_get("/cimi/2", headers={"X-CIMI-Explain": "1"})
    assert answer.status_code == 403
    assert asked.simulate_get("/cimi/2").status_code == 200


def test_an_uri_that_leads_nowhere_tells_what_is_near(client: Client) -> None:
    told = explained(client, "machine")
    assert told["answer"]["status"] == 404
    assert told["request"]["leadsTo"] == "nothing"
    assert "did you mean 'machines'?" in told["notes"][0]
    [note] = explained(client, "machines/x/networkInterfaces")["notes"]
    assert note == "it is a path of CIMI 1.0.1: /cimi/1/..."


def test_an_id_that_is_not_there_tells_what_it_would_be_and_how_it_was_looked_for(
    client: Client,
) -> None:
    told = explained(client, "machines/nobody")
    assert told["answer"]["reason"] == "not-found"
    assert told["notes"] == ["the URI is that of a Machine, and there is none of this id"]
    assert told["plans"][0]["mode"] == "batch"
    assert told["operations"]


def test_what_no_mapping_has_is_told(tmp_path: Path) -> None:
    mapping = tmp_path / "mine.yaml"
    mapping.write_text(
        "language: 1\nname: mine\nextends: libvirt-cim\nresources: {Network: {drop: true}}\n"
    )
    with bridge_over(str(mapping), "sfcb") as bridge:
        told = bridge.explained("/cimi/2/networks")
    assert told["answer"]["status"] == 404
    assert told["notes"] == [
        "it would be a Collection of Network, and the mapping of no target has Network"
    ]


def test_a_bad_filter_has_its_position_and_asks_nobody(client: Client) -> None:
    told = explained(client, "machines?$filter=stat='STARTED'")
    assert told["answer"]["status"] == 400
    assert "at position 1" in told["answer"]["message"]
    assert told["operations"] == []


def test_a_filter_a_selection_and_an_expansion_are_explained_as_they_are_served(
    client: Client,
) -> None:
    told = explained(client, "machines?$filter=state='STARTED'&$select=name,cpu&$last=2")
    for resource in told["resources"]:
        assert set(resource["attributes"]) == {"name", "cpu"}
    [plan] = told["plans"]
    assert "EnabledState" in next(r for r in plan["relations"] if r["alias"] == "cs")["properties"]
    machine = client.get("machines?$last=1")["machines"][0]["id"]
    told = explained(client, f"{machine}?$expand=disks")
    [resource] = told["resources"]
    assert resource["attributes"]["disks"]["value"]["count"] >= 1
    assert {plan["type"] for plan in told["plans"]} == {"Machine", "Disk"}


def test_what_the_store_keeps_of_a_live_resource_is_told(client: Client) -> None:
    machine = client.get("machines")["machines"][1]
    sent = {**machine, "name": "by another name"}
    assert client.ask("PUT", machine["id"], sent).status_code == 200
    [resource] = explained(client, machine["id"])["resources"]
    name = resource["attributes"]["name"]
    assert (name["source"], name["value"]) == ("store", "by another name")
    assert name["reads"][0]["value"] == machine["name"]


def test_a_stored_resource_is_told_from_the_store(client: Client) -> None:
    made = client.ask("POST", "machineConfigs", {
        "resourceURI": "http://schemas.dmtf.org/cimi/2/MachineConfigurationCreate", "name": "small",
        "cpu": 1, "memory": 524288,
    }).json  # fmt: skip
    [resource] = explained(client, made["id"])["resources"]
    sources = {name: told["source"] for name, told in resource["attributes"].items()}
    assert {sources[name] for name in ("name", "cpu", "memory")} == {"store"}
    assert "server" not in resource


def test_a_dead_server_is_told_with_the_operations_until_then() -> None:
    with bridge_to(TargetConfig("gone", DEAD), deadline_s=5) as bridge:
        told = bridge.explained("/cimi/2/machines")
    assert told["answer"]["status"] == 503
    assert told["answer"]["reason"] == "wbem-unreachable"
    assert told["operations"]
    assert "cannot be reached" in told["operations"][-1]["error"]
    assert told["operations"][-1]["receivedBytes"] == 0
    assert "127.0.0.1" not in json.dumps(told)


def test_of_two_servers_each_is_told_and_who_is_missing() -> None:
    with lab_server(Simulation(2)) as front:
        lab, gone = TargetConfig("lab", front.url), TargetConfig("gone", DEAD)
        with bridge_to(lab, gone, deadline_s=5) as bridge:
            told = bridge.explained("/cimi/2/machines")
    assert told["answer"]["status"] == 200
    assert {operation["server"] for operation in told["operations"]} == {"lab", "gone"}
    assert [o["server"] for o in told["operations"] if "error" in o] == ["gone"]
    assert any("gone" in note for note in told["notes"])


def test_no_account_and_no_password_is_told() -> None:
    secret = SimpleNamespace(user="wbem-operator", password="correct-horse")
    with lab_server(Simulation(2)) as front:
        target = TargetConfig("lab", front.url, user=secret.user, password=Secret(secret.password))
        with bridge_to(target) as bridge:
            for path in ("/cimi/2/machines", "/cimi/2", "/cimi/2/nothing"):
                told = json.dumps(bridge.explained(path))
                assert secret.user not in told
                assert secret.password not in told
                assert front.url not in told


def test_two_requests_at_the_same_time_are_told_apart(client: Client) -> None:

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda uri: explained(client, uri), ["machines", "networks"] * 4))
    for one, kind in zip(told, ["Machine", "Network"] * 4, strict=True):
        assert {plan["type"] for plan in one["plans"]} == {kind}
        assert len(one["operations"]) == len(told[0 if kind == "Machine" else 1]["operations"])


def test_an_association_that_hides_is_found_out_and_the_walk_has_its_reason() -> None:
    with WbemFront(Hiding(3)) as front, bridge_to(TargetConfig("lab", front.url)) as bridge:
        for why in ("and a few walks found instances", "it was found before"):
            [plan] = bridge.explained("/cimi/2/machines")["plans"]
            [vssd] = [r for r in plan["relations"] if r["alias"] == "vssd"]
            assert vssd["way"] == "walk"
            assert why in vssd["why"]
            assert plan["resources"] == 3 < plan["rows"]


def test_actions_tell_why_they_are_offered_or_not(client: Client) -> None:
    machines = client.get("machines?$filter=state='STOPPED'")["machines"]
    [resource] = explained(client, machines[0]["id"])["resources"]
    offered = {o["rel"].rpartition("/")[2] for o in machines[0]["operations"]}
    for name, why in resource["operations"].items():
        assert why.startswith("offered" if name in offered else "not offered"), name
    assert "the state is STOPPED" in resource["operations"]["pause"]


def test_what_a_resource_does_not_have_is_told_with_the_reason(client: Client) -> None:
    [machine] = explained(client, "machines?$last=1")["resources"]
    assert machine["absent"]["cpuSpeed"] == "a Collection leaves it out unless it is selected"
    assert machine["absent"]["updated"] == "the mapping does not have it"
    [machine] = explained(client, machine["id"])["resources"]
    assert "cpuSpeed" in machine["attributes"]
    assert machine["absent"].keys().isdisjoint(machine["attributes"])
    [machine] = explained(client, f"{machine['id']}?$select=name")["resources"]
    assert "absent" not in machine
