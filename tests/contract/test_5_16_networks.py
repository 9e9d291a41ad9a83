"""Clause 5.16 for what the store keeps: segments, endpoints, services and their templates."""

from __future__ import annotations

from typing import Any

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker
from tests.contract.provider import JSON, MODEL, XML, Answer, action, action_xml, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
KINDS = {"ProtocolSegment": ("STARTED", "STOPPED"), "ProtocolEndpoint": ("ENABLED", "DISABLED"),
         "NetworkService": ("STARTED", "STOPPED")}  # fmt: skip
OF_TYPE = pytest.mark.parametrize("type_name", KINDS)


@pytest.fixture
def maker(makers: Makers) -> Maker:
    return makers[V2]


def capabilities(maker: Maker, type_name: str) -> dict[str, Any]:
    """The capabilities in the metadata of a type, by their last name."""
    metadata = maker.provider.get(maker.provider.collection("resourceMetadata"))
    uri = f"{V2.namespace}/{type_name}"
    [found] = [item for item in items(metadata) if item["typeURI"] == uri]
    told = maker.provider.get(found["id"]).get("capabilities", [])
    return {entry["uri"].rpartition("/")[2]: entry.get("value", True) for entry in told}


@OF_TYPE
def test_5_16_a_new_resource_is_in_the_state_asked_for_or_the_default(
    maker: Maker, type_name: str
) -> None:
    on, off = KINDS[type_name]
    for state in (on, off):
        assert maker.make(type_name, initialState=state)["state"] == state
    document = maker.document(type_name)
    template = str(MODEL[type_name].create_template_attribute)
    document[template].pop("initialState", None)
    answer = maker.add(type_name, document)
    assert answer.status == 201, answer.body
    expected = capabilities(maker, type_name).get("DefaultInitialState", off)
    assert answer.json["state"] == expected


@OF_TYPE
def test_5_16_an_initial_state_that_cannot_be_reached_fails_the_creation(
    maker: Maker, type_name: str
) -> None:
    before = maker.provider.get(maker.collection(type_name))["count"]
    for state in ("CREATING", "ERROR", "PAUSED", "started"):
        document = maker.document(type_name, initialState=state)
        assert maker.add(type_name, document).status == 400, state
    assert maker.provider.get(maker.collection(type_name))["count"] == before


@OF_TYPE
def test_5_16_initial_states_are_told_by_a_capability(maker: Maker, type_name: str) -> None:
    assert sorted(capabilities(maker, type_name)["InitialStates"]) == sorted(KINDS[type_name])


