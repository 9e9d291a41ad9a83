"""Clause 5.11.1: what is told of the making of Machines, Volumes and Networks is true."""

from __future__ import annotations

import pytest

from tests.contract.plant import Plant, new_name
from tests.contract.values import items

CONFIG = {"cpu": 1, "memory": 262144}


def test_5_11_1_all_that_makes_a_machine_is_taken_by_value(plant: Plant) -> None:
    told = plant.capabilities("Machine")
    for name in ("MachineTemplate", "MachineConfig", "MachineVolumeTemplates"):
        assert told[f"{name}ByValue"] is True
    volume = {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}, "initialLocation": "vdz"}
    machine = plant.new_machine(machineConfig=CONFIG, volumeTemplates=[volume])
    assert {name: machine[name] for name in CONFIG} == CONFIG
    [located] = items(plant.get(machine["volumes"]["href"]))
    located = plant.get(located["id"])
    assert plant.get(located["volume"]["href"])["capacity"] == 1000
    assert located["initialLocation"] == "vdz"


def test_5_11_1_all_that_makes_a_volume_is_taken_by_value(plant: Plant) -> None:
    told = plant.capabilities("Volume")
    assert told["VolumeTemplateByValue"] is told["VolumeConfigByValue"] is True
    assert plant.new_volume(volumeConfig={"capacity": 3000})["capacity"] == 3000


def test_5_11_1_an_image_is_made_of_a_volume_as_told(plant: Plant) -> None:
    assert plant.capabilities("Volume")["VolumeSnapshot"] is True
    volume = plant.new_volume()
    image = plant.take("volumeImages", volume)
    assert plant.ids(volume["images"]["href"]) == [image["id"]]


def test_5_11_1_the_template_of_a_network_is_taken_by_value(plant: Plant) -> None:
    assert plant.capabilities("Network")["NetworkTemplateByValue"] is True
    assert plant.new_network(initialState="STARTED")["state"] == "STARTED"


@pytest.mark.parametrize("name", ["Machine", "Network"])
def test_5_11_1_the_default_state_is_told_and_taken(plant: Plant, name: str) -> None:
    told = plant.capabilities(name)
    assert told["DefaultInitialState"] in told["InitialStates"]
    make = {"Machine": plant.new_machine, "Network": plant.new_network}[name]
    assert make()["state"] == told["DefaultInitialState"]
    other = next(s for s in told["InitialStates"] if s != told["DefaultInitialState"])
    assert make(initialState=other)["state"] == other


@pytest.mark.parametrize(
    ("type_name", "capability", "said"),
    [("Machine", "MachineImageByValue", {"machineImage": {"imageLocation": "http://a.example/i"}}),
     ("Machine", "MachineCredentialByValue", {"credential": {"userName": "root"}}),
     ("Machine", "UserData", {"userData": "aGVsbG8="}),
     ("Volume", "VolumeImageByValue", {"volumeImage": {"imageLocation": "http://a.example/i"}})],
)  # fmt: skip
def test_5_11_1_what_is_not_told_is_refused(
    plant: Plant, type_name: str, capability: str, said: dict[str, object]
) -> None:
    """Neither told nor dropped in silence: what is made is what was asked for."""
    assert not plant.capabilities(type_name).get(capability)
    collection, template = f"{type_name.lower()}s", f"{type_name.lower()}Template"
    before = plant.count(collection)
    assert plant.add(collection, {"name": new_name(), template: said}).status == 400
    assert plant.count(collection) == before


def test_5_11_1_a_volume_is_shared_only_where_that_is_told(plant: Plant) -> None:
    assert not plant.capabilities("Volume").get("SharedVolumeSupport")
    volume = {"volume": {"href": plant.new_volume()["id"]}}
    plant.new_machine(volumes=[volume])
    second = {"name": new_name(), "machineTemplate": {"volumes": [volume]}}
    assert "is used by" in plant.refused(plant.add("machines", second))
