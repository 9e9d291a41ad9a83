"""The full life of a machine in each version and form, held against the server at each step.

Everything is found by links and `operations`; what the server has is read by a plain client.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.dialects import JSON, XML, Answer, Cloud, Document, Speaker

KIB, MIB = 1024, 1024 * 1024
_UNITS = {"byte": 1, "byte*2^10": KIB, "byte*2^20": MIB}


@pytest.fixture(scope="module", params=[0, 0.01], ids=["at-once", "by-jobs"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack, request.param)


@pytest.fixture(
    params=[(1, JSON), (1, XML), (2, JSON), (2, XML)],
    ids=["1.x-json", "1.x-xml", "2.0-json", "2.0-xml"],
)
def speaker(cloud: Cloud, request: pytest.FixtureRequest) -> Speaker:
    return Speaker(cloud, *request.param)


def numbers(document: Document, *names: str) -> tuple[int, ...]:
    """Attributes as numbers: in XML they are text."""
    return tuple(int(document[name]) for name in names)


def template_of(speaker: Speaker) -> Document:
    """A template with a configuration, both stored."""
    config = speaker.add(
        speaker.collection("machineConfigs"), "MachineConfiguration",
        {"name": "small", "cpu": 2, "memory": MIB, "disks": [disk(speaker, 4096)]},
    )  # fmt: skip
    return speaker.add(
        speaker.collection("machineTemplates"), "MachineTemplate",
        {"name": "small", "machineConfig": {"href": config["id"]}},
    )  # fmt: skip


def disk(speaker: Speaker, capacity: int) -> Document:
    """A disk of a configuration; 1.x wants a format."""
    return {"capacity": capacity, **({"format": "ext4"} if speaker.version == 1 else {})}


def machine(speaker: Speaker, name: str, **template: Any) -> Document:
    template.setdefault("machineConfig", {"cpu": 1, "memory": MIB})
    return speaker.add(
        speaker.collection("machines"), "MachineCreate",
        {"name": name, "machineTemplate": template},
    )  # fmt: skip


def volume(speaker: Speaker, name: str, capacity: int = MIB) -> Document:
    return speaker.add(
        speaker.collection("volumes"), "VolumeCreate",
        {"name": name, "volumeTemplate": {"volumeConfig": {"capacity": capacity}}},
    )  # fmt: skip


def unique(speaker: Speaker, name: str, request: pytest.FixtureRequest) -> str:
    return f"{name}-{request.node.callspec.id.replace('.', '')}"


def must_fail(speaker: Speaker, answer: Answer) -> None:
    """What the server refuses is a conflict, or a Job that tells why it failed."""
    if answer.status == 202:
        assert speaker.job(answer, "FAILED")["statusMessage"]
    else:
        assert answer.status == 409, answer


def attach(speaker: Speaker, made: Document, one: Document, *, by_action: bool = False) -> None:
    """Connect a Volume: 2.0 lists it, or has an action; 1.x makes a MachineVolume."""
    if speaker.version == 1:
        speaker.add(made["volumes"]["href"], "MachineVolume", {"volume": {"href": one["id"]}})
    elif by_action:
        speaker.act(speaker.get(made["id"]), "connectvolume", volume={"href": one["id"]})
    else:
        collection = speaker.get(made["volumes"]["href"])
        speaker.act(collection, "insert", volume={"href": one["id"]})


def detach(speaker: Speaker, made: Document, one: Document) -> None:
    if speaker.version == 1:
        items = speaker.items(made["volumes"]["href"])
        [join] = [item for item in items if item["volume"]["href"] == one["id"]]
        speaker.delete(speaker.get(join["id"]))
    else:
        collection = speaker.get(made["volumes"]["href"])
        speaker.act(collection, "remove", volume={"href": one["id"]})


def connected(speaker: Speaker, made: Document) -> set[str]:
    """The Volumes that CIMI says are connected."""
    return {item["volume"]["href"] for item in speaker.items(made["volumes"]["href"])}


def server_connects(cloud: Cloud, name: str, one: Document) -> bool:
    """Whether the server's machine has a setting that leads to the server's volume."""
    [there] = cloud.instances("CIM_StorageVolume", ElementName=one["name"])
    return any(
        there["DeviceID"] in uri
        for setting in cloud.settings(name, 32)
        for uri in setting["HostResource"] or ()
    )


def images(speaker: Speaker, made: Document, attribute: str, inner: str) -> set[str]:
    """The images that a Machine or Volume lists; 1.x lists joins that lead to them."""
    items = speaker.items(made[attribute]["href"])
    if speaker.version == 2:
        return {item["id"] for item in items}
    # The XML Schema of 1.x misspells the element of a snapshot.
    return {(item.get(inner) or item["shapshot"])["href"] for item in items}


def test_a_machine_lives_as_the_server_says(
    cloud: Cloud, speaker: Speaker, request: pytest.FixtureRequest
) -> None:
    name = unique(speaker, "life", request)
    template = template_of(speaker)
    config = {**template["machineConfig"], "cpu": 4}
    made = machine(speaker, name, href=template["id"], machineConfig=config)
    assert (made["name"], made["state"]) == (name, "STOPPED")
    assert numbers(made, "cpu", "memory") == (4, MIB)
    [there] = cloud.instances("CIM_ComputerSystem", ElementName=name)
    assert there["EnabledState"] == 3
    assert [s["VirtualQuantity"] for s in cloud.settings(name, 3)] == [4]
    [memory] = cloud.settings(name, 4)
    assert memory["VirtualQuantity"] * _UNITS[memory["VirtualQuantityUnits"]] == MIB * KIB
    [only] = speaker.items(made["disks"]["href"])
    assert numbers(only, "capacity") == (4096,)
    [there_too] = cloud.settings(name, 31)
    assert there_too["VirtualQuantity"] * there_too["VirtualResourceBlockSize"] == 4_096_000

    speaker.act(made, "start")
    assert speaker.get(made["id"])["state"] == "STARTED"
    assert cloud.system(name)["EnabledState"] == 2  # type: ignore[index]

    data, more = volume(speaker, f"{name}-data"), volume(speaker, f"{name}-more")
    attach(speaker, made, data)
    attach(speaker, made, more, by_action=True)
    assert connected(speaker, made) == {data["id"], more["id"]}
    assert server_connects(cloud, name, data)
    assert server_connects(cloud, name, more)

    first = speaker.add(
        speaker.collection("machineImages"), "MachineImage",
        {"name": f"{name}-first", "type": "SNAPSHOT", "imageLocation": made["id"]},
    )  # fmt: skip
    answer = speaker.ask(
        "POST", speaker.offer(speaker.get(made["id"]), "snapshot"), "MachineImage",
        {"name": f"{name}-second", "type": "SNAPSHOT", "imageLocation": made["id"]},
    )  # fmt: skip
    assert answer.status in (201, 202), answer
    speaker.job(answer)
    listed = images(speaker, made, "snapshots", "snapshot")
    assert first["id"] in listed
    assert len(listed) == 2
    for of_it in (f"{name}-first", f"{name}-second"):
        assert len(cloud.instances("CIM_VirtualSystemSettingData", ElementName=of_it)) == 1

    detach(speaker, made, data)
    assert connected(speaker, made) == {more["id"]}
    assert not server_connects(cloud, name, data)
    speaker.act(speaker.get(made["id"]), "restore", image={"href": first["id"]})
    assert connected(speaker, made) == {data["id"], more["id"]}
    assert server_connects(cloud, name, data)

    speaker.act(speaker.get(made["id"]), "stop", force=True)
    assert speaker.get(made["id"])["state"] == "STOPPED"
    assert cloud.system(name)["EnabledState"] == 3  # type: ignore[index]
    for one in (data, more):
        detach(speaker, made, one)
    assert connected(speaker, made) == set()
    assert not server_connects(cloud, name, more)
    speaker.delete(speaker.get(made["id"]))
    assert speaker.ask("GET", made["id"]).status == 404
    assert cloud.system(name) is None
    for one in (data, more):
        speaker.delete(speaker.get(one["id"]))
        assert cloud.instances("CIM_StorageVolume", ElementName=one["name"]) == []


def test_a_machine_is_made_by_value_with_volumes_and_cards(
    cloud: Cloud, speaker: Speaker, request: pytest.FixtureRequest
) -> None:
    name = unique(speaker, "value", request)
    there = volume(speaker, f"{name}-there")
    ref = {"href": there["id"]}
    volumes = [ref if speaker.version == 1 else {"volume": ref}]
    made = machine(
        speaker, name, machineConfig={"cpu": 2, "memory": MIB, "disks": [disk(speaker, 2048)]},
        volumes=volumes, initialState="STARTED",
    )  # fmt: skip
    assert made["state"] == "STARTED"
    assert connected(speaker, made) == {there["id"]}
    assert server_connects(cloud, name, there)
    must_fail(speaker, speaker.ask("DELETE", there["id"]))
    assert speaker.get(there["id"])["name"] == there["name"]
    speaker.act(made, "stop", force=True)
    speaker.delete(speaker.get(made["id"]))
    assert speaker.get(there["id"])["state"] == "AVAILABLE"


def test_images_of_a_volume_are_taken_and_restored(
    cloud: Cloud, speaker: Speaker, request: pytest.FixtureRequest
) -> None:
    name = unique(speaker, "disk", request)
    made = volume(speaker, name)
    image = speaker.add(
        speaker.collection("volumeImages"), "VolumeImage",
        {"name": f"{name}-image", "imageLocation": made["id"]},
    )  # fmt: skip
    assert (image["name"], image["state"]) == (f"{name}-image", "AVAILABLE")
    assert images(speaker, made, "images", "volumeImage") == {image["id"]}
    [copy] = cloud.instances("CIM_StorageVolume", ElementName=f"{name}-image")
    [source] = cloud.instances("CIM_StorageVolume", ElementName=name)
    [origin] = cloud.lab.AssociatorNames(copy.path, AssocClass="CIM_StorageSynchronized")
    assert origin["DeviceID"] == source["DeviceID"]
    if speaker.version == 2:
        speaker.act(speaker.get(made["id"]), "restore", image={"href": image["id"]})
    must_fail(speaker, speaker.ask("DELETE", made["id"]))
    speaker.delete(speaker.get(image["id"]))
    assert images(speaker, made, "images", "volumeImage") == set()
    assert cloud.instances("CIM_StorageVolume", ElementName=f"{name}-image") == []
    speaker.delete(speaker.get(made["id"]))
    assert cloud.instances("CIM_StorageVolume", ElementName=name) == []


def network(speaker: Speaker, name: str) -> Document:
    """A Network; in 2.0 with a segment, in 1.x with a configuration."""
    inside: Document = (
        {"networkConfig": {"networkType": "PRIVATE", "mtu": 1500}}
        if speaker.version == 1
        else {"segmentTemplates": [{
            "protocol": "Ethernet", "parameters": {"speed": "1000000000", "mtu": "1500"}}]}
    )  # fmt: skip
    return speaker.add(
        speaker.collection("networks"), "NetworkCreate", {"name": name, "networkTemplate": inside}
    )


def card_on(speaker: Speaker, made: Document) -> Document:
    """What of a machine's template connects it: 1.x names the Network, 2.0 endpoints on it."""
    if speaker.version == 1:
        return {"network": {"href": made["id"]}, "state": "Active"}
    [segment] = speaker.items(made["segments"]["href"])
    endpoint = {"name": "first", "protocolEndpointTemplate": {"origin": "DYNAMIC"}}
    speaker.ask(
        "POST", speaker.offer(speaker.get(segment["endpoints"]["href"]), "add"),
        "ProtocolEndpointCreate", endpoint,
    )  # fmt: skip
    assert [e["name"] for e in speaker.items(segment["endpoints"]["href"])] == ["first"]
    return {"endpoints": {"href": segment["endpoints"]["href"]}}


