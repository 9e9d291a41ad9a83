"""What is made, changed and deleted on the platform: Machines, their volumes, Networks."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import named
from tests.contract.plant import HARDWARE, V2, Plant, new_name
from tests.contract.provider import JSON, XML, action, ended, operation, references
from tests.contract.values import items

VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)


@VERSIONS
@pytest.mark.parametrize("media", [JSON, XML])
def test_5_5_12_1_a_machine_is_created_by_a_machine_create(
    plant: Plant, version: CimiVersion, media: str
) -> None:
    namespace, name = version.namespace, new_name()
    document: Any = {
        "resourceURI": f"{namespace}/MachineCreate", "name": name, "properties": {"a": "b"},
        "machineTemplate": {"machineConfig": HARDWARE},
    }  # fmt: skip
    if media == XML:
        disk = "<disk><capacity>1000000</capacity></disk>"
        properties = '<property key="a">b</property>'
        if version is V2:
            disk, properties = f"<disks>{disk}</disks>", f"<properties>{properties}</properties>"
        document = etree.fromstring(
            f'<MachineCreate xmlns="{namespace}"><name>{name}</name>{properties}<machineTemplate>'
            f"<machineConfig><cpu>2</cpu><memory>1048576</memory>{disk}</machineConfig>"
            "</machineTemplate></MachineCreate>"
        )
    answer = plant.add("machines", document, version)
    job = ended(plant, answer)
    assert job["state"] == "SUCCESS"
    uri = next(r["href"] for r in job["affectedResources"] if r != job["targetResource"])
    assert answer.headers.get("location", uri) == uri
    machine = plant.get(uri)
    assert {key: machine[key] for key in ("name", "properties", "cpu", "memory")} == {
        "name": name, "properties": {"a": "b"}, "cpu": 2, "memory": 1048576,
    }  # fmt: skip
    [only] = items(plant.get(machine["disks"]["href"]))
    assert plant.get(only["id"])["capacity"] == 1000000
    machines = plant.get(plant.collection("machines", version))
    assert uri in [item["id"] for item in items(machines)]


def test_5_14_2_1_a_new_machine_is_in_the_state_asked_for_or_the_default(plant: Plant) -> None:
    for state in ("STARTED", "STOPPED"):
        assert plant.new_machine(initialState=state)["state"] == state
    told = plant.capabilities("Machine")["DefaultInitialState"]
    assert plant.new_machine()["state"] == told == "STOPPED"


def test_5_14_2_1_an_initial_state_that_cannot_be_reached_fails_the_creation(
    plant: Plant,
) -> None:
    before = plant.get(plant.collection("machines"))["count"]
    for state in ("CREATING", "ERROR", "started"):
        template = {"machineConfig": HARDWARE, "initialState": state}
        assert plant.add("machines", {"machineTemplate": template}).status == 400
    assert plant.get(plant.collection("machines"))["count"] == before


def test_5_14_3_a_machine_is_made_from_a_template_and_a_configuration(plant: Plant) -> None:
    maker = plant.maker()
    configuration = maker.add("MachineConfiguration", HARDWARE).json
    template = maker.add(
        "MachineTemplate",
        {"machineConfig": {"href": configuration["id"]}, "initialState": "STARTED"},
    ).json
    overriding = {"href": template["id"], "initialState": "STOPPED"}
    document = {"name": new_name(), "machineTemplate": overriding}
    machine = plant.make("machines", document)
    assert (machine["cpu"], machine["memory"], machine["state"]) == (2, 1048576, "STOPPED")
    assert plant.get(template["id"]) == template


def test_7_1_machines_are_created_and_deleted(plant: Plant) -> None:
    machine = plant.new_machine()
    maker = plant.maker()
    system = maker.make("System")
    listing = plant.get(system["machines"]["href"])
    assert maker.insert(listing, machine["id"]).status == 200
    answer = plant.request("DELETE", str(operation(plant.get(machine["id"]), "delete")))
    job = ended(plant, answer)
    assert job["state"] == "SUCCESS", job
    assert machine["id"] not in str(job["affectedResources"])
    for uri in (machine["id"], machine["disks"]["href"]):
        assert plant.request("GET", uri).status == 404
    everything = items(plant.get(plant.collection("machines")))
    assert machine["id"] not in [item["id"] for item in everything]
    assert plant.get(listing["id"])["count"] == 0


def free_volume(plant: Plant) -> str:
    """A Volume that no Machine has."""
    machines = plant.get(plant.collection("machines"), ("$expand", "volumes"))
    used = set(references(machines))
    volumes = items(plant.get(plant.collection("volumes")))
    return next(str(volume["id"]) for volume in volumes if volume["id"] not in used)


@pytest.mark.parametrize("way", ["insert", "connectvolume"])
def test_5_5_12_2_a_volume_is_connected_and_disconnected(plant: Plant, way: str) -> None:
    machine, volume = plant.new_machine(), free_volume(plant)
    listing = machine["volumes"]["href"]
    sent = plant.get(listing) if way == "insert" else machine
    document = action(way, V2, volume={"href": volume}, initialLocation="/dev/vdq")
    job = ended(plant, plant.send("POST", str(operation(sent, way)), document))
    assert job["state"] == "SUCCESS", job
    [item] = items(plant.get(listing))
    located = plant.get(item["id"])
    assert (located["volume"], located["initialLocation"]) == ({"href": volume}, "/dev/vdq")
    remove = action("remove", V2, volume={"href": volume})
    href = operation(plant.get(listing), "remove")
    job = ended(plant, plant.send("POST", str(href), remove))
    assert job["state"] == "SUCCESS", job
    assert plant.get(listing)["count"] == 0
    assert plant.get(volume)["id"] == volume


def test_5_16_2_1_a_new_network_is_in_the_state_asked_for_or_the_default(plant: Plant) -> None:
    told = plant.capabilities("Network")["DefaultInitialState"]
    for asked, expected in ((None, told), ("STOPPED", "STOPPED"), ("STARTED", "STARTED")):
        template = {} if asked is None else {"initialState": asked}
        document = {"name": new_name(), "networkTemplate": template}
        network = plant.make("networks", document)
        assert network["state"] == expected
    assert told == "STOPPED"
    before = plant.get(plant.collection("networks"))["count"]
    for wrong in ("CREATING", "PAUSED", "started"):
        document = {"name": new_name(), "networkTemplate": {"initialState": wrong}}
        assert plant.add("networks", document).status == 400
    assert plant.get(plant.collection("networks"))["count"] == before


def test_5_16_13_2_an_interface_comes_and_goes_with_every_listing(plant: Plant) -> None:
    machine = plant.new_machine()
    listing = plant.get(machine["interfaces"]["href"])
    document = {"name": "wan", "networkInterfaceTemplate": {}}
    answer = plant.send("POST", str(operation(listing, "add")), document)
    assert ended(plant, answer)["state"] == "SUCCESS"
    [item] = items(plant.get(listing["id"]))
    interface = plant.get(item["id"])
    assert interface["state"] == "DISABLED"  # its Machine is stopped
    everything = plant.collection("interfaces")
    names = [entry["id"] for entry in items(plant.get(everything))]
    assert interface["id"] in names
    answer = plant.request("DELETE", str(operation(interface, "delete")))
    assert ended(plant, answer)["state"] == "SUCCESS"
    assert items(plant.get(listing["id"])) == []
    assert interface["id"] not in [entry["id"] for entry in items(plant.get(everything))]
