"""Whatever is done with Volumes in whatever order, the model, the bridge and the lab agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tests.clouds import Cloud, action
from tests.states.running import run

MIB = 1048576
capacities = st.sampled_from([MIB, 2 * MIB, 3 * MIB])
numbers = count()


@dataclass
class Known:
    """What a Volume must be."""

    name: str
    capacity: int
    machine: str | None = None
    images: dict[str, int] = field(default_factory=dict)


class Volumes(RuleBasedStateMachine):
    """A client at work on the Volumes of a cloud, and on two Machines that use them."""

    volumes: Bundle[str] = Bundle("volumes")
    images: Bundle[tuple[str, str]] = Bundle("images")

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.known: dict[str, Known] = {}
        self.machines: list[str] = []
        self.others = self.shown().keys()
        self.strangers = len(self.there())

    def shown(self) -> dict[str, dict[str, Any]]:
        return {each["id"]: each for each in self.cloud.get("volumes").get("volumes", [])}

    def there(self) -> dict[str, list[Any]]:
        """The lab's own volumes by name; copies are volumes, too."""
        found: dict[str, list[Any]] = {}
        for each in self.cloud.lab.EnumerateInstances("CIM_StorageVolume"):
            found.setdefault(each["ElementName"], []).append(each)
        return found

    def machine(self, **template: Any) -> str:
        config = {"machineConfig": {"cpu": 1, "memory": 262144}}
        body = {"name": f"user-{next(numbers)}", "machineTemplate": {**config, **template}}
        return str(self.cloud.made("machines", body)["id"])

    @initialize()
    def make_machines(self) -> None:
        self.machines = [self.machine(initialState=state) for state in ("STARTED", "STOPPED")]

    def is_used_or_copied(self, volume: str) -> bool:
        return self.known[volume].machine is not None or bool(self.known[volume].images)

    @rule(target=volumes, capacity=capacities)
    def create(self, capacity: int) -> str:
        name = f"volume-{next(numbers)}"
        template = {"volumeConfig": {"capacity": capacity}}
        made = self.cloud.made("volumes", {"name": name, "volumeTemplate": template})
        assert made["state"] == "AVAILABLE"
        self.known[made["id"]] = Known(name, capacity)
        return str(made["id"])

    @rule(capacity=st.sampled_from([10**12, 10**15]))
    def create_what_cannot_be(self, capacity: int) -> None:
        template = {"volumeConfig": {"capacity": capacity}}
        self.cloud.refused("POST", "volumes", {"volumeTemplate": template})

    @rule(target=volumes, capacity=capacities)
    def create_with_a_machine(self, capacity: int) -> str:
        name = f"volume-{next(numbers)}"
        template = {"name": name, "volumeConfig": {"capacity": capacity}}
        before = self.shown().keys()
        self.machines.append(self.machine(volumeTemplates=[{"volumeTemplate": template}]))
        (made,) = self.shown().keys() - before
        self.known[made] = Known(self.cloud.get(made)["name"], capacity, self.machines[-1])
        return str(made)

    @rule()
    def fail_to_create_with_a_machine(self) -> None:
        template = {"volumeConfig": {"capacity": MIB}}
        self.cloud.refused("POST", "machines", {"machineTemplate": {
            "machineConfig": {"cpu": 65}, "volumeTemplates": [{"volumeTemplate": template}],
        }})  # fmt: skip

    @rule(volume=volumes, capacity=capacities)
    def resize(self, volume: str, capacity: int) -> None:
        url, body = f"{volume}?$select=capacity", {"capacity": capacity}
        if capacity < self.known[volume].capacity:
            self.cloud.refused("PUT", url, body)
        else:
            self.cloud.done("PUT", url, body)
            self.known[volume].capacity = capacity

    @rule(volume=volumes)
    def rename(self, volume: str) -> None:
        self.known[volume].name = name = f"volume-{next(numbers)}"
        self.cloud.done("PUT", f"{volume}?$select=name", {"name": name})

    @rule(volume=volumes, number=st.integers(0, 2))
    def connect(self, volume: str, number: int) -> None:
        machine = self.machines[number % len(self.machines)]
        url, body = f"{machine}/volumes", action("insert", volume={"href": volume})
        if self.known[volume].machine is None:
            self.cloud.done("POST", url, body)
            self.known[volume].machine = machine
        else:
            self.cloud.refused("POST", url, body)

    @rule(volume=volumes)
    def disconnect(self, volume: str) -> None:
        machine = self.known[volume].machine
        body = action("remove", volume={"href": volume})
        if machine is None:
            self.cloud.refused("POST", f"{self.machines[0]}/volumes", body)
        else:
            self.cloud.done("POST", f"{machine}/volumes", body)
            self.known[volume].machine = None

    @rule(target=images, volume=volumes)
    def copy(self, volume: str) -> tuple[str, str]:
        name = f"image-{next(numbers)}"
        made = self.cloud.made("volumeImages", {"name": name, "imageLocation": volume})
        assert (made["name"], made["state"]) == (name, "AVAILABLE")
        self.known[volume].images[made["id"]] = self.known[volume].capacity
        return volume, made["id"]

    @rule(image=consumes(images))
    def delete_copy(self, image: tuple[str, str]) -> None:
        if image[1] not in self.known.get(image[0], Known("", 0)).images:
            return
        self.cloud.done("DELETE", image[1])
        del self.known[image[0]].images[image[1]]

    @rule(volume=volumes)
    def fail_to_delete(self, volume: str) -> None:
        if self.is_used_or_copied(volume):
            self.cloud.refused("DELETE", volume)

    @rule(volume=consumes(volumes))
    def delete(self, volume: str) -> None:
        if self.known[volume].machine is not None:
            self.disconnect(volume)
        for image in list(self.known[volume].images):
            self.cloud.done("DELETE", image)
            del self.known[volume].images[image]
        self.cloud.done("DELETE", volume)
        assert self.cloud.ask("GET", volume).status_code == 404
        del self.known[volume]

    @rule()
    def delete_a_machine(self) -> None:
        """Its Volumes stay, and are free."""
        if len(self.machines) > 2:
            gone = self.machines.pop()
            self.cloud.done("DELETE", gone)
            for known in self.known.values():
                known.machine = None if known.machine == gone else known.machine

    @invariant()
    def all_agree(self) -> None:
        shown, there = self.shown(), self.there()
        assert shown.keys() == self.others | self.known.keys()
        for volume, known in self.known.items():
            now, (own,) = shown[volume], there[known.name]
            assert (now["name"], now["capacity"]) == (known.name, known.capacity)
            assert own["BlockSize"] * own["NumberOfBlocks"] == known.capacity * 1000
            images = self.cloud.get(f"{volume}/images").get("volumeImages", [])
            assert {image["id"] for image in images} == known.images.keys()
        for machine in self.machines:
            found = self.cloud.get(f"{machine}/volumes").get("locatedVolumes", [])
            assert {item["volume"]["href"] for item in found} == {
                volume for volume, known in self.known.items() if known.machine == machine
            }

    def teardown(self) -> None:
        for machine in self.machines:
            self.cloud.done("DELETE", machine)
        for volume, known in self.known.items():
            for url in (*known.images, volume):
                self.cloud.done("DELETE", url)
        assert self.shown().keys() == self.others
        assert len(self.there()) == self.strangers


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(stack)


def test_volumes_are_what_their_model_is(cloud: Cloud) -> None:
    run(lambda: Volumes(cloud))
