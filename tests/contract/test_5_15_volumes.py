"""Clause 5.15: Volumes that are made, images taken of them, and the way back."""

from __future__ import annotations

import pytest

from tests.contract.plant import V2, Plant
from tests.contract.provider import JSON, XML, action, action_xml, operation
from tests.contract.values import items

METER = {"meterConfig": {"aspect": f"{V2.namespace}/aspect/disk"}}


def test_5_15_1_a_new_volume_is_available(plant: Plant) -> None:
    volume = plant.new_volume()
    assert (volume["state"], volume["capacity"]) == ("AVAILABLE", 1000)
    plant.succeeded(plant.delete(volume))
    assert plant.request("GET", volume["id"]).status == 404


@pytest.mark.parametrize("way", ["snapshot", "imageLocation"])
def test_5_15_1_2_an_image_is_taken_of_a_volume(plant: Plant, way: str) -> None:
    volume = plant.new_volume()
    document = {"name": "now", "description": "before the change"}
    if way == "snapshot":
        answer = plant.send("POST", str(operation(volume, way)), document)
    else:
        answer = plant.add("volumeImages", {**document, way: volume["id"]})
    image = plant.made(answer, "volumeImages")
    assert image["resourceURI"] == f"{V2.namespace}/VolumeImage"
    assert {key: image[key] for key in document} == document
    assert image["state"] == "AVAILABLE"
    assert volume["id"] not in image["imageLocation"]
    assert plant.ids(volume["images"]["href"]) == [image["id"]]
    assert image["id"] in plant.ids("volumeImages")
    assert image["id"].rpartition("/")[2] not in str(plant.ids("volumes"))
    [join] = items(plant.get(plant.in_1x("volumes", volume)["images"]["href"]))
    assert image["id"].rpartition("/")[2] in str(plant.get(join["id"])["volumeImage"])


def test_5_15_8_1_an_image_location_that_is_no_volume_is_kept_as_it_is(plant: Plant) -> None:
    elsewhere = "http://images.example/debian.qcow2"
    kept = plant.maker().add("VolumeImage", {"imageLocation": elsewhere})
    assert (kept.status, kept.json["imageLocation"]) == (201, elsewhere)
    gone = {"imageLocation": f"{plant.collection('volumes')}/gone"}
    assert "there is no" in plant.refused(plant.add("volumeImages", gone))


def test_5_15_1_2_a_volume_is_capturing_while_an_image_is_taken(plant: Plant) -> None:
    volume = plant.new_volume()
    with plant.failing("CreateElementReplica:job-hang"):
        answer = plant.add("volumeImages", {"name": "never", "imageLocation": volume["id"]})
        now = plant.get(volume["id"])
        assert now["state"] == "CAPTURING"
        assert operation(now, "snapshot") is operation(now, "restore") is None
        again = {"name": "never", "imageLocation": volume["id"]}
        assert plant.add("volumeImages", again).status == 409
        plant.stop(answer)
    assert plant.get(volume["id"])["state"] == "AVAILABLE"
    assert plant.count(volume["images"]["href"]) == 0


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_15_1_2_a_volume_goes_back_to_an_image(plant: Plant, media: str) -> None:
    volume, other = plant.new_volume(), plant.new_volume()
    image = plant.take("volumeImages", volume)
    document = action("restore", image={"href": image["id"]})
    if media == XML:
        document = action_xml("restore", image="")
        document[-1].set("href", image["id"])
    href = str(operation(plant.get(volume["id"]), "restore"))
    plant.backend.calls.clear()
    with plant.failing("ModifyReplicaSynchronization:job-hang"):
        answer = plant.send("POST", href, document)
        assert plant.get(volume["id"])["state"] == "RESTORING"
        plant.stop(answer)
    plant.succeeded(plant.send("POST", href, document))
    assert plant.get(volume["id"])["state"] == "AVAILABLE"
    called = [call.method for call in plant.backend.calls]
    assert called.count("ModifyReplicaSynchronization") == 2
    for wrong in ({}, {"image": {"href": volume["id"]}}, {"image": {"href": f"{image['id']}x"}}):
        assert plant.refused(plant.send("POST", href, action("restore", **wrong)))
    of_other = str(operation(other, "restore"))
    assert "belongs to another" in plant.refused(plant.send("POST", of_other, action(
        "restore", image={"href": image["id"]})))  # fmt: skip


def test_5_15_3_what_goes_with_a_volume_is_made_by_its_template(plant: Plant) -> None:
    metadata = plant.maker().add("ResourceMetadata", {
        "typeURI": f"{V2.namespace}/Volume", "name": "small",
        "vscope": [{"capacity": {"maximum": 5000}}],
    }).json  # fmt: skip
    template = {
        "meterTemplates": [METER], "eventLogTemplate": {"persistence": "weekly"},
        "genResourceMetadata": {"href": metadata["id"]},
    }  # fmt: skip
    volume = plant.new_volume(**template)
    assert volume["resourceMetadata"] == {"href": metadata["id"]}
    [meter] = plant.ids(volume["meters"]["href"])
    assert plant.get(meter)["targetResource"] == {"href": volume["id"]}
    log = plant.get(volume["eventLog"]["href"])
    assert (log["persistence"], log["targetResource"]) == ("weekly", {"href": volume["id"]})
    too_big = {"volumeConfig": {"capacity": 6000}, **template}
    assert "capacity" in plant.refused(plant.add("volumes", {"volumeTemplate": too_big}))
    plant.succeeded(plant.delete(volume))
    assert plant.request("GET", meter).status == 404
    assert plant.request("GET", log["id"]).status == 404