@OF_TYPE
def test_5_16_a_template_makes_the_event_log(maker: Maker, type_name: str) -> None:
    made = maker.make(type_name, eventLogTemplate={"persistence": "daily"})
    log = maker.provider.get(made["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("daily", {"href": made["id"]})
    template = maker.make("EventLogTemplate", persistence="yearly")
    made = maker.make(type_name, eventLogTemplate={"href": template["id"]})
    assert maker.provider.get(made["eventLog"]["href"])["persistence"] == "yearly"


@pytest.mark.parametrize("type_name", ["ProtocolSegment", "NetworkService"])
def test_5_16_what_belongs_to_a_network_names_it(maker: Maker, type_name: str) -> None:
    network = {"href": maker.example("Network")}
    made = maker.make(type_name, network=network)
    attribute = "segments" if type_name == "ProtocolSegment" else "services"
    listing = maker.provider.get(maker.provider.get(str(network["href"]))[attribute]["href"])
    assert made["id"] in [item["id"] for item in items(listing)]


@pytest.mark.parametrize("type_name", ["ProtocolSegment", "NetworkService"])
def test_5_16_what_is_added_to_a_network_names_no_other(maker: Maker, type_name: str) -> None:
    one, other = items(maker.provider.get(maker.collection("Network")))[:2]
    listing = maker.provider.get(one["segments" if type_name == "ProtocolSegment" else "services"]
                                 ["href"])  # fmt: skip
    add = str(operation(listing, "add"))
    for network, status in ((one, 201), (other, 400)):
        document = maker.document(type_name, network={"href": network["id"]})
        assert maker.provider.send("POST", add, document).status == status


def test_5_16_11_who_chooses_an_address_says_it(maker: Maker) -> None:
    for origin, address, status in (
        ("STATIC", "10.0.0.1", 201), ("STATIC", None, 400),
        ("DYNAMIC", "10.0.0.1", 400), ("DYNAMIC", None, 201),
    ):  # fmt: skip
        template = {"origin": origin} | ({"address": address} if address else {})
        answer = maker.add("ProtocolEndpoint", {"protocolEndpointTemplate": template})
        assert answer.status == status, (origin, address)


@OF_TYPE
@pytest.mark.parametrize("media", [JSON, XML])
def test_5_16_an_operation_brings_it_to_its_state(maker: Maker, type_name: str, media: str) -> None:
    on, off = KINDS[type_name]
    names = ("enable", "disable") if on == "ENABLED" else ("start", "stop")
    make = action if media == JSON else action_xml
    made = maker.make(type_name, initialState=off)
    for name, state, not_now in ((names[0], on, names[0]), (names[1], off, names[1])):
        href = operation(maker.provider.get(made["id"]), name)
        assert href is not None, name
        assert maker.provider.send("POST", href, make(name)).status == 200
        after = maker.provider.get(made["id"])
        assert after["state"] == state
        assert operation(after, not_now) is None
        assert maker.provider.send("POST", href, make(name)).status == 409


def segment(maker: Maker, protocol: str, parameters: Document) -> Answer:
    inline = {"protocol": protocol, "parameters": parameters,
              "network": {"href": maker.example("Network")}}  # fmt: skip
    return maker.add("ProtocolSegment", {"protocolSegmentTemplate": inline})


PARAMETERS: dict[str, Document] = {
    "IPv4": {"netmask": "255.255.255.0", "subnetAddress": "10.0.0.0"},
    "IPv6": {"prefixLength": "64", "subnetAddress": "2001:db8::"},
    "Ethernet": {"speed": "1000000000", "mtu": "1500"},
}


@pytest.mark.parametrize("protocol", PARAMETERS)
def test_5_16_5_1_a_segment_has_the_parameters_of_its_protocol(maker: Maker, protocol: str) -> None:
    parameters = {**PARAMETERS[protocol], "rack": "7"}
    answer = segment(maker, protocol, parameters)
    assert answer.status == 201, answer.body
    assert answer.json["parameters"] == parameters
    root = maker.provider.get_xml(answer.json["id"])
    assert maker.provider.send("PUT", str(operation(answer.json, "edit")), root).status == 200
    assert maker.provider.get(answer.json["id"])["parameters"] == parameters


def test_5_16_9_1_further_parameters_are_kept(maker: Maker) -> None:
    parameters = {"hostname": "web.example", "rack": "7"}
    made = maker.make("ProtocolEndpoint", parameters=parameters)
    assert made["parameters"] == parameters


def test_5_16_9_the_protocol_of_an_endpoint_is_that_of_its_segment(maker: Maker) -> None:
    made = segment(maker, "IPv4", PARAMETERS["IPv4"]).json
    endpoints = maker.provider.get(made["endpoints"]["href"])
    answer = maker.provider.send(
        "POST", str(operation(endpoints, "add")), maker.document("ProtocolEndpoint")
    )
    assert answer.status == 201, answer.body
    assert maker.provider.get(answer.json["id"]).get("protocol", "IPv4") == "IPv4"
    edit = str(operation(answer.json, "edit"))
    other = {**answer.json, "protocol": "IPv6"}
    assert maker.provider.send("PUT", edit, other).status == 200
    assert maker.provider.get(answer.json["id"]) == answer.json
