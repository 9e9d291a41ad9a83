"""What is made, changed and deleted on the platform: Machines, their volumes, Networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker, named
from tests.contract.provider import (
    JSON,
    XML,
    Answer,
    Provider,
    action,
    ended,
    operation,
    references,
)
from tests.contract.values import items

V2 = CimiVersion.V2
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)
_NUMBERS = count()
HARDWARE: Document = {"cpu": 2, "memory": 1048576, "disks": [{"capacity": 1000000}]}


@pytest.fixture(scope="module")
def plant() -> Iterator[Provider]:
    """A provider that makes things on its platform, at once."""
    with ExitStack() as stack:
        yield Provider(stack, with_jobs=True)


def add(provider: Provider, attribute: str, document: Any, version: CimiVersion = V2) -> Answer:
    href = operation(provider.get(provider.collection(attribute, version)), "add")
    assert href is not None, f"{attribute} offers no add"
    return provider.send("POST", href, document)


def made(provider: Provider, attribute: str, answer: Answer) -> Document:
    """The resource that a Job has made."""
    job = ended(provider, answer)
    assert job["state"] == "SUCCESS", job
    collection = provider.collection(attribute)
    assert job["targetResource"] == {"href": collection}
    [uri] = [ref["href"] for ref in job["affectedResources"] if ref["href"] != collection]
    return provider.get(uri)


def new_name() -> str:
    """A name that no Machine has: the platform wants it so."""
    return f"made-{next(_NUMBERS)}"


def machine_of(provider: Provider, **template: Any) -> Document:
    document = {"name": new_name(), "machineTemplate": {"machineConfig": HARDWARE, **template}}
    return made(provider, "machines", add(provider, "machines", document))


@VERSIONS
@pytest.mark.parametrize("media", [JSON, XML])
def test_5_5_12_1_a_machine_is_created_by_a_machine_create(
    plant: Provider, version: CimiVersion, media: str
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
    answer = add(plant, "machines", document, version)
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


def test_5_14_2_1_a_new_machine_is_in_the_state_asked_for_or_the_default(plant: Provider) -> None:
    for state in ("STARTED", "STOPPED"):
        assert machine_of(plant, initialState=state)["state"] == state
    metadata = items(plant.get(plant.collection("resourceMetadata")))
    [of_machines] = [item for item in metadata if item["name"] == "Machine"]
    told = {entry["name"]: entry.get("value")
            for entry in plant.get(of_machines["id"]).get("capabilities", [])}  # fmt: skip
    assert machine_of(plant)["state"] == told.get("DefaultInitialState", "STOPPED")


def test_5_14_2_1_an_initial_state_that_cannot_be_reached_fails_the_creation(
    plant: Provider,
) -> None:
    before = plant.get(plant.collection("machines"))["count"]
    for state in ("CREATING", "ERROR", "started"):
        template = {"machineConfig": HARDWARE, "initialState": state}
        assert add(plant, "machines", {"machineTemplate": template}).status == 400
    assert plant.get(plant.collection("machines"))["count"] == before


def test_5_14_3_a_machine_is_made_from_a_template_and_a_configuration(plant: Provider) -> None:
    maker = Maker(plant, V2)
    configuration = maker.add("MachineConfiguration", HARDWARE).json
    template = maker.add(
        "MachineTemplate",
        {"machineConfig": {"href": configuration["id"]}, "initialState": "STARTED"},
    ).json
    overriding = {"href": template["id"], "initialState": "STOPPED"}
    document = {"name": new_name(), "machineTemplate": overriding}
    machine = made(plant, "machines", add(plant, "machines", document))
    assert (machine["cpu"], machine["memory"], machine["state"]) == (2, 1048576, "STOPPED")
    assert plant.get(template["id"]) == template


def test_7_1_machines_are_created_and_deleted(plant: Provider) -> None:
    machine = machine_of(plant)
    maker = Maker(plant, V2)
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


def free_volume(provider: Provider) -> str:
    """A Volume that no Machine has."""
    machines = provider.get(provider.collection("machines"), ("$expand", "volumes"))
    used = set(references(machines))
    volumes = items(provider.get(provider.collection("volumes")))
    return next(str(volume["id"]) for volume in volumes if volume["id"] not in used)


@pytest.mark.parametrize("way", ["insert", "connectvolume"])
def test_5_5_12_2_a_volume_is_connected_and_disconnected(plant: Provider, way: str) -> None:
    machine, volume = machine_of(plant), free_volume(plant)
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


def test_5_16_2_1_a_new_network_is_in_the_state_asked_for_or_the_default(plant: Provider) -> None:
    for asked, expected in ((None, "STOPPED"), ("STOPPED", "STOPPED"), ("STARTED", "STARTED")):
        template = {} if asked is None else {"initialState": asked}
        document = {"name": new_name(), "networkTemplate": template}
        network = made(plant, "networks", add(plant, "networks", document))
        assert network["state"] == expected
    before = plant.get(plant.collection("networks"))["count"]
    for wrong in ("CREATING", "PAUSED", "started"):
        document = {"name": new_name(), "networkTemplate": {"initialState": wrong}}
        assert add(plant, "networks", document).status == 400
    assert plant.get(plant.collection("networks"))["count"] == before


def test_5_16_13_2_an_interface_comes_and_goes_with_every_listing(plant: Provider) -> None:
    machine = machine_of(plant)
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
