"""Clause 5.16 for Networks that are made on the platform, and what the store keeps in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.making import Document
from tests.contract.plant import V2, Plant
from tests.contract.provider import JSON, XML, action, action_xml, operation

METER = {"meterConfig": {"aspect": f"{V2.namespace}/aspect/network"}}
SEGMENT: Document = {"protocol": "IPv4", "parameters": {
    "netmask": "255.255.255.0", "subnetAddress": "10.0.0.0"}}  # fmt: skip
INSIDE = {"segments": ("segmentTemplates", "protocolSegmentTemplate", SEGMENT),
          "services": ("serviceTemplates", "networkServiceTemplate", {"type": "DHCP"})}  # fmt: skip
KINDS = pytest.mark.parametrize("attribute", INSIDE)


def test_5_16_3_what_goes_with_a_network_is_made_by_its_template(plant: Plant) -> None:
    told = plant.capabilities("Network")["InitialStates"]
    assert set(told) == {"STARTED", "STOPPED"}
    network = plant.new_network(meterTemplates=[METER], eventLogTemplate={"persistence": "weekly"})
    [meter] = plant.ids(network["meters"]["href"])
    assert plant.get(meter)["targetResource"] == {"href": network["id"]}
    log = plant.get(network["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("weekly", {"href": network["id"]})
    plant.succeeded(plant.delete(network))
    for each in (meter, log["id"]):
        assert plant.request("GET", each).status == 404


def test_5_16_3_templates_make_subnetworks_and_existing_ones_are_put_in(plant: Plant) -> None:
    there = plant.new_network()
    network = plant.new_network(
        subnetworks=[{"href": there["id"]}],
        subnetworkTemplates=[{"meterTemplates": [METER], "subnetworkTemplates": [{}]}, {}],
    )
    inside = plant.ids(network["subnetworks"]["href"])
    made = [plant.get(each) for each in inside if each != there["id"]]
    assert len(made) == 2
    assert there["id"] in inside
    assert {str(each["parent"]["href"]) for each in made} == {network["subnetworks"]["href"]}
    [first] = [each for each in made if plant.count(each["meters"]["href"])]
    [innermost] = plant.ids(first["subnetworks"]["href"])
    plant.succeeded(plant.delete(network))
    for gone in (network["id"], innermost, *(each["id"] for each in made)):
        assert plant.request("GET", gone).status == 404
    assert plant.get(there["id"]) == there


def test_5_16_3_a_template_that_is_inside_itself_makes_nothing(plant: Plant) -> None:
    template = plant.maker().add("NetworkTemplate", {}).json
    ring = {"subnetworkTemplates": [{"href": template["id"]}]}
    assert plant.send("PUT", f"{template['id']}?$select=subnetworkTemplates", ring).status == 200
    before = plant.count("networks")
    for said in ({"href": template["id"]}, ring):
        answer = plant.add("networks", {"networkTemplate": said})
        assert answer.status == 400
        assert "part of itself" in plant.refused(answer)
    assert plant.count("networks") == before


@KINDS
def test_5_16_what_is_made_with_a_network_names_this_one_or_none(
    plant: Plant, attribute: str
) -> None:
    templates, _, inner = INSIDE[attribute]
    network = plant.new_network(**{templates: [inner]})
    [made] = plant.ids(network[attribute]["href"])
    assert plant.get(made)["parent"] == network[attribute]
    other = {**inner, "network": {"href": network["id"]}}
    before = plant.count("networks")
    answer = plant.add("networks", {"networkTemplate": {templates: [other]}})
    assert answer.status == 400
    assert "network is another one" in plant.refused(answer)
    assert plant.count("networks") == before


@KINDS
def test_5_16_what_is_made_outside_of_networks_names_its_network(
    plant: Plant, attribute: str
) -> None:
    _, template, inner = INSIDE[attribute]
    network = plant.new_network()
    everything = {"segments": "segments", "services": "networkServices"}[attribute]
    refused = plant.add(everything, {template: inner})
    assert refused.status == 400
    assert "network is missing" in plant.refused(refused)
    named = {**inner, "network": {"href": network["id"]}}
    made = plant.make(everything, {template: named})
    assert plant.ids(network[attribute]["href"]) == [made["id"]]
    inside = plant.make(network[attribute]["href"], {template: inner})
    assert inside["parent"] == network[attribute]


@KINDS
def test_5_16_meter_templates_make_the_meters_of_what_a_network_has(
    plant: Plant, attribute: str
) -> None:
    _, template, inner = INSIDE[attribute]
    listing = plant.new_network()[attribute]["href"]
    made = plant.make(listing, {template: {**inner, "meterTemplates": [METER]}})
    [meter] = plant.ids(made["meters"]["href"])
    assert plant.get(meter)["targetResource"] == {"href": made["id"]}


def test_5_16_11_meter_templates_make_the_meters_of_an_endpoint(plant: Plant) -> None:
    made = plant.maker().make("ProtocolEndpoint", meterTemplates=[METER])
    [meter] = plant.ids(made["meters"]["href"])
    assert plant.get(meter)["targetResource"] == {"href": made["id"]}


def test_5_16_5_1_a_segment_without_the_parameters_of_its_protocol_is_refused(
    plant: Plant,
) -> None:
    listing = plant.new_network()["segments"]["href"]
    lacking: dict[str, Document] = {
        "IPv4": {"netmask": "255.255.255.0"}, "IPv6": {"prefixLength": "64"},
        "Ethernet": {"speed": "1000"},
    }  # fmt: skip
    for protocol, some in lacking.items():
        for parameters in ({}, some):
            template = {"protocol": protocol, "parameters": parameters}
            answer = plant.add(listing, {"protocolSegmentTemplate": template})
            assert answer.status == 400
            assert "parameters." in plant.refused(answer)
    made = plant.make(listing, {"protocolSegmentTemplate": SEGMENT})
    less = {"parameters": {"netmask": "255.0.0.0"}}
    answer = plant.send("PUT", f"{made['id']}?$select=parameters", less)
    assert answer.status == 400
    assert "parameters.subnetAddress is missing" in plant.refused(answer)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("::", "Unspecified"), ("::1", "Loopback"), ("ff02::1", "Multicast"),
     ("fe80::1", "Link Local Unicast"), ("fec0::1", "Site Local Unicast"),
     ("2001:db8::1", "Global Unicast"), ("::ffff:10.0.0.1", "Embedded IPv4 Address")],
)  # fmt: skip
def test_5_16_9_1_the_address_type_is_that_of_the_address(
    plant: Plant, address: str, kind: str
) -> None:
    def asked(said: str) -> Any:
        template = {"address": address, "parameters": {"addressType": said, "zone": "1"}}
        return plant.add("endpoints", {"protocolEndpointTemplate": template})

    answer = asked(kind)
    assert answer.status == 201
    assert answer.json["parameters"] == {"addressType": kind, "zone": "1"}
    for wrong in ("Unspecified" if kind == "Loopback" else "Loopback", "global"):
        assert asked(wrong).status == 400
        change = {"parameters": {"addressType": wrong}}
        url = f"{answer.json['id']}?$select=parameters"
        assert plant.send("PUT", url, change).status == 400
    assert plant.get(answer.json["id"]) == answer.json


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_16_1_2_an_operation_reaches_all_that_a_network_is_made_of(
    plant: Plant, media: str
) -> None:
    endpoints = [{"address": "10.0.0.1"}]
    network = plant.new_network(
        segmentTemplates=[{**SEGMENT, "endpointTemplates": endpoints}],
        serviceTemplates=[{"type": "DHCP"}],
        subnetworkTemplates=[{"segmentTemplates": [SEGMENT]}],
    )
    [segment] = plant.ids(network["segments"]["href"])
    [endpoint] = plant.ids(plant.get(segment)["endpoints"]["href"])
    [service] = plant.ids(network["services"]["href"])
    [subnetwork] = plant.ids(network["subnetworks"]["href"])
    [inner] = plant.ids(plant.get(subnetwork)["segments"]["href"])
    make = action if media == JSON else action_xml

    def ask(name: str) -> None:
        href = str(operation(plant.get(network["id"]), name))
        plant.succeeded(plant.send("POST", href, make(name)))

    ask("start")
    for name, state, of_endpoints in (("stop", "STOPPED", "DISABLED"),
                                      ("start", "STARTED", "ENABLED")):  # fmt: skip
        ask(name)
        for each in (network["id"], segment, service, subnetwork, inner):
            assert plant.get(each)["state"] == state
        assert plant.get(endpoint)["state"] == of_endpoints
