"""By `most-free` nothing is made where its pools have too little left, and clients are told so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.config import PlacementConfig
from cimi_cim.errors import ConflictError
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.results import Wish
from cimi_cim.wbem.deadline import Deadline
from tests.fleets import Fleet, home, machine, serving, volume, wish

TERABYTE = 10**9  # in kilobytes
GIBIBYTE = 2**20  # in kibibytes
NAMESPACE = "root/virt"
MEBIBYTES = 256 * 2**10


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """a has most memory left, and no processors; b has a gibibyte less, and all processors."""
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2))
    with serving(*labs) as (a, b), ExitStack() as stack:
        fleet = Fleet(stack, {"a": a, "b": b}, placement=PlacementConfig("most-free"))
        for number in range(4):
            fleet.made("machines", busy(f"cpus-{number}", 64, MEBIBYTES, **wish("a")))
            fleet.made("machines", busy(f"memory-{number}", 1, GIBIBYTE, **wish("b")))
        yield fleet


def busy(name: str, cpu: int, memory: int, **more: Any) -> dict[str, Any]:
    made = machine(name, memory=memory, **more)
    made["machineTemplate"]["machineConfig"]["cpu"] = cpu
    return made


def refused(fleet: Fleet, collection: str, document: dict[str, Any]) -> str:
    """What is said of a request that finds no room; nothing has been made, nor is a Job there."""
    before = [fleet.get(name)["count"] for name in ("machines", "volumes", "jobs")]
    answer = fleet.ask("POST", collection, document)
    assert (answer.status_code, answer.json["statusMessage"].endswith("(no-capacity)")) == (
        409, True,
    )  # fmt: skip
    assert [fleet.get(name)["count"] for name in ("machines", "volumes", "jobs")] == before
    return str(answer.json["statusMessage"])


def test_a_machine_goes_where_all_that_it_takes_is_left(fleet: Fleet) -> None:
    assert home(fleet, fleet.made("machines", busy("four", 4, MEBIBYTES))) == "b"


def test_a_machine_that_is_too_large_for_every_target_is_refused_with_what_each_lacks(
    fleet: Fleet,
) -> None:
    said = refused(fleet, "machines", busy("wide", 400, MEBIBYTES))
    assert "a has 0 left in its cpu_pool of the 400 of cpu that are wanted; b has" in said
    said = refused(fleet, "machines", busy("large", 0, 10**9))
    assert "kibibyte left in its memory_pool of the 1000000000 kibibyte of memory" in said


def test_where_a_client_names_a_target_its_room_counts_too(fleet: Fleet) -> None:
    said = refused(fleet, "machines", busy("there", 4, MEBIBYTES, **wish("a")))
    assert "a has 0 left in its cpu_pool" in said
    assert "b has" not in said


def test_disks_and_the_volumes_that_come_with_a_machine_count_together(fleet: Fleet) -> None:
    assert "storage_pool" in refused(fleet, "volumes", volume("huge", capacity=9 * TERABYTE))
    disks = {
        "machineConfig": {"disks": [{"capacity": 5 * TERABYTE}], "cpu": 1, "memory": MEBIBYTES}
    }
    assert "of disks.capacity" in refused(fleet, "machines", machine("with-disks", template=disks))
    of_volume = {"volumeTemplate": {"volumeConfig": {"capacity": 4 * TERABYTE}}}
    both = {"volumeTemplates": [of_volume, of_volume, of_volume]}  # two would fit, one by one
    said = refused(fleet, "machines", machine("with-volumes", template=both))
    assert "storage_pool of the 12000000000 kilobyte of capacity" in said


def test_what_a_server_does_not_tell_is_no_reason_to_refuse() -> None:
    wide = [("Machine", {"cpu": 400})]
    with serving(Simulation(0, seed=4, pace=0)) as (only,), ExitStack() as stack:
        rule = PlacementConfig("most-free")
        engine = Fleet(stack, {"only": only}, placement=rule, with_jobs=False).engine
        with pytest.raises(ConflictError):
            engine.place("Machine", (), Wish(), Deadline.after(30), wide)
        for pool in only.simulation.repository.of_class(NAMESPACE, "CIM_ResourcePool"):
            told = {name: value for name, value in pool.values.items() if name != "Capacity"}
            only.simulation.repository.put(Instance(pool.cls, pool.namespace, told))
        assert engine.place("Machine", (), Wish(), Deadline.after(30), wide) == "only"
