"""What WBEM servers are asked to make or change is held against metadata before it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.config import TargetConfig
from cimi_cim.errors import BadRequest, CimiCimError
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.changing import Changing
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.jobs.asking import NOBODY, Request
from cimi_cim.service.jobs.bodies import Json
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.metadata.metadata import Metadata
from cimi_cim.service.metadata.rules import rules_of
from cimi_cim.service.provision.provisioner import Provisioner
from cimi_cim.service.provision.requests import Order, Orders
from cimi_cim.service.repeats import Repeats
from cimi_cim.service.store.database import open_database
from cimi_cim.service.store.documents import read_document
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing
from cimi_cim.service.write import Writer
from cimi_cim.wbem.deadline import Deadline
from tests.services import new_secrets

V2 = CimiVersion.V2
NS = V2.namespace
MACHINES = Location("Machine", (("machines", None),))
VOLUMES = Location("Volume", (("volumes", None),))


class Submitted:
    """Jobs that are noted and never carried out."""

    def __init__(self) -> None:
        self.arguments: list[Mapping[str, Json]] = []

    retention_minutes = 60

    def earlier(self, reading: Reading, request: Request) -> str | None:
        return None

    def remember(self, writing: Writing, request: Request, job: str) -> None:
        raise NotImplementedError

    def submit(
        self,
        writing: Writing,
        kind: str,
        work: Work,
        arguments: Mapping[str, Json],
        request: Request = NOBODY,
        holds: Sequence[str] = (),
    ) -> str:
        self.arguments.append(arguments)
        return "jobs/one"

    def holder(self, reading: Reading, path: str) -> str | None:
        return None

    def wait(self, job: str, seconds: float) -> bool:
        return False

    def failure(self, reading: Reading, job: str) -> CimiCimError | None:
        return None

    def can_stop(self, reading: Reading, job: str) -> bool:
        return False

    def stop(self, writing: Writing, job: str) -> None:
        raise NotImplementedError

    def delete(self, writing: Writing, job: str) -> bool:
        raise NotImplementedError


class Bridge:
    """The use cases over a lab, with Jobs that only wait."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self.engine, self.store = engine, store
        self.catalog = Catalog(load_model(), engine, can_provision=True)
        self.metadata = Metadata(self.catalog)
        self.holdings = Holdings(self.catalog, engine, store, self.metadata)
        self.jobs = Submitted()
        repeats = Repeats(self.catalog, store, None)
        self.changing = Changing(
            self.holdings,
            engine,
            Writer(self.holdings, store, repeats),
            Provisioner(self.holdings, engine, self.jobs, wait_s=0),
            repeats,
        )

    def order(self, location: Location, template: Any, **said: Any) -> Order:
        orders = Orders(self.holdings, self.engine, V2, Deadline.after(30))
        return orders.read(location, CreateDocument(said, template))

    def edit(self, type_name: str, **said: Any) -> None:
        at = Location("ResourceMetadata", (("resourceMetadata", type_name),))
        with self.store.writing() as writing:
            self.metadata.edit(writing, at, V2, said)

    def first(self, location: Location) -> Location:
        path = self.engine.read_collection(location, None, Deadline.after(30)).items[0].path
        found = self.holdings.locate(path, V2)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with ExitStack() as stack:
        front = stack.enter_context(lab_server(Simulation(3)))
        found = open_engine([TargetConfig("lab", front.url)], load_model())
        stack.callback(found.close)
        yield found


@pytest.fixture
def bridge(engine: Engine, tmp_path: Any) -> Iterator[Bridge]:
    database = open_database(f"sqlite:///{tmp_path / 'store.db'}")
    yield Bridge(engine, Store(database, new_secrets()))
    database.close()


def test_what_can_be_written_back_is_told_as_writable(bridge: Bridge) -> None:
    rules = rules_of(bridge.catalog, "Machine")
    assert rules["cpu"].consumer_writable
    assert not rules["cpuSpeed"].consumer_writable
    assert not rules["state"].consumer_writable
    without = Catalog(load_model(), bridge.engine)
    assert not rules_of(without, "Machine")["cpu"].consumer_writable


