"""Clauses 5.17.3 to 5.17.13 for what the store keeps: Meters, EventLogs, Events."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker
from tests.contract.provider import action, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2


@pytest.fixture
def maker(makers: Makers) -> Maker:
    return makers[V2]


@pytest.fixture
def system(maker: Maker) -> Document:
    return maker.make("System", eventLogTemplate={"persistence": "daily"})


def test_5_17_3_meters_go_with_their_resource(maker: Maker, system: Document) -> None:
    target = {"href": system["id"]}
    meters = [maker.make("Meter", targetResource=target)["id"] for _ in range(2)]
    add = operation(maker.provider.get(system["meters"]["href"]), "add")
    if add is not None:
        answer = maker.provider.send("POST", add, maker.document("Meter", targetResource=target))
        meters.append(answer.json["id"])
    assert maker.provider.request("DELETE", str(operation(system, "delete"))).status == 200
    everything = [item["id"] for item in items(maker.provider.get(maker.collection("Meter")))]
    for meter in meters:
        assert maker.provider.request("GET", meter).status == 404
        assert meter not in everything


def test_5_17_4_1_a_meter_is_listed_with_its_resource_too(maker: Maker, system: Document) -> None:
    for target in (system, maker.provider.get(str(maker.example("Machine")))):
        listing = target["meters"]["href"]
        before = [item["id"] for item in items(maker.provider.get(listing))]
        meter = maker.make("Meter", targetResource={"href": target["id"]})
        after = [item["id"] for item in items(maker.provider.get(listing))]
        assert sorted(after) == sorted([*before, meter["id"]])
        assert maker.provider.request("DELETE", str(operation(meter, "delete"))).status == 200
        assert [item["id"] for item in items(maker.provider.get(listing))] == before


def test_5_17_5_a_meter_names_its_target(maker: Maker, system: Document) -> None:
    document = maker.document("Meter")
    del document["meterTemplate"]["targetResource"]
    assert maker.add("Meter", document).status == 400
    add = str(operation(maker.provider.get(system["meters"]["href"]), "add"))
    answer = maker.provider.send("POST", add, document)
    assert answer.status == 201, answer.body
    assert answer.json["targetResource"] == {"href": system["id"]}
    named = maker.document("Meter", targetResource={"href": system["id"]})
    assert maker.provider.send("POST", add, named).status == 201
    other = maker.document("Meter", targetResource={"href": maker.example("Machine")})
    assert maker.provider.send("POST", add, other).status == 400


def test_5_17_5_a_meter_is_for_the_types_of_its_configuration(maker: Maker) -> None:
    types = [f"{maker.version.namespace}/Volume"]
    config = {"href": maker.make("MeterConfiguration", associatedResources=types)["id"]}
    for type_name, status in (("Machine", 400), ("Volume", 201)):
        target = {"href": maker.example(type_name)}
        document = maker.document("Meter", targetResource=target, meterConfig=config)
        assert maker.add("Meter", document).status == status


def test_5_17_11_a_log_is_connected_to_the_target_of_its_template(
    maker: Maker, system: Document
) -> None:
    plain = maker.make("ProtocolSegment", eventLogTemplate=None)
    for target in (plain, maker.provider.get(str(maker.example("Volume")))):
        log = maker.make("EventLog", targetResource={"href": target["id"]})
        assert log["targetResource"] == {"href": target["id"]}
        assert maker.provider.get(target["id"])["eventLog"] == {"href": log["id"]}
        assert maker.provider.request("DELETE", str(operation(log, "delete"))).status == 200
        assert "eventLog" not in maker.provider.get(target["id"])


def events(maker: Maker, log: Document) -> list[Document]:
    listed = items(maker.provider.get(log["events"]["href"]))
    return [maker.provider.get(item["id"]) for item in listed]


def test_5_17_8_events_go_with_their_log(maker: Maker, system: Document) -> None:
    part = {"name": "changed"}
    edit = str(operation(system, "edit"))
    assert maker.provider.send("PUT", edit, part, ("$select", "name")).status == 200
    log = maker.provider.get(system["eventLog"]["href"])
    found = events(maker, log)
    assert found
    assert maker.provider.request("DELETE", str(operation(log, "delete"))).status == 200
    for event in found:
        assert maker.provider.request("GET", event["id"]).status == 404
    assert maker.provider.request("GET", log["events"]["href"]).status == 404


def test_5_17_9_the_summary_counts_events_by_severity(maker: Maker, system: Document) -> None:
    log = maker.provider.get(system["eventLog"]["href"])
    before = log["summary"]
    edit = str(operation(system, "edit"))
    for name in ("a", "b"):
        assert maker.provider.send("PUT", edit, {"name": name}, ("$select", "name")).status == 200
    log = maker.provider.get(log["id"])
    found = [event.get("severity") for event in events(maker, log)]
    assert sum(log["summary"].values()) == sum(before.values()) + 2
    for severity in ("low", "medium", "high", "critical"):
        assert log["summary"][severity] == found.count(severity)


def test_5_17_13_an_event_tells_what_was_changed(maker: Maker, system: Document) -> None:
    edit = str(operation(system, "edit"))
    assert maker.provider.send("PUT", edit, {"name": "told"}, ("$select", "name")).status == 200
    log = maker.provider.get(system["eventLog"]["href"])
    event = events(maker, log)[-1]
    assert event["type"] == f"{V2.namespace}/event/model"
    assert event["timestamp"]
    content = event["content"]
    assert content["resource"] == {"href": system["id"]}
    assert content["resType"] == f"{V2.namespace}/System"
    assert content["change"] == "update"
    assert event["outcome"] == "Success"


def test_5_17_13_a_state_event_has_the_state_of_its_time(maker: Maker) -> None:
    segment = maker.make("ProtocolSegment", initialState="STOPPED", eventLogTemplate={})
    for name, state in (("start", "STARTED"), ("stop", "STOPPED")):
        before = maker.provider.get(segment["id"])
        href = str(operation(before, name))
        assert maker.provider.send("POST", href, action(name)).status == 200
        log = maker.provider.get(before["eventLog"]["href"])
        content = events(maker, log)[-1]["content"]
        assert (content["state"], content["previous"]) == (state, before["state"])
        assert content["resource"] == {"href": segment["id"]}
