"""Clauses 5.16.13 to 5.16.15: NetworkInterfaces, their states and what is made with them."""

from __future__ import annotations

import pytest

from tests.contract.making import Document
from tests.contract.plant import V2, Plant
from tests.contract.provider import JSON, XML, action, action_xml, operation
from tests.contract.values import items

TO = {"enable": "ENABLED", "disable": "DISABLED"}


@pytest.fixture(scope="module")
def running(plant: Plant) -> Document:
    """A Machine that has been started."""
    return plant.new_machine(initialState="STARTED")


def interface(plant: Plant, machine: Document, **template: object) -> Document:
    document = {"name": "wan", "description": "to the outside", "properties": {"a": "b"},
                "networkInterfaceTemplate": template}  # fmt: skip
    return plant.make(machine["interfaces"]["href"], document)


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_16_13_2_an_operation_enables_and_disables_an_interface(
    plant: Plant, running: Document, media: str
) -> None:
    make = action if media == JSON else action_xml
    made = interface(plant, running, initialState="ENABLED")
    for name, not_now in (("disable", "enable"), ("enable", "disable")):
        now = plant.get(made["id"])
        assert operation(now, not_now) is None
        href = str(operation(now, name))
        plant.succeeded(plant.send("POST", href, make(name)))
        assert plant.get(made["id"])["state"] == TO[name]
        assert plant.send("POST", href, make(name)).status == 409
    of_its_machine = plant.new_machine()
    still = interface(plant, of_its_machine)
    assert operation(still, "enable") is operation(still, "disable") is None


def test_5_16_14_1_a_new_interface_is_in_the_state_asked_for_or_the_default(
    plant: Plant, running: Document
) -> None:
    told = plant.capabilities("NetworkInterface")
    assert told["DefaultInitialState"] == "DISABLED"
    assert set(told["InitialStates"]) == set(TO.values())
    for state in told["InitialStates"]:
        made = interface(plant, running, initialState=state)
        assert (made["state"], made["name"]) == (state, "wan")
        assert (made["description"], made["properties"]) == ("to the outside", {"a": "b"})
    assert interface(plant, running)["state"] == told["DefaultInitialState"]
    assert interface(plant, plant.new_machine())["state"] == told["DefaultInitialState"]


def test_5_16_14_1_the_state_is_reached_by_the_operation(plant: Plant, running: Document) -> None:
    plant.backend.calls.clear()
    interface(plant, running, initialState="DISABLED")
    called = [call.method for call in plant.backend.calls]
    assert called == ["AddResourceSettings", "RequestStateChange"]


def test_5_16_14_1_an_initial_state_that_cannot_be_reached_fails_the_creation(
    plant: Plant, running: Document
) -> None:
    """The ports of a Machine that is stopped are not there."""
    listing = plant.new_machine()["interfaces"]["href"]
    assert plant.refused(plant.add(listing, {"networkInterfaceTemplate": {
        "initialState": "ENABLED"}}))  # fmt: skip
    assert plant.count(listing) == 0
    listing = running["interfaces"]["href"]
    before = plant.count(listing)
    for wrong in ("CREATING", "enabled"):
        document = {"networkInterfaceTemplate": {"initialState": wrong}}
        assert plant.add(listing, document).status == 400
    with plant.failing("EthernetPort.RequestStateChange:rc=4097"):
        assert plant.refused(plant.add(listing, {"networkInterfaceTemplate": {}}))
    assert plant.count(listing) == before


def test_5_16_15_what_goes_with_an_interface_is_made_by_its_template(plant: Plant) -> None:
    made = interface(
        plant, plant.new_machine(), eventLogTemplate={"persistence": "weekly"},
        meterTemplates=[{"meterConfig": {"aspect": f"{V2.namespace}/aspect/net"}}],
    )  # fmt: skip
    [meter] = plant.ids(made["meters"]["href"])
    assert plant.get(meter)["targetResource"] == {"href": made["id"]}
    log = plant.get(made["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("weekly", {"href": made["id"]})
    plant.succeeded(plant.delete(made))
    assert plant.request("GET", meter).status == 404
    assert plant.request("GET", log["id"]).status == 404


def test_5_11_1_an_interface_is_made_by_a_template_by_value_or_reference(plant: Plant) -> None:
    template = plant.maker().make("NetworkInterfaceTemplate", initialState="DISABLED")
    document = {"networkInterfaceTemplate": {"href": template["id"]}}
    network = plant.new_network()
    segment = plant.make(network["segments"]["href"], {"protocolSegmentTemplate": {
        "protocol": "Ethernet", "parameters": {"speed": "1000", "mtu": "1500"}}})  # fmt: skip
    endpoint = plant.maker().make("ProtocolEndpoint")
    for listing in (segment["endpoints"], template["endpoints"]):
        assert plant.maker().insert(plant.get(listing["href"]), endpoint["id"]).status == 200
    machine = plant.new_machine()
    made = plant.make(machine["interfaces"]["href"], document)
    assert made["state"] == "DISABLED"
    [of_1x] = items(plant.get(plant.in_1x("machines", machine)["networkInterfaces"]["href"]))
    connected = plant.get(of_1x["id"])["network"]
    assert connected == {"href": plant.in_1x("networks", network)["id"]}
