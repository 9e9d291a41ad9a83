"""Clauses 4.2.1.1 and 4.2.1.4: states while something is being made or deleted."""

from __future__ import annotations

import pytest

from tests.contract.making import Document
from tests.contract.plant import Plant, new_name
from tests.contract.provider import operation
from tests.contract.values import items

MAKING = {"machines": "machineTemplate", "networks": "networkTemplate"}


@pytest.mark.parametrize("collection", MAKING)
def test_4_2_1_1_what_is_being_made_is_creating(plant: Plant, collection: str) -> None:
    """From when the platform has it, until it is as it was asked for."""
    name = new_name()

    def shown() -> list[Document]:
        asked = plant.get(plant.collection(collection), ("$filter", f"name='{name}'"))
        return items(asked)

    with plant.failing("RequestStateChange:delay=1"):
        answer = plant.add(collection, {
            "name": name, MAKING[collection]: {"initialState": "STARTED"}})  # fmt: skip
        assert answer.status == 202
        plant.eventually(lambda: [item["state"] for item in shown()] == ["CREATING"])
        [made] = shown()
        assert plant.get(made["id"])["state"] == "CREATING"
        assert operation(plant.get(made["id"]), "start") is None
        plant.succeeded(answer)
    assert plant.get(made["id"])["state"] == "STARTED"


DELETING = {"machines": "DestroySystem", "networks": "DestroySystem",
            "volumes": "ReturnToStoragePool"}  # fmt: skip


@pytest.mark.parametrize("collection", DELETING)
def test_4_2_1_4_what_is_being_deleted_is_deleting(plant: Plant, collection: str) -> None:
    new = {"machines": plant.new_machine, "networks": plant.new_network,
           "volumes": plant.new_volume}  # fmt: skip
    made = new[collection]()
    with plant.failing(f"{DELETING[collection]}:delay=1"):
        answer = plant.delete(made)
        assert answer.status == 202
        assert plant.get(made["id"])["state"] == "DELETING"
        plant.succeeded(answer)
    assert plant.request("GET", made["id"]).status == 404
