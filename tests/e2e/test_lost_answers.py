"""What a lost answer leaves behind is found again, and is there once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cimi_cim.lab.simulation import Simulation
from tests.clouds import Cloud

MAKES = "CreateOrModifyElementFromStoragePool"


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(1, pace=0)


@pytest.fixture(scope="module")
def cloud(simulation: Simulation) -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack, simulation)


@pytest.fixture
def lossy(simulation: Simulation) -> Iterator[Simulation]:
    """A lab whose next answer to the making of a volume is lost."""
    simulation.failures.add(f"{MAKES}:times=1:drop-reply")
    yield simulation
    simulation.failures.clear()


@pytest.mark.parametrize("name", [None, "data"])
def test_a_volume_is_found_again_with_a_name_and_without(
    cloud: Cloud, lossy: Simulation, name: str | None
) -> None:
    before, calls = cloud.get("volumes")["count"], len(lossy.calls)
    body = {"volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}
    made = cloud.made("volumes", body if name is None else {**body, "name": name})
    assert cloud.get("volumes")["count"] == before + 1
    assert made["name"] == name or name is None
    assert [call.method for call in lossy.calls[calls:]] == [MAKES]


def test_the_volume_of_a_machine_is_found_again(cloud: Cloud, lossy: Simulation) -> None:
    template = {"volumeTemplates": [{"volumeTemplate": {"volumeConfig": {"capacity": 1048576}}}]}
    made = cloud.made("machines", {"name": "m", "machineTemplate": template})
    assert cloud.get(made["volumes"]["href"])["count"] == 1
