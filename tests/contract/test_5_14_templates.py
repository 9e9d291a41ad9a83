"""Clauses 5.14.2 and 5.14.3: what a MachineTemplate makes beside the Machine, and cannot make."""

from __future__ import annotations

from tests.contract.making import Document
from tests.contract.plant import HARDWARE, V2, Plant
from tests.contract.values import items

METER = {"meterConfig": {"aspect": f"{V2.namespace}/aspect/cpu"}}


def test_5_14_3_initial_states_to_choose_from_are_told_and_reached(plant: Plant) -> None:
    told = plant.capabilities("Machine")["InitialStates"]
    assert set(told) == {"STARTED", "STOPPED", "PAUSED", "SUSPENDED"}
    for state in told:
        assert plant.new_machine(initialState=state)["state"] == state
    told = plant.capabilities("Network")["InitialStates"]
    assert set(told) == {"STARTED", "STOPPED"}
    for state in told:
        assert plant.new_network(initialState=state)["state"] == state


def test_5_14_3_interface_templates_make_the_interfaces(plant: Plant) -> None:
    """By value or by reference; one whose endpoints are on a Network is connected to it."""
    network = plant.new_network()
    segment = plant.make(network["segments"]["href"], {"protocolSegmentTemplate": {
        "protocol": "Ethernet", "parameters": {"speed": "1000", "mtu": "1500"}}})  # fmt: skip
    maker = plant.maker()
    kept = maker.add("NetworkInterfaceTemplate", {"mtu": 1400}).json
    endpoint = maker.make("ProtocolEndpoint")
    for listing in (segment["endpoints"], kept["endpoints"]):
        assert maker.insert(plant.get(listing["href"]), endpoint["id"]).status == 200
    templates = [{}, {"href": kept["id"]}]
    machine = plant.new_machine(interfaceTemplates=templates, initialState="STARTED")
    made = [plant.get(each) for each in plant.ids(machine["interfaces"]["href"])]
    assert [each["state"] for each in made] == ["ENABLED"] * 2
    listing = plant.in_1x("machines", machine)["networkInterfaces"]["href"]
    first, second = [plant.get(each["id"])["network"] for each in items(plant.get(listing))]
    assert second == {"href": plant.in_1x("networks", network)["id"]}
    assert first != second  # where the platform puts a card for which none is named


def test_5_14_3_what_interfaces_cannot_have_from_the_beginning_is_refused(plant: Plant) -> None:
    """Not dropped in silence: they get it when they are added to the Machine."""
    before = plant.count("machines")
    stopped: Document = {"initialState": "DISABLED"}
    for name, inner, state in (
        ("meterTemplates", {"meterTemplates": [METER]}, "STOPPED"),
        ("eventLogTemplate", {"eventLogTemplate": {}}, "STOPPED"),
        ("initialState", stopped, "STARTED"),
    ):
        template: Document = {"interfaceTemplates": [inner], "initialState": state}
        answer = plant.add("machines", {"machineTemplate": template})
        assert answer.status == 400
        assert name in plant.refused(answer)
    assert plant.count("machines") == before
    machine = plant.new_machine(interfaceTemplates=[stopped])
    [card] = plant.ids(machine["interfaces"]["href"])
    assert plant.get(card)["state"] == "DISABLED"


def test_5_14_3_what_goes_with_a_machine_is_made_by_its_template(plant: Plant) -> None:
    metadata = plant.maker().add("ResourceMetadata", {
        "typeURI": f"{V2.namespace}/Machine", "name": "small",
        "vscope": [{"cpu": {"maximum": 2}}],
    }).json  # fmt: skip
    template: Document = {
        "meterTemplates": [METER, METER], "eventLogTemplate": {"persistence": "weekly"},
        "genResourceMetadata": {"href": metadata["id"]},
    }  # fmt: skip
    machine = plant.new_machine(**template)
    assert machine["resourceMetadata"] == {"href": metadata["id"]}
    meters = plant.ids(machine["meters"]["href"])
    assert len(meters) == 2
    for meter in meters:
        assert plant.get(meter)["targetResource"] == {"href": machine["id"]}
    log = plant.get(machine["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("weekly", {"href": machine["id"]})
    hardware: Document = {**HARDWARE, "cpu": 3}
    too_big = {**template, "machineConfig": hardware}
    assert "cpu" in plant.refused(plant.add("machines", {"machineTemplate": too_big}))
    plant.succeeded(plant.delete(machine))
    for each in (*meters, log["id"]):
        assert plant.request("GET", each).status == 404


def test_5_14_3_no_data_for_the_guest_are_taken(plant: Plant) -> None:
    """A template may have them; a Machine without them would not be the one that was meant."""
    assert "UserData" not in plant.capabilities("Machine")
    template = plant.maker().add("MachineTemplate", {"userData": "aGVsbG8="}).json
    before = plant.count("machines")
    for said in ({"userData": "aGVsbG8="}, {"href": template["id"]}):
        answer = plant.add("machines", {"machineTemplate": said})
        assert answer.status == 400
        assert "userData" in plant.refused(answer)
    assert plant.count("machines") == before


def test_5_14_2_1_credentials_that_are_no_good_fail_the_creation(plant: Plant) -> None:
    """None is any good here: no provider sets a login of the guest."""
    assert "MachineCredentialByValue" not in plant.capabilities("Machine")
    credential = plant.maker().make("Credential")
    before = plant.count("machines")
    for said in ({"href": credential["id"]}, {"userName": "root"}):
        answer = plant.add("machines", {"machineTemplate": {"credential": said}})
        assert answer.status == 400
        assert "credential" in plant.refused(answer)
    assert plant.count("machines") == before
