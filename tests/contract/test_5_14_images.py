"""Clauses 5.14.1.2 and 5.14.7: images taken of Machines, and Machines that go back to them."""

from __future__ import annotations

import pytest

from tests.contract.plant import HARDWARE, V2, Plant, new_name
from tests.contract.provider import JSON, XML, action, action_xml, operation
from tests.contract.values import items

MAKERS = {"snapshot": "SNAPSHOT", "capture": "IMAGE"}


@pytest.mark.parametrize("name", MAKERS)
def test_5_14_1_2_an_operation_takes_an_image_of_a_machine(plant: Plant, name: str) -> None:
    machine = plant.new_machine()
    document = {"name": "now", "description": "before the change", "properties": {"a": "b"}}
    answer = plant.send("POST", str(operation(machine, name)), document)
    image = plant.made(answer, "machineImages")
    assert {key: image[key] for key in document} == document
    assert (image["type"], image["state"]) == (MAKERS[name], "AVAILABLE")
    assert image["id"] in plant.ids("machineImages")


@pytest.mark.parametrize("type_name", MAKERS.values())
def test_5_14_7_1_a_machine_as_image_location_has_an_image_taken_of_it(
    plant: Plant, type_name: str
) -> None:
    machine = plant.new_machine()
    image = plant.take("machineImages", machine, type=type_name)
    assert image["resourceURI"] == f"{V2.namespace}/MachineImage"
    assert image["type"] == type_name
    assert plant.get(machine["id"])["state"] == "STOPPED"
    elsewhere = "http://images.example/debian.qcow2"
    kept = plant.maker().add("MachineImage", {"imageLocation": elsewhere})
    assert (kept.status, kept.json["imageLocation"]) == (201, elsewhere)
    gone = {"imageLocation": f"{machine['id']}-gone"}
    assert "there is no" in plant.refused(plant.add("machineImages", gone))


def test_5_14_7_1_a_finished_snapshot_no_longer_leads_to_its_machine(plant: Plant) -> None:
    machine = plant.new_machine()
    image = plant.take("machineImages", machine, type="SNAPSHOT")
    assert image["imageLocation"]
    assert machine["id"] not in image["imageLocation"]
    plant.succeeded(plant.send("PUT", f"{machine['id']}?$select=cpu", {"cpu": 1}))
    assert plant.get(image["id"]) == image


def test_5_14_7_1_a_snapshot_is_listed_with_its_machine(plant: Plant) -> None:
    machine = plant.new_machine()
    snapshot = plant.take("machineImages", machine, type="SNAPSHOT")
    plant.take("machineImages", machine, type="IMAGE")
    assert plant.ids(machine["snapshots"]["href"]) == [snapshot["id"]]
    [join] = items(plant.get(plant.in_1x("machines", machine)["snapshots"]["href"]))
    token = plant.get(join["id"])["snapshot"]["href"].rpartition("/")[2]
    assert token == snapshot["id"].rpartition("/")[2]


def test_5_14_7_1_machines_are_made_of_what_was_taken(plant: Plant) -> None:
    """It has the hardware of the first one, though nothing but the image is said."""
    machine = plant.new_machine()
    image = plant.take("machineImages", machine, type="SNAPSHOT")
    document = {"name": new_name(), "machineTemplate": {"machineImage": {"href": image["id"]}}}
    copy = plant.make("machines", document)
    assert copy["id"] != machine["id"]
    for name in HARDWARE.keys() - {"disks"}:
        assert copy[name] == machine[name]
    disks = [plant.get(each["id"]) for each in items(plant.get(copy["disks"]["href"]))]
    assert [disk["capacity"] for disk in disks] == [1000000]


