"""On which of several WBEM servers something new is made, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.lab.simulation import Simulation
from tests.fleets import LABELS, Fleet, Server, home, machine, serving, volume, wish


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2, 3))
    with serving(*labs) as running:
        yield dict(zip("abc", running, strict=True))


@pytest.fixture(scope="module")
def fleet(servers: dict[str, Server]) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, servers, labels=LABELS)


def test_the_first_target_makes_what_nobody_places(fleet: Fleet) -> None:
    assert home(fleet, fleet.made("machines", machine("plain"))) == "a"


@pytest.mark.parametrize(
    ("said", "target"),
    [
        (wish("c"), "c"),
        (wish(labels="tier=gold"), "b"),
        (wish(labels="tier = gold, rack=7"), "b"),
        (wish("c", "tier=gold"), "c"),
    ],
)
def test_the_client_names_a_target_or_its_labels(
    fleet: Fleet, said: dict[str, Any], target: str
) -> None:
    name = f"wished-{'-'.join(said['properties'].values())}"
    assert home(fleet, fleet.made("machines", machine(name, **said))) == target
    assert home(fleet, fleet.made("volumes", volume(name, **said))) == target


def test_a_template_can_say_it_too_and_the_document_wins(fleet: Fleet) -> None:
    on_b = {"template": wish("b")}
    assert home(fleet, fleet.made("machines", machine("by-template", **on_b))) == "b"
    assert home(fleet, fleet.made("machines", machine("both", **wish("c"), **on_b))) == "c"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (wish("nowhere"), "no-such-target"),
        (wish(labels="tier=bronze"), "no-target-fits"),
        (wish("a", "tier=gold"), "no-target-fits"),
        (wish(labels="gold"), "bad-labels"),
    ],
)
def test_a_wish_that_nobody_can_fulfil_is_refused_before_anything_is_made(
    fleet: Fleet, said: dict[str, Any], reason: str
) -> None:
    before = fleet.get("machines")["count"], fleet.get("jobs")["count"]
    answer = fleet.ask("POST", "machines", machine("impossible", **said))
    assert answer.status_code == 400
    assert answer.json["statusMessage"].endswith(f"({reason})")
    assert (fleet.get("machines")["count"], fleet.get("jobs")["count"]) == before


def test_what_refers_to_something_goes_where_that_is(fleet: Fleet) -> None:
    disk = fleet.made("volumes", volume("data", **wish("c")))
    with_disk = {"template": {"volumes": [{"volume": {"href": disk["id"]}}]}}
    assert home(fleet, fleet.made("machines", machine("at-its-disk", **with_disk))) == "c"
    torn = fleet.ask("POST", "machines", machine("torn", **with_disk, **wish("b")))
    assert torn.status_code == 400
    assert "different-targets" in torn.json["statusMessage"]


def test_the_volumes_of_a_new_machine_are_made_on_its_target(fleet: Fleet) -> None:
    inside = {
        "template": {"volumeTemplates": [{"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}]}
    }
    made = fleet.made("machines", machine("with-volume", **inside, **wish("b")))
    (located,) = fleet.get(made["volumes"]["href"])["locatedVolumes"]
    assert home(fleet, fleet.get(located["volume"]["href"])) == home(fleet, made) == "b"