def test_a_machine_is_ordered_within_the_scopes_and_with_their_defaults(bridge: Bridge) -> None:
    bridge.edit("Machine", vscope=[{
        "cpu": {"values": [2, 4], "default": 2}, "memory": {"maximum": 4, "units": "GiB"},
    }])  # fmt: skip
    order = bridge.order(MACHINES, {"machineConfig": {"memory": 2**20}}, name="m")
    assert order.values["processors"] == [{"cpu": 2}]
    assert order.values["memories"] == [{"memory": 2**20}]
    with pytest.raises(BadRequest, match="cpu is 3 count; allowed is 2, 4"):
        bridge.order(MACHINES, {"machineConfig": {"cpu": 3}})
    with pytest.raises(BadRequest, match="allowed is 4 or less GiB"):
        bridge.order(MACHINES, {"machineConfig": {"cpu": 2, "memory": 2**23}})


def test_metadata_of_the_template_hold_for_the_machine_and_are_kept_with_it(
    bridge: Bridge,
) -> None:
    with bridge.store.writing() as writing:
        said = {"typeURI": f"{NS}/Machine", "vscope": [{"cpu": {"value": 8}}]}
        own = Ref(bridge.metadata.add(writing, V2, said))
    order = bridge.order(MACHINES, {"genResourceMetadata": own}, description="d")
    assert order.values["processors"] == [{"cpu": 8}]
    assert order.overlay == {"description": "d", "resourceMetadata": own}


def test_a_volume_is_ordered_within_the_scopes(bridge: Bridge) -> None:
    bridge.edit("Volume", vscope=[{"capacity": {"maximum": 1, "units": "gigabyte", "default": 1}}])
    assert bridge.order(VOLUMES, {}, name="v").values == {"name": "v", "capacity": 10**6}
    with pytest.raises(BadRequest, match="capacity is 1000001 kilobyte"):
        bridge.order(VOLUMES, {"volumeConfig": {"capacity": 10**6 + 1}})
    inside = {"volumeTemplates": [{"volumeTemplate": {"volumeConfig": {"capacity": 10**7}}}]}
    with pytest.raises(BadRequest, match="capacity is 10000000 kilobyte"):
        bridge.order(MACHINES, inside)


def test_a_disk_is_ordered_within_the_scopes_of_its_machine(bridge: Bridge) -> None:
    bridge.edit("Machine", vscope=[{"disks": {"item": {"capacity": {"maximum": 100}}}}])
    machine = bridge.first(MACHINES)
    disks = Location("Disk", (*machine.steps, ("disks", None)))
    assert bridge.order(disks, None, capacity=100).values["capacity"] == 100
    with pytest.raises(BadRequest, match="capacity is 101 kilobyte"):
        bridge.order(disks, None, capacity=101)


def test_a_change_that_is_refused_is_never_submitted(bridge: Bridge) -> None:
    bridge.edit("Machine", vscope=[{"cpu": {"maximum": 64}}])
    machine, selected = bridge.first(MACHINES), frozenset({"cpu"})
    with pytest.raises(BadRequest, match="cpu is 65 count"):
        bridge.changing.update(machine, V2, {"cpu": 65}, selected)
    assert bridge.jobs.arguments == []
    bridge.changing.update(machine, V2, {"cpu": 63}, selected)
    [sent] = bridge.jobs.arguments
    assert read_document(str(sent["values"])) == {"cpu": 63}


def test_what_an_administrator_froze_is_not_written_back(bridge: Bridge) -> None:
    bridge.edit("Machine", attributes=[{"name": "cpu", "consumerWritable": False}])
    machine, selected = bridge.first(MACHINES), frozenset({"cpu"})
    bridge.changing.update(machine, V2, {"cpu": 63}, selected)
    assert bridge.jobs.arguments == []