@pytest.mark.parametrize(("name", "type_name"), MAKERS.items())
def test_5_14_1_a_machine_is_capturing_while_an_image_is_taken(
    plant: Plant, name: str, type_name: str
) -> None:
    machine = plant.new_machine()
    document = {"name": "never", "type": type_name, "imageLocation": machine["id"]}
    with plant.failing("CreateSnapshot:job-hang"):
        answer = plant.add("machineImages", document)
        now = plant.get(machine["id"])
        assert now["state"] == "CAPTURING"
        for each in ("start", "capture", "snapshot", "restore"):
            assert operation(now, each) is None
        again = plant.send("POST", str(operation(machine, "start")), action("start"))
        assert again.status == 409
        plant.stop(answer)
    assert plant.get(machine["id"])["state"] == "STOPPED"


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_14_1_2_a_machine_goes_back_to_an_image(plant: Plant, media: str) -> None:
    machine = plant.new_machine()
    image = plant.take("machineImages", machine, type="SNAPSHOT")
    plant.succeeded(plant.send("PUT", f"{machine['id']}?$select=cpu", {"cpu": 1}))
    document = action("restore", image={"href": image["id"]})
    if media == XML:
        document = action_xml("restore", image="")
        document[-1].set("href", image["id"])
    href = operation(plant.get(machine["id"]), "restore")
    plant.succeeded(plant.send("POST", str(href), document))
    after = plant.get(machine["id"])
    assert (after["cpu"], after["state"]) == (2, "STOPPED")
    assert plant.get(image["id"])["id"] == image["id"]
    for wrong in ({}, {"image": {"href": machine["id"]}}, {"image": {"href": f"{image['id']}x"}}):
        assert plant.refused(plant.send("POST", str(href), action("restore", **wrong)))
    assert plant.get(machine["id"]) == after


def test_5_14_1_2_a_machine_does_not_go_back_to_an_image_of_another(plant: Plant) -> None:
    machine, other = plant.new_machine(), plant.new_machine()
    image = plant.take("machineImages", other, type="SNAPSHOT")
    plant.succeeded(plant.send("PUT", f"{other['id']}?$select=cpu", {"cpu": 1}))
    before = [plant.get(each["id"]) for each in (machine, other)]
    refused = plant.refused(plant.act(machine, "restore", image={"href": image["id"]}))
    assert "belongs to another" in refused
    assert [plant.get(each["id"]) for each in (machine, other)] == before


def test_5_14_1_2_a_machine_is_restoring_and_then_in_the_state_of_its_image(plant: Plant) -> None:
    machine = plant.new_machine(initialState="STARTED")
    image = plant.take("machineImages", machine, type="SNAPSHOT")
    plant.succeeded(plant.act(machine, "stop", force=True))
    back = {"image": {"href": image["id"]}}
    with plant.failing("ApplySnapshot:job-hang"):
        answer = plant.act(machine, "restore", **back)
        assert plant.get(machine["id"])["state"] == "RESTORING"
        plant.stop(answer)
    assert plant.get(machine["id"])["state"] == "STOPPED"
    plant.succeeded(plant.act(machine, "restore", **back))
    assert plant.get(machine["id"])["state"] == "STARTED"


def test_5_14_7_a_snapshot_is_related_to_the_one_before(plant: Plant) -> None:
    """The one before is what was taken last, or gone back to since."""
    machine = plant.new_machine()
    first, second, third = (
        plant.take("machineImages", machine, type="SNAPSHOT") for _ in range(3)
    )  # fmt: skip
    assert "relatedImage" not in first
    assert second["relatedImage"] == {"href": first["id"]}
    assert third["relatedImage"] == {"href": second["id"]}
    plant.succeeded(plant.act(machine, "restore", image={"href": first["id"]}))
    branch = plant.take("machineImages", machine, type="SNAPSHOT")
    assert branch["relatedImage"] == {"href": first["id"]}


def test_5_14_7_when_a_snapshot_goes_the_next_is_related_to_the_one_before(plant: Plant) -> None:
    machine = plant.new_machine()
    first, second, third = (
        plant.take("machineImages", machine, type="SNAPSHOT") for _ in range(3)
    )  # fmt: skip
    plant.succeeded(plant.delete(second))
    assert plant.get(third["id"])["relatedImage"] == {"href": first["id"]}
    plant.succeeded(plant.delete(first))
    assert "relatedImage" not in plant.get(third["id"])
    assert plant.ids(machine["snapshots"]["href"]) == [third["id"]]


def test_5_14_7_no_part_of_a_snapshot_is_taken(plant: Plant) -> None:
    """So none builds on another image, and none has to go with one."""
    machine = plant.new_machine()
    document = {"type": "PARTIAL_SNAPSHOT", "imageLocation": machine["id"]}
    assert "PARTIAL_SNAPSHOT" in plant.refused(plant.add("machineImages", document))
    assert plant.count(machine["snapshots"]["href"]) == 0
