"""The overlays for storage arrays over HTTP, against a simulated array of a vendor.

No array was recorded: the names are DMTF's (tests/unit/test_mapping_mistakes.py), and what
is called is what the simulated services take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cimi_cim.config import TargetConfig
from cimi_cim.lab.front import WbemFront
from cimi_cim.wbem.values import InstancePath
from tests.array import GOAL, Array
from tests.clouds import BridgeClient, Heard, action

MAPPINGS = ("smi-s", "smi-s-copy-services")


class Storage(BridgeClient):
    """A client of a bridge over an array; `heard` is what that one was asked."""

    def __init__(
        self, stack: ExitStack, array: Array, mapping: str, settings: Any, *, with_jobs: bool
    ) -> None:
        self.heard = Heard(array)
        front = stack.enter_context(WbemFront(self.heard))
        target = TargetConfig("san", front.url, mapping=mapping, settings=settings)
        super().__init__(stack, target, with_jobs=with_jobs)

    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        return [(call.method, dict(call.parameters)) for call in self.heard.calls]

    def cost(self, url: str) -> list[str]:
        self.get(url)  # from here on the namespace and the services are known
        self.heard.forget()
        self.get(url)
        return sorted(self.heard.operations)


@contextmanager
def opened(
    array: Array, mapping: str = "smi-s", *, with_jobs: bool = True, **settings: Any
) -> Iterator[Storage]:
    """A bridge; of those that do work there may be one at a time."""
    with ExitStack() as stack:
        yield Storage(stack, array, mapping, settings, with_jobs=with_jobs)


@pytest.fixture(params=MAPPINGS)
def san(request: pytest.FixtureRequest) -> Iterator[Storage]:
    with opened(Array(), request.param) as storage:
        yield storage


def order(name: str, kilobytes: int) -> dict[str, Any]:
    return {"name": name, "volumeTemplate": {"volumeConfig": {"capacity": kilobytes}}}


def name_of(path: object) -> str:
    assert isinstance(path, InstancePath)
    return str(path.key("InstanceID"))


def test_an_array_has_volumes_and_images_and_no_machines(san: Storage) -> None:
    volumes = {v["name"]: v for v in san.get("volumes")["volumes"]}
    assert {n: volumes[n]["capacity"] for n in sorted(volumes) if n.startswith("data")} == {
        "data 0": 51200, "data 1": 102400, "data 2": 153600, "data 3": 204800,
    }  # fmt: skip
    assert {v["state"] for v in volumes.values()} == {"AVAILABLE"}
    images = {i["name"] for i in san.get("volumeImages")["volumeImages"]}
    assert {"copy 0", "copy 1"} <= images
    assert san.ask("GET", "machines").status_code == 404


def test_ids_are_the_names_that_scsi_knows_volumes_by(san: Storage) -> None:
    tokens = [v["id"].rpartition("/")[2] for v in san.get("volumes")["volumes"]]
    assert all(len(token) == 32 and token.startswith("6") for token in tokens)


def test_ids_are_told_by_other_identifying_info_where_the_name_is_none() -> None:
    with (
        opened(Array(), with_jobs=False) as named,
        opened(Array(has_naa=False), with_jobs=False) as others,
    ):
        ids = [
            {v["id"].rpartition("/")[2] for v in one.get("volumes")["volumes"]}
            for one in (named, others)
        ]
    assert ids[0] == ids[1]


def test_a_volume_lives_grows_and_dies(san: Storage) -> None:
    san.heard.forget()
    made = san.made("volumes", order("fresh", 1000000))
    assert (made["state"], made["capacity"]) == ("AVAILABLE", 1000000)
    san.done("PUT", f"{made['id']}?$select=capacity", {"capacity": 2000000})
    assert san.get(made["id"])["capacity"] == 2000000
    san.done("DELETE", made["id"])
    assert san.ask("GET", made["id"]).status_code == 404
    [created, grown, gone] = san.sent()
    assert created[0] == grown[0] == "CreateOrModifyElementFromStoragePool"
    assert name_of(created[1]["InPool"]) == "ACME:pool:silver"  # the one with most room
    assert "Goal" not in created[1]
    assert gone[0] == "ReturnToStoragePool"


def test_a_snapshot_is_taken_applied_and_deleted(san: Storage) -> None:
    volume = san.made("volumes", order("precious", 500000))
    san.heard.forget()
    image = san.made("volumeImages", {"name": "before", "imageLocation": volume["id"]})
    assert image["state"] == "AVAILABLE"
    restore = action("restore", image={"href": image["id"]})
    san.done("POST", f"{volume['id']}/restore", restore)
    san.refused("DELETE", volume["id"])  # in use
    san.done("DELETE", image["id"])
    san.done("DELETE", volume["id"])
    methods = [name for name, _ in san.sent()]
    taken, applied = methods[:2]
    assert (taken, applied) in (
        ("CreateElementReplica", "ModifyReplicaSynchronization"),
        ("CreateReplica", "ModifySynchronization"),
    )  # fmt: skip
    assert methods[2:] == ["ReturnToStoragePool"] * 3


def test_older_arrays_are_asked_in_the_older_way() -> None:
    with opened(Array(), "smi-s-copy-services") as san:
        volume = san.get("volumes")["volumes"][0]
        san.made("volumeImages", {"name": "old way", "imageLocation": volume["id"]})
        [(method, parameters)] = san.sent()
        assert (method, parameters["CopyType"]) == ("CreateReplica", 4)


def test_pool_and_goal_are_those_of_the_settings() -> None:
    with opened(Array(), storage_pool="gold", goal=GOAL, element_type=5) as san:
        san.made("volumes", order("thin", 1000))
        [(_, parameters)] = san.sent()
        assert name_of(parameters["InPool"]) == "ACME:pool:gold"
        assert name_of(parameters["Goal"]) == GOAL
        assert parameters["ElementType"] == 5


def test_a_pool_of_the_settings_that_is_not_there_is_told() -> None:
    with opened(Array(), storage_pool="bronze") as san:
        answer = san.failed("POST", "volumes", order("lost", 1000))
        assert "storage_pool" in answer["statusMessage"]
        assert san.sent() == []


def test_a_size_that_cannot_be_is_refused(san: Storage) -> None:
    san.refused("POST", "volumes", order("huge", 10**12))


def test_work_that_takes_time_is_followed_to_its_end() -> None:
    with opened(Array(pace=0.05)) as san:
        made = san.made("volumes", order("slow", 1000000))
        image = san.made("volumeImages", {"name": "slow copy", "imageLocation": made["id"]})
        san.done("DELETE", image["id"])
        san.done("DELETE", made["id"])
        assert san.ask("GET", made["id"]).status_code == 404


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_what_reading_costs_does_not_depend_on_how_many_volumes_there_are(mapping: str) -> None:
    with (
        opened(Array(3), mapping, with_jobs=False) as few,
        opened(Array(1000), mapping, with_jobs=False) as many,
    ):
        for url, expected in (
            ("volumes", ["EnumerateInstances"] * 2),
            ("volumeImages", ["EnumerateInstances"] * 2),
        ):
            assert few.cost(url) == many.cost(url) == expected
        one = many.get("volumes")["volumes"][7]["id"]
        assert many.cost(one) == ["Associators", "GetInstance"]
