"""On which of several WBEM servers something new is made, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import pywbem

from cimi_cim.config import PlacementConfig
from cimi_cim.errors import ProviderError
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.run import Immediate
from cimi_cim.model.paths import Location
from cimi_cim.wbem.deadline import Deadline
from tests.clouds import NS
from tests.fleets import Fleet, Server, serving

LABELS = {"a": {"tier": "silver"}, "b": {"tier": "gold", "rack": "7"}, "c": {"tier": "gold"}}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2, 3))
    with serving(*labs) as running:
        yield dict(zip("abc", running, strict=True))


@pytest.fixture
def fleet(servers: dict[str, Server]) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, servers, labels=LABELS)


def machine(name: str, *, memory: Any = 2**20, **more: Any) -> dict[str, Any]:
    template = {"machineConfig": {"cpu": 1, "memory": memory}, **more.pop("template", {})}
    return {
        "resourceURI": f"{NS}/MachineCreate", "name": name, "machineTemplate": template, **more
    }  # fmt: skip


def volume(name: str, *, capacity: Any = 2**20, **more: Any) -> dict[str, Any]:
    template = {"volumeConfig": {"capacity": capacity}}
    return {"resourceURI": f"{NS}/VolumeCreate", "name": name, "volumeTemplate": template, **more}


def wish(target: str | None = None, labels: str | None = None) -> dict[str, Any]:
    said = {"cimi-cim:target": target, "cimi-cim:labels": labels}
    return {"properties": {name: value for name, value in said.items() if value is not None}}


def home(fleet: Fleet, made: dict[str, Any]) -> str:
    collection, token = made["id"].rsplit("/", 2)[1:]
    known = fleet.engine.identities.find(collection.rstrip("s").capitalize(), token)
    assert known is not None
    return known[0]


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


def room(server: Server, classname: str) -> int:
    """What is left in the emptiest pool of a class, as its operator sees it."""
    with pywbem.WBEMConnection(server.url, default_namespace="root/virt") as wbem:
        pools = wbem.EnumerateInstances(classname)
    return max(int(pool["Capacity"]) - int(pool["Reserved"]) for pool in pools)


@pytest.mark.parametrize("kind", ["machine", "volume"])
def test_a_rule_takes_labels_and_the_target_with_most_room(
    servers: dict[str, Server], kind: str
) -> None:
    rule = PlacementConfig("most-free", {"tier": "gold"})
    classname = {"machine": "LAB_MemoryPool", "volume": "LAB_StoragePool"}[kind]
    homes = set()
    with ExitStack() as stack:
        fleet = Fleet(stack, servers, labels=LABELS, placement=rule)
        for number in range(5):
            emptiest = max("bc", key=lambda alias: room(servers[alias], classname))
            if kind == "machine":
                made = fleet.made("machines", machine(f"m{number}", memory=25 * 2**20))
            else:
                made = fleet.made("volumes", volume(f"v{number}", capacity=10**9))
            assert home(fleet, made) == emptiest
            homes.add(emptiest)
    assert homes == {"b", "c"}


def test_a_target_that_is_down_is_passed_over_and_refused_where_it_is_named() -> None:
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2))
    with serving(*labs) as (a, b), ExitStack() as stack:
        fleet = Fleet(stack, {"a": a, "b": b})
        a.die()
        fleet.get("machines")
        assert home(fleet, fleet.made("machines", machine("elsewhere"))) == "b"
        named = fleet.ask("POST", "machines", machine("there", **wish("a")))
        assert (named.status_code, "Retry-After" in named.headers) == (503, True)


def test_what_a_job_made_is_found_again_whichever_other_server_is_down() -> None:
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2))
    with serving(*labs) as (a, b), ExitStack() as stack:
        fleet = Fleet(stack, {"a": a, "b": b})
        job = fleet.done("POST", "machines", machine("there", **wish("b")))
        token, at = job["id"].rpartition("/")[2], Location("Machine", (("machines", None),))
        run = Immediate(Deadline.after(30))
        a.die()
        made = fleet.engine.found(at, token, run)
        assert made is not None
        assert fleet.get(made)["name"] == "there"
        assert fleet.engine.found(at, "never-made", run, "b") is None
        with pytest.raises(ProviderError):  # a may have it
            fleet.engine.found(at, "never-made", run)
