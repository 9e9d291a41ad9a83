"""Where something new is made by rule, and what that means while a server is down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import pywbem

from cimi_cim.config import PlacementConfig
from cimi_cim.errors import ProviderError
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.run import Immediate
from cimi_cim.model.paths import Location
from cimi_cim.wbem.deadline import Deadline
from tests.fleets import LABELS, Fleet, Server, home, machine, serving, volume, wish


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    labs = (Simulation(0, seed=seed, pace=0) for seed in (1, 2, 3))
    with serving(*labs) as running:
        yield dict(zip("abc", running, strict=True))


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
