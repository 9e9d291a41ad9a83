"""The libvirt-cim overlay over HTTP, against what SFCB and OpenPegasus answered.

A recorded call is answered only if what the bridge sends means the same as what was sent
then, so every answer here proves the CIM-XML (docs/tapes.md). SFCB got embedded instances as
text, OpenPegasus as instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pywbem

from cimi_cim.config import TargetConfig
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.replay import ReplayBackend, load_recording
from tests.clouds import BASE, BridgeClient, Heard, action
from tests.retold import retold
from tests.tapes import SERVERS

WEB01 = "machines/11111111-2222-4333-8444-000000000001"
DB01 = "machines/11111111-2222-4333-8444-000000000002"
TEST03 = "machines/11111111-2222-4333-8444-000000000003"


class Recorded(BridgeClient):
    """A client of a bridge over a recorded server; `heard` is what that one was asked."""

    def __init__(self, stack: ExitStack, server: str, folder: Path) -> None:
        self.server = server
        self._tape = load_recording(retold(server, folder))
        self.heard = Heard(ReplayBackend(self._tape))
        front = stack.enter_context(WbemFront(self.heard))
        self.url = front.url
        target = TargetConfig("kvm", front.url, mapping="libvirt-cim", server=server)
        super().__init__(stack, target)

    def rewind(self) -> None:
        """Have the server as it was before any call."""
        self.heard.inner = ReplayBackend(self._tape)
        self.heard.forget()

    def cost(self, method: str, url: str, body: Any = None) -> list[str]:
        """What a request has the server do; OpenPegasus is asked by pull."""
        self.heard.forget()
        answer = self.ask(method, url, body)
        if method != "GET":
            self.job(answer)
        assert answer.status_code < 300, answer.text
        return [name.removeprefix("Open") for name in self.heard.operations]

    def calls(self) -> list[str]:
        return [call.method for call in self.heard.calls]

    def named(self, url: str) -> dict[str, dict[str, Any]]:
        """The items of a Collection by name."""
        found = self.get(url)
        [items] = [v for v in found.values() if isinstance(v, list) and "name" in str(v)]
        return {item["name"]: item for item in items if "name" in item}


@pytest.fixture(params=SERVERS, scope="module")
def bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    with ExitStack() as stack:
        yield Recorded(stack, request.param, tmp_path_factory.mktemp("tape"))


@pytest.fixture
def kvm(bridge: Recorded) -> Recorded:
    """Each test has the server as it was: method calls leave traces."""
    bridge.rewind()
    return bridge


def volume_of(kvm: Recorded, name: str) -> str:
    found: str = kvm.named("volumes")[name]["id"]
    return found


def new01(kvm: Recorded, **more: Any) -> dict[str, Any]:
    volume = {"volume": {"href": volume_of(kvm, "new01.qcow2")}}
    template = {
        "machineConfig": {"cpu": 1, "memory": 65536, **more},
        "volumes": [volume],
        "interfaceTemplates": [{"mtu": 1500}],
    }
    return {"name": "new01", "machineTemplate": template}


def test_volumes_are_the_files_of_the_pools(kvm: Recorded) -> None:
    found = {name: item["capacity"] for name, item in kvm.named("volumes").items()}
    assert found == {
        "new01.qcow2": 134217, "test03.img": 33554, "db01.qcow2": 2147483, "extra.img": 16777,
        "web01-data.img": 67108, "web01.qcow2": 1073741, "blank.iso": 1048,
    }  # fmt: skip
    assert sorted(kvm.cost("GET", "volumes")) == [
        "Associators", "EnumerateInstances", "EnumerateInstances",
    ]  # fmt: skip
    one = kvm.named("volumes")["web01.qcow2"]
    assert kvm.get(one["id"])["capacity"] == 1073741


def test_the_disks_of_machines_are_files_of_pools_and_so_connected_volumes(kvm: Recorded) -> None:
    by_id = {item["id"]: name for name, item in kvm.named("volumes").items()}
    found = {
        item["initialLocation"]: by_id[item["volume"]["href"]]
        for item in kvm.get(f"{WEB01}/volumes")["locatedVolumes"]
    }
    assert found == {"vda": "web01.qcow2", "vdb": "web01-data.img", "hdc": "blank.iso"}
    disks = {item["initialLocation"] for item in kvm.get(f"{WEB01}/disks")["disks"]}
    assert disks == {"vda", "vdb"}  # hdc is a CD drive
    assert kvm.cost("GET", f"{WEB01}/volumes") == ["GetInstance", "EnumerateInstances"]


def test_cards_are_on_the_network_of_their_bridge(kvm: Recorded) -> None:
    found = {
        item["name"]: item["network"]["href"].rpartition("/")[2]
        for machine in (WEB01, DB01, TEST03)
        for item in kvm.get(f"/cimi/1/{machine}/networkInterfaces")["machineNetworkInterfaces"]
    }
    assert found == {
        "52:54:00:aa:bb:01": "kvm.default", "52:54:00:aa:bb:02": "kvm.isolated",
        "52:54:00:aa:bb:03": "kvm.default", "52:54:00:aa:bb:04": "kvm.default",
    }  # fmt: skip


def test_a_machine_lives_and_dies(kvm: Recorded) -> None:
    made = kvm.made("machines", new01(kvm))
    machine = made["id"]
    assert (made["name"], made["state"], made["cpu"], made["memory"]) == (
        "new01", "STOPPED", 1, 65536,
    )  # fmt: skip
    assert kvm.calls() == ["DefineSystem"]
    [disk] = kvm.get(f"{machine}/volumes")["locatedVolumes"]
    assert disk["volume"]["href"] == volume_of(kvm, "new01.qcow2")
    [card] = kvm.get(f"{machine}/interfaces")["networkInterfaces"]
    assert card["name"] == "52:54:00:aa:bb:10"
    kvm.done("POST", f"{machine}/start", action("start"))
    kvm.done("DELETE", machine)
    assert kvm.calls()[1:] == ["RequestStateChange", "DestroySystem"]
    assert kvm.ask("GET", machine).status_code == 404
    assert "new01" not in kvm.named("machines")


def test_what_making_and_deleting_a_machine_costs(kvm: Recorded) -> None:
    order = new01(kvm)
    kvm.made("machines", order)  # from here on the services and the pool are known
    kvm.rewind()
    assert kvm.cost("POST", "machines", order) == [
        "EnumerateInstances", "EnumerateInstances", "Associators",  # the volume, among all
        "EnumerateInstances", "DefineSystem",  # the names that there were
        "GetInstance",  # the id of the new one
        *["GetInstance"] * 4,  # the answer
    ]  # fmt: skip
    assert kvm.cost("DELETE", kvm.named("machines")["new01"]["id"]) == [
        *["GetInstance"] * 5, "DestroySystem", "GetInstance",
    ]  # fmt: skip


def test_a_name_that_is_taken_is_a_conflict(kvm: Recorded) -> None:
    order = new01(kvm)
    made = kvm.made("machines", order)
    answer = kvm.refused("POST", "machines", order)
    assert "already exists" in answer["statusMessage"]
    assert kvm.get(made["id"])["name"] == "new01"  # it is another's, and stays


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"disks": [{"capacity": 1000}]}, "made without disks"),
        ({"memory": None}, "needs memory"),
    ],
)
def test_what_the_provider_cannot_make_is_refused(
    kvm: Recorded, config: dict[str, Any], words: str
) -> None:
    order = new01(kvm)
    said = {**order["machineTemplate"]["machineConfig"], **config}
    order["machineTemplate"]["machineConfig"] = {n: v for n, v in said.items() if v is not None}
    answer = kvm.refused("POST", "machines", order)
    assert words in answer["statusMessage"]
    assert kvm.calls() == []


def test_processors_and_memory_are_written_back(kvm: Recorded) -> None:
    assert kvm.cost("PUT", f"{TEST03}?$select=cpu", {"cpu": 2}).count("ModifyResourceSettings") == 1
    assert kvm.get(TEST03)["cpu"] == 2
    kvm.done("PUT", f"{TEST03}?$select=memory", {"memory": 98304})
    assert kvm.get(TEST03)["memory"] == 98304


@pytest.mark.parametrize(
    ("change", "words", "calls"),
    [
        ({"memory": 65536}, "refuses this in the present state", ["ModifyResourceSettings"]),
        ({"cpu": 2}, "while the Machine is STOPPED", []),
    ],
)
def test_a_running_machine_refuses_a_change(
    kvm: Recorded, change: dict[str, int], words: str, calls: list[str]
) -> None:
    [name] = change
    before = kvm.get(WEB01)[name]
    answer = kvm.refused("PUT", f"{WEB01}?$select={name}", change)
    assert words in answer["statusMessage"]
    assert kvm.calls() == calls
    assert kvm.get(WEB01)[name] == before


def test_a_machine_is_suspended_and_comes_back(kvm: Recorded) -> None:
    kvm.done("POST", f"{WEB01}/suspend", action("suspend"))
    suspended = kvm.get(WEB01)
    assert suspended["state"] == "SUSPENDED"
    offered = {
        each["rel"].rpartition("/")[2]: each.get("available", True)
        for each in suspended["operations"]
    }
    assert offered == {"edit": True, "start": True, "delete": False, "connectvolume": False}
    in_1x = kvm.get(f"/cimi/1/{WEB01}")["operations"]
    assert {each["rel"].rpartition("/")[2] for each in in_1x} == {"edit", "start"}
    kvm.refused("DELETE", WEB01)
    kvm.done("POST", f"{WEB01}/start", action("start"))
    assert kvm.get(WEB01)["state"] == "STARTED"
    assert kvm.calls() == ["CreateSnapshot", "ApplySnapshot"]


def test_a_volume_is_connected_to_a_stopped_machine_and_taken_away(kvm: Recorded) -> None:
    volume = volume_of(kvm, "extra.img")
    order = {"volume": {"href": volume}, "initialLocation": "hdb"}
    made = kvm.made(f"{TEST03}/volumes", order)
    assert made["id"].endswith("/volumes/hdb")
    answer = kvm.refused("POST", f"{TEST03}/volumes", order)
    assert "duplicated" in answer["statusMessage"]
    kvm.refused("DELETE", volume)
    kvm.done("DELETE", made["id"])
    assert kvm.ask("GET", made["id"]).status_code == 404
    assert kvm.calls() == ["AddResourceSettings", "AddResourceSettings", "RemoveResourceSettings"]


def test_a_disk_that_a_running_guest_keeps_is_not_called_removed(kvm: Recorded) -> None:
    """The provider answers 0 after five seconds, and the disk is still there (quirk 11)."""
    order = {"volume": {"href": volume_of(kvm, "extra.img")}, "initialLocation": "vdc"}
    made = kvm.made(f"{WEB01}/volumes", order)
    job = kvm.job(kvm.ask("DELETE", made["id"]))
    assert job["state"] == "FAILED"
    assert "still there" in job["statusMessage"]
    assert kvm.get(made["id"])["initialLocation"] == "vdc"


def test_a_card_is_added_to_a_stopped_machine_and_taken_away(kvm: Recorded) -> None:
    machine = f"/cimi/1/{TEST03}"
    network = f"{BASE}/cimi/1/networks/kvm.isolated"
    made = kvm.made(f"{machine}/networkInterfaces", {"network": {"href": network}})
    assert made["macAddress"] == "52:54:00:aa:bb:20"
    assert made["network"]["href"] == network
    kvm.done("DELETE", made["id"])
    assert kvm.calls() == ["AddResourceSettings", "RemoveResourceSettings"]
    kvm.refused("POST", f"/cimi/1/{WEB01}/networkInterfaces", {"network": {"href": network}})


def test_a_volume_is_made_in_the_pool_with_room_and_deleted(kvm: Recorded) -> None:
    order = {"name": "vol9.img", "volumeTemplate": {"volumeConfig": {"capacity": 8388}}}
    made = kvm.made("volumes", order)
    assert (made["name"], made["capacity"], made["state"]) == ("vol9.img", 8388, "AVAILABLE")
    kvm.done("DELETE", made["id"])
    assert kvm.ask("GET", made["id"]).status_code == 404
    assert kvm.calls() == ["CreateResourceInPool", "DeleteResourceInPool"]


@pytest.mark.parametrize("name", ["web01.qcow2", "blank.iso"])
def test_a_volume_that_a_machine_uses_is_not_deleted(kvm: Recorded, name: str) -> None:
    """The provider would delete the file under the running domain."""
    answer = kvm.refused("DELETE", volume_of(kvm, name))
    assert "in use" in answer["statusMessage"]
    assert kvm.calls() == []


def test_a_network_is_deleted_unless_cards_are_on_it(kvm: Recorded) -> None:
    settings = pywbem.CIMInstance(
        "KVM_NetPoolResourceAllocationSettingData",
        {
            "ResourceType": pywbem.Uint16(10), "Address": "10.88.0.1",
            "Netmask": "255.255.255.0", "IPRangeStart": "10.88.0.2",
            "IPRangeEnd": "10.88.0.254", "ForwardMode": pywbem.Uint16(0),
            "PoolID": "NetworkPool/net9",
        },
    )  # fmt: skip
    with pywbem.WBEMConnection(kvm.url, default_namespace="root/virt") as stock:
        [service] = stock.EnumerateInstanceNames("KVM_ResourcePoolConfigurationService")
        sent = [settings.tocimxmlstr() if kvm.server == "sfcb" else settings]
        stock.InvokeMethod("CreateChildResourcePool", service, ElementName="net9", Settings=sent)
    assert {"net9", "default", "isolated"} == set(kvm.named("networks"))
    kvm.heard.forget()
    kvm.refused("DELETE", "networks/kvm.default")
    kvm.done("DELETE", "networks/kvm.net9")
    assert kvm.calls() == ["DeleteResourcePool"]


def test_what_is_not_recorded_is_not_offered(kvm: Recorded) -> None:
    """Snapshots (one unnamed image is no MachineImage), Disks, Networks of no address."""
    offered = {each["rel"].rpartition("/")[2] for each in kvm.get(WEB01)["operations"]}
    assert offered == {"edit", "delete", "stop", "restart", "pause", "suspend", "connectvolume"}
    assert kvm.ask("POST", "networks", {"name": "n", "networkTemplate": {}}).status_code in (
        400, 404, 405,
    )  # fmt: skip
    disk = kvm.ask("POST", f"{TEST03}/disks", {"capacity": 1000})
    assert disk.status_code in (400, 404, 405)
    assert kvm.calls() == []