def switches_of(cloud: Cloud, name: str) -> list[str]:
    """The names of the server's switches that a machine's cards lead to."""
    switches = {s["Name"]: s["ElementName"] for s in cloud.instances("CIM_ComputerSystem")}
    uris = [setting["HostResource"] or [""] for setting in cloud.settings(name, 10)]
    return [next((e for n, e in switches.items() if n in uri), "") for uri, *_ in uris]


def test_machines_are_connected_to_networks(
    cloud: Cloud, speaker: Speaker, request: pytest.FixtureRequest
) -> None:
    name = unique(speaker, "net", request)
    lan = network(speaker, f"{name}-lan")
    assert cloud.system(f"{name}-lan") is not None
    if speaker.version == 1:
        assert (lan["networkType"], int(lan["mtu"])) == ("PRIVATE", 1500)
    card = card_on(speaker, lan)
    attribute = "networkInterfaces" if speaker.version == 1 else "interfaceTemplates"
    made = machine(speaker, name, **{attribute: [card]})
    assert switches_of(cloud, name) == [f"{name}-lan"]
    interfaces = made["networkInterfaces" if speaker.version == 1 else "interfaces"]["href"]
    first, *_ = speaker.items(interfaces)
    if speaker.version == 1:
        assert first["network"]["href"] == lan["id"]
        added = speaker.add(interfaces, "MachineNetworkInterface", card)
    else:
        added = speaker.add(
            interfaces, "NetworkInterfaceCreate", {"networkInterfaceTemplate": card}
        )
    assert switches_of(cloud, name) == [f"{name}-lan"] * 2
    speaker.delete(added)
    assert switches_of(cloud, name) == [f"{name}-lan"]
    speaker.delete(speaker.get(made["id"]))
    speaker.delete(speaker.get(lan["id"]))
    assert cloud.system(f"{name}-lan") is None
