"""Changes of machines and volumes: what is written to the server, refused, put back, kept here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.dialects import BASE, JSON, Answer, Cloud, Document, Speaker

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack)


@pytest.fixture
def speaker(cloud: Cloud) -> Speaker:
    return Speaker(cloud, 2, JSON)


def machine(speaker: Speaker, name: str, **template: Any) -> Document:
    template.setdefault("machineConfig", {"cpu": 2, "memory": MIB, "disks": [{"capacity": 4096}]})
    return speaker.add(
        speaker.collection("machines"), "MachineCreate",
        {"name": name, "machineTemplate": template},
    )  # fmt: skip


def calls(cloud: Cloud) -> int:
    """How many methods were called on the server so far."""
    return len(cloud.instances("LAB_MethodCall"))


def put(speaker: Speaker, one: Document, **changes: Any) -> Answer:
    uri = f"{one['id']}?$select={','.join(changes)}"
    return speaker.ask("PUT", uri, "Machine", changes)


def failed(speaker: Speaker, answer: Answer) -> str:
    """Why a request was refused: at once, or by its Job."""
    if answer.status == 202:
        return str(speaker.job(answer, "FAILED")["statusMessage"])
    assert answer.status in (400, 409), answer
    return str(answer.body["statusMessage"])


def test_a_new_name_is_the_servers_and_the_rest_is_kept_here(
    cloud: Cloud, speaker: Speaker
) -> None:
    made = machine(speaker, "old-name")
    answer = put(speaker, made, name="new-name", description="mine", properties={"k": "v"})
    speaker.job(answer)
    now = speaker.get(made["id"])
    assert (now["name"], now["description"], now["properties"]) == ("new-name", "mine", {"k": "v"})
    assert cloud.system("new-name") is not None
    assert cloud.system("old-name") is None
    speaker.job(put(speaker, made, description=None))
    assert speaker.get(made["id"]).get("description") != "mine"


def test_a_put_that_changes_nothing_calls_no_method(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "same")
    before = calls(cloud)
    answer = speaker.ask("PUT", made["id"], "Machine", {k: v for k, v in made.items()})
    assert answer.status == 200, answer
    assert calls(cloud) == before
    assert speaker.get(made["id"])["cpu"] == made["cpu"]


def test_cpu_and_memory_change_cold_and_as_far_as_the_server_allows_hot(
    cloud: Cloud, speaker: Speaker
) -> None:
    made = machine(speaker, "resized")
    speaker.job(put(speaker, made, cpu=4, memory=2 * MIB))
    now = speaker.get(made["id"])
    assert (now["cpu"], now["memory"]) == (4, 2 * MIB)
    speaker.act(now, "start")
    answer = put(speaker, made, cpu=3)
    if answer.status in (200, 202) and speaker.get(answer.headers["CIMI-Job-URI"])["state"] != (
        "FAILED"
    ):
        assert [s["VirtualQuantity"] for s in cloud.settings("resized", 3)] == [3]
    else:
        assert failed(speaker, answer)
        assert speaker.get(made["id"])["cpu"] == 4


def test_a_refused_change_leaves_nothing_half_changed(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "whole")
    told = failed(speaker, put(speaker, made, name="half", cpu=1_000_000, description="half"))
    assert told
    now = speaker.get(made["id"])
    assert (now["name"], now["cpu"]) == ("whole", 2)
    assert now.get("description") != "half"
    assert cloud.system("half") is None
    assert cloud.system("whole") is not None


def test_a_name_that_is_taken_is_a_conflict(cloud: Cloud, speaker: Speaker) -> None:
    machine(speaker, "taken")
    answer = speaker.ask(
        "POST", speaker.collection("machines"), "MachineCreate",
        {"name": "taken", "machineTemplate": {"machineConfig": {"cpu": 1}}},
    )  # fmt: skip
    told = failed(speaker, answer)
    assert "taken" in told or "exist" in told.lower()


def test_an_image_that_the_server_cannot_read_is_refused_before_anything(
    cloud: Cloud, speaker: Speaker
) -> None:
    foreign = speaker.add(
        speaker.collection("machineImages"), "MachineImage",
        {"name": "foreign", "type": "IMAGE", "imageLocation": "http://elsewhere.example/i"},
    )  # fmt: skip
    before = calls(cloud)
    answer = speaker.ask(
        "POST", speaker.collection("machines"), "MachineCreate",
        {"machineTemplate": {"machineImage": {"href": foreign["id"]}}},
    )  # fmt: skip
    assert answer.status == 400, answer
    assert "foreign-image" in answer.body["statusMessage"]
    assert calls(cloud) == before


def test_a_full_pool_is_told_and_nothing_stays(cloud: Cloud, speaker: Speaker) -> None:
    volumes = len(cloud.instances("CIM_StorageVolume"))
    capacity = 900_000_000_000
    answer = speaker.ask(
        "POST", speaker.collection("volumes"), "VolumeCreate",
        {"name": "huge", "volumeTemplate": {"volumeConfig": {"capacity": capacity}}},
    )  # fmt: skip
    assert failed(speaker, answer)
    assert len(cloud.instances("CIM_StorageVolume")) == volumes


def test_a_disk_is_resized(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "disks")
    [disk] = speaker.items(made["disks"]["href"])
    speaker.edit(speaker.get(disk["id"]), "Disk", {"capacity": 8192})
    assert speaker.get(disk["id"])["capacity"] == 8192
    [there] = cloud.settings("disks", 31)
    assert there["VirtualQuantity"] * there["VirtualResourceBlockSize"] == 8_192_000


def test_an_action_that_the_state_forbids_changes_nothing(cloud: Cloud, speaker: Speaker) -> None:
    made = machine(speaker, "forbidden")
    before = calls(cloud)
    action = {"action": f"{speaker.namespace}/action/pause"}
    answer = speaker.ask("POST", f"{made['id']}/pause", "Action", action)
    assert answer.status == 409, answer
    assert calls(cloud) == before


KEYED = [
    ("credentials", "CredentialCreate", {"credentialTemplate": {"userName": "a"}}),
    ("machineConfigs", "MachineConfiguration", {"cpu": 1, "memory": MIB}),
    ("resourceMetadata", "ResourceMetadata",
     {"typeURI": "http://schemas.dmtf.org/cimi/2/Machine"}),
]  # fmt: skip


@pytest.mark.parametrize(("attribute", "name", "document"), KEYED, ids=lambda v: str(v)[:16])
def test_what_only_the_store_keeps_is_made_once_per_key(
    speaker: Speaker, attribute: str, name: str, document: Document
) -> None:
    uri, key = speaker.collection(attribute), {"Idempotency-Key": f"make-{attribute}"}
    document = {**document, "name": "keyed"}
    first = speaker.ask("POST", uri, name, document, key)
    count = len(speaker.items(uri))
    again = speaker.ask("POST", uri, name, document, key)
    assert (first.status, again.status) == (201, 201), (first, again)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["CIMI-Job-URI"] == first.headers["CIMI-Job-URI"]
    assert len(speaker.items(uri)) == count
    other = speaker.ask("POST", uri, name, {**document, "name": "other"}, key)
    assert other.status == 409
    assert len(speaker.items(uri)) == count


def test_changes_and_deletions_in_the_store_are_done_once_per_key(speaker: Speaker) -> None:
    made = speaker.add(
        speaker.collection("machineConfigs"), "MachineConfiguration", {"cpu": 1, "memory": MIB}
    )
    uri = f"{made['id']}?$select=cpu"
    key = {"Idempotency-Key": "edit-it"}
    first = speaker.ask("PUT", uri, "MachineConfiguration", {"cpu": 2}, key)
    speaker.job(speaker.ask("PUT", uri, "MachineConfiguration", {"cpu": 8}))
    again = speaker.ask("PUT", uri, "MachineConfiguration", {"cpu": 2}, key)
    assert again.headers["CIMI-Job-URI"] == first.headers["CIMI-Job-URI"]
    assert speaker.get(made["id"])["cpu"] == 8
    key = {"Idempotency-Key": "delete-it"}
    first = speaker.ask("DELETE", made["id"], headers=key)
    again = speaker.ask("DELETE", made["id"], headers=key)
    assert (first.status, again.status) == (200, 200)
    assert again.headers["CIMI-Job-URI"] == first.headers["CIMI-Job-URI"]
    assert speaker.ask("DELETE", made["id"]).status == 404


def test_a_retried_action_or_deletion_on_the_server_answers_as_the_first(
    cloud: Cloud, speaker: Speaker
) -> None:
    made = machine(speaker, "retried")
    action = {"action": f"{speaker.namespace}/action/start"}
    for method, uri, document in [
        ("POST", f"{made['id']}/start", action), ("DELETE", made["id"], None),
    ]:  # fmt: skip
        key = {"Idempotency-Key": f"retried-{method}"}
        first = speaker.ask(method, uri, "Action", document, key)
        speaker.job(first)
        before = calls(cloud)
        again = speaker.ask(method, uri, "Action", document, key)
        assert again.status == 200, again
        assert again.headers["CIMI-Job-URI"] == first.headers["CIMI-Job-URI"]
        assert calls(cloud) == before
    assert made["id"].startswith(BASE)
