"""Clause 5.13 where the parts of a System live on the platform: made, operated, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document
from tests.contract.plant import HARDWARE, NS, V2, Plant, new_name
from tests.contract.provider import JSON, XML, action, action_xml, ended, operation
from tests.contract.values import items

PARTS: dict[str, Document] = {
    "machines": {"machineTemplate": {"machineConfig": HARDWARE}},
    "volumes": {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}},
    "networks": {"networkTemplate": {}},
}


def descriptor(kind: str, **template: Any) -> Document:
    attribute = f"{kind[0].lower()}{kind[1:]}Template"
    return {"name": new_name(), "type": f"{NS}/{kind}", attribute: template}


def system_of(plant: Plant, *parts: Document, **template: Any) -> Document:
    document = {"name": "of parts", "systemTemplate": {"componentDescriptors": parts, **template}}
    return plant.make("systems", document)


@pytest.mark.parametrize("attribute", PARTS)
def test_5_13_1_what_is_added_to_a_list_of_a_system_is_its_child(
    plant: Plant, attribute: str
) -> None:
    """It lives in the Collection of all, and goes with its System (5.10.2)."""
    system = system_of(plant)
    listing = plant.get(system[attribute]["href"])
    assert listing["count"] == 0
    href = str(operation(listing, "add"))
    document = {"name": new_name(), "description": "a part", **PARTS[attribute]}
    body, key = json.dumps(document).encode(), f"one-{attribute}"
    answer = plant.request("POST", href, body=body, Idempotency_Key=key)
    made = plant.made(answer, listing["id"])
    assert ended(plant, answer)["targetResource"] == {"href": listing["id"]}
    again = plant.request("POST", href, body=body, Idempotency_Key=key)
    assert again.headers["location"] == made["id"]
    assert made["parent"] == {"href": listing["id"]}
    assert {name: made[name] for name in ("name", "description")} == {
        name: document[name] for name in ("name", "description")
    }  # fmt: skip
    assert made["id"].rpartition("/")[0] == plant.collection(attribute)
    assert plant.ids(listing["id"]) == [made["id"]]
    assert made["id"] in plant.ids(attribute)
    plant.succeeded(plant.delete(system))
    assert plant.request("GET", made["id"]).status == 404


def test_5_13_1_what_is_added_to_a_system_waits_for_no_other_part(plant: Plant) -> None:
    """The System itself is deleted when all that is being made for it is there, or given up."""
    system = system_of(plant)
    listing = system["machines"]["href"]
    template = {"machineConfig": HARDWARE, "initialState": "STARTED"}
    with plant.failing("RequestStateChange:times=1:job-hang"):
        hanging = plant.add(listing, {"name": new_name(), "machineTemplate": template})
        assert hanging.status == 202
        made = plant.make(listing, {"name": new_name(), **PARTS["machines"]})
        waiting = plant.delete(system)
        assert waiting.status == 202
        assert plant.get(made["id"])["id"] == made["id"]
        plant.stop(hanging)
        plant.succeeded(waiting)
    for gone in (system["id"], made["id"]):
        assert plant.request("GET", gone).status == 404


def test_5_13_1_what_cannot_be_added_to_a_list_changes_nothing(plant: Plant) -> None:
    system = system_of(plant)
    before = {name: plant.count(name) for name in PARTS}
    wrong: dict[str, Document] = {
        "machines": {"machineTemplate": {"machineConfig": {"cpu": -1}}},
        "volumes": {"volumeTemplate": {}},
        "networks": {"networkTemplate": {"initialState": "PAUSED"}},
    }
    for attribute, document in wrong.items():
        assert plant.add(system[attribute]["href"], document).status == 400
        assert plant.count(system[attribute]["href"]) == 0
    too_much = {"machineTemplate": {"machineConfig": {"cpu": 100_000}}}
    assert plant.refused(plant.add(system["machines"]["href"], too_much))
    gone = f"{plant.collection('systems')}/gone/machines"
    assert plant.send("POST", gone, PARTS["machines"]).status == 404
    assert {name: plant.count(name) for name in PARTS} == before


def test_5_13_2_1_an_existing_volume_that_a_machine_uses_is_no_part_of_the_system(
    plant: Plant,
) -> None:
    volume = plant.new_volume()
    uses = {"machineConfig": HARDWARE, "volumes": [{"volume": {"href": volume["id"]}}]}
    system = system_of(plant, descriptor("Machine", **uses), descriptor(
        "Volume", volumeConfig={"capacity": 2000}))  # fmt: skip
    [part] = plant.ids(system["volumes"]["href"])
    assert part != volume["id"]
    [machine] = plant.ids(system["machines"]["href"])
    [located] = items(plant.get(plant.get(machine)["volumes"]["href"]))
    assert plant.get(located["id"])["volume"] == {"href": volume["id"]}
    plant.succeeded(plant.delete(system))
    assert plant.get(volume["id"])["state"] == "AVAILABLE"
    assert plant.request("GET", part).status == 404


@pytest.mark.parametrize("media", [JSON, XML])
def test_5_13_1_2_an_operation_reaches_every_machine_of_a_system(plant: Plant, media: str) -> None:
    inner = {"systemTemplate": {"componentDescriptors": [descriptor(
        "Machine", machineConfig=HARDWARE)]}}  # fmt: skip
    within = {"name": "inner", "type": f"{NS}/System", **inner}
    outer = system_of(plant, descriptor("Machine", machineConfig=HARDWARE), within)
    [system] = plant.ids(outer["systems"]["href"])
    machines = [
        *plant.ids(outer["machines"]["href"]), *plant.ids(plant.get(system)["machines"]["href"])
    ]  # fmt: skip
    assert len(machines) == 2
    make = action if media == JSON else action_xml
    for name, state in (("start", "STARTED"), ("pause", "PAUSED"), ("start", "STARTED")):
        href = str(operation(plant.get(outer["id"]), name))
        plant.succeeded(plant.send("POST", href, make(name)))
        assert [plant.get(each)["state"] for each in machines] == [state] * 2
        assert plant.get(outer["id"])["state"] == state
    plant.succeeded(plant.act(outer, "stop", force=True))
    assert plant.get(outer["id"])["state"] == "STOPPED"


def test_5_13_1_2_a_machine_for_which_the_operation_fails_stays_as_it_was(plant: Plant) -> None:
    system = system_of(plant, *(descriptor("Machine", machineConfig=HARDWARE) for _ in range(2)))
    machines = plant.ids(system["machines"]["href"])
    with plant.failing("RequestStateChange:times=1:rc=4097"):
        said = plant.refused(plant.act(system, "start"))
    assert "1 of 2" in said
    states = sorted(plant.get(each)["state"] for each in machines)
    assert states == ["STARTED", "STOPPED"]
    assert plant.get(system["id"])["state"] == "MIXED"


def test_5_13_4_meter_templates_make_the_meters_of_a_system(plant: Plant) -> None:
    meter = {"meterConfig": {"aspect": f"{V2.namespace}/aspect/cpu"}}
    parts = descriptor("Machine", machineConfig=HARDWARE)
    for system in (system_of(plant, meterTemplates=[meter]),
                   system_of(plant, parts, meterTemplates=[meter])):  # fmt: skip
        [made] = plant.ids(system["meters"]["href"])
        assert plant.get(made)["targetResource"] == {"href": system["id"]}
        plant.succeeded(plant.delete(system))
        assert plant.request("GET", made).status == 404


def test_5_13_1_a_list_of_1x_takes_what_exists(plant: Plant) -> None:
    """1.x has an association where 2.0 makes the Machine."""
    system = plant.in_1x("systems", system_of(plant))
    listing = plant.get(system["machines"]["href"])
    machine = plant.in_1x("machines", plant.new_machine())
    document = {"machine": {"href": machine["id"]}}
    assert plant.send("POST", str(operation(listing, "add")), document).status == 201
    assert plant.send("POST", str(operation(listing, "add")), PARTS["machines"]).status == 400
    assert str(listing["resourceURI"]).startswith(CimiVersion.V1.namespace)
