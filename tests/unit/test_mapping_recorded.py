"""libvirt-cim's machines, from what SFCB and OpenPegasus really answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cimi_cim.errors import NotFound
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from tests.asked import names
from tests.recorded_gateway import RecordedGateway
from tests.tapes import SERVERS, tape_folder

MACHINES = Location("Machine", (("machines", None),))
WEB01 = "11111111-2222-4333-8444-000000000001"
DB01 = "11111111-2222-4333-8444-000000000002"
TEST03 = "11111111-2222-4333-8444-000000000003"


@pytest.fixture(params=SERVERS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    gateway = TracingGateway(RecordedGateway(tape_folder(request.param)), "host-a")
    mapping = load_mapping("libvirt-cim", load_model())
    engine = Engine([Target("host-a", gateway, mapping)])
    yield engine
    engine.close()


def deadline() -> Deadline:
    return Deadline.after(30)


def machine(token: str) -> Location:
    return Location("Machine", (("machines", token),))


def inside(token: str, collection: str, type_name: str) -> Location:
    return Location(type_name, (("machines", token), (collection, None)))


def test_machines_have_the_recorded_state_cpu_and_memory(engine: Engine) -> None:
    items = engine.read_collection(MACHINES, None, deadline()).items
    found = {
        item.values["name"]: (
            item.path,
            item.values["state"],
            item.values["cpu"],
            item.values["memory"],
            item.values["cpuArch"],
        )
        for item in items
    }
    assert found == {
        "web01": (f"machines/{WEB01}", "STARTED", 1, 128 * 1024, "x86_64"),
        "db01": (f"machines/{DB01}", "PAUSED", 2, 256 * 1024, "x86_64"),
        "test03": (f"machines/{TEST03}", "STOPPED", 1, 64 * 1024, "x86_64"),
    }


@pytest.mark.parametrize(
    ("token", "disks", "volumes", "nics"),
    [
        (WEB01, {"vda": 1073741, "vdb": 67108}, 3, 2),
        (DB01, {"vda": 2147483}, 1, 1),
        (TEST03, {"hda": 33554}, 1, 1),
    ],
)
def test_devices_are_disks_and_their_files_and_media_are_volumes(
    engine: Engine, token: str, disks: dict[str, int], volumes: int, nics: int
) -> None:
    devices = engine.read_collection(inside(token, "disks", "Disk"), None, deadline()).items
    sizes = {item.values["name"]: item.values["capacity"] for item in devices}
    assert sizes == disks  # in kB
    for disk in devices:
        location = Location("Disk", (("machines", token), ("disks", disk.path.rpartition("/")[2])))
        assert engine.read(location, None, deadline()) == disk
    located = inside(token, "volumes", "locatedVolume")
    found = engine.read_collection(located, None, deadline()).items
    assert len(found) == volumes
    assert all(item.values["volume"].path.startswith("volumes/host-a.") for item in found)
    interfaces = engine.read_collection(
        inside(token, "interfaces", "NetworkInterface"), None, deadline()
    ).items
    assert len(interfaces) == nics
    assert all(len(item.values["macAddress"]) == 17 for item in interfaces)


def test_a_collection_costs_four_operations_and_a_known_machine_at_most_four(
    engine: Engine,
) -> None:
    with traced(Trace()) as trace:
        engine.read_collection(MACHINES, None, deadline())
    assert names(trace) == ["EnumerateInstances"] * 4
    with traced(Trace()) as trace:
        engine.read(machine(DB01), None, deadline())
    assert names(trace) == ["GetInstance"] * 4


def test_only_what_is_wanted_is_read(engine: Engine) -> None:
    with traced(Trace()) as trace:
        engine.read_collection(MACHINES, frozenset({"name"}), deadline())
    [operation] = trace.operations
    assert operation.properties == ("ElementName", "Name", "UUID")


def test_a_cold_id_costs_one_batch_once(engine: Engine) -> None:
    with traced(Trace()) as trace:
        item = engine.read(machine(WEB01), frozenset({"name"}), deadline())
    assert item.values["name"] == "web01"
    assert names(trace) == ["EnumerateInstances", "GetInstance"]


def test_a_child_is_found_by_its_own_path(engine: Engine) -> None:
    cards = inside(DB01, "interfaces", "NetworkInterface")
    [card] = engine.read_collection(cards, None, deadline()).items
    token = card.path.rpartition("/")[2]
    location = Location("NetworkInterface", (("machines", DB01), ("interfaces", token)))
    assert engine.read(location, None, deadline()) == card
    assert card.values["parent"] == Ref(f"machines/{DB01}/interfaces")


def test_what_is_not_there_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound):
        engine.read(machine("no-such-machine"), None, deadline())
    with pytest.raises(NotFound):
        engine.read(Location("Disk", (("machines", WEB01), ("disks", "nope"))), None, deadline())


def test_operations_follow_the_state(engine: Engine) -> None:
    items = engine.read_collection(MACHINES, None, deadline()).items
    offered = {
        item.values["name"]: [o.name for o in item.operations if o.available] for item in items
    }
    assert offered == {
        "web01": ["stop", "restart", "pause", "suspend"],
        "db01": ["start", "stop"],
        "test03": ["start", "restart"],
    }


def test_networks_are_the_pools_but_the_primordial_one(engine: Engine) -> None:
    location = Location("Network", (("networks", None),))
    items = engine.read_collection(location, None, deadline()).items
    assert {item.values["name"] for item in items} >= {"default", "isolated"}
    assert all(item.path.startswith("networks/host-a.") for item in items)
    assert "networks/host-a.0" not in {item.path for item in items}
