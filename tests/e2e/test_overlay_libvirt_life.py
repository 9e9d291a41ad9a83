"""libvirt-cim's machines through their whole life, on a provider that is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cimi_cim.config import TargetConfig
from cimi_cim.lab.front import WbemFront
from tests.clouds import BridgeClient, Heard, action
from tests.kvm import HOME, Domain, Kvm


class Host(BridgeClient):
    """A client of a bridge over the simulated provider; `heard` is what that one was asked."""

    def __init__(self, stack: ExitStack) -> None:
        self.heard = Heard(Kvm())
        front = stack.enter_context(WbemFront(self.heard))
        super().__init__(
            stack, TargetConfig("kvm", front.url, mapping="libvirt-cim", server="sfcb")
        )  # fmt: skip

    @property
    def kvm(self) -> Kvm:
        assert isinstance(self.heard.inner, Kvm)
        return self.heard.inner

    def renew(self) -> None:
        """Have a provider of which nothing has been asked yet."""
        self.heard.inner = Kvm()
        self.heard.forget()

    def calls(self) -> list[str]:
        return [call.method for call in self.heard.calls]

    def act(self, machine: str, name: str, **parameters: Any) -> str:
        self.done("POST", f"{machine}/{name}", action(name, **parameters))
        return str(self.get(machine)["state"])

    def machine(self, **values: Any) -> str:
        """The URI of a domain that is there."""
        domain = self.kvm.add(Domain(**values))
        return f"machines/{domain.uuid}"

    def volume(self, name: str) -> str:
        found = [v for v in self.get("volumes")["volumes"] if v["name"] == name]
        return str(found[0]["id"])


@pytest.fixture(scope="module")
def bridge() -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(stack)


@pytest.fixture
def host(bridge: Host) -> Host:
    bridge.renew()
    return bridge


def order(**template: Any) -> dict[str, Any]:
    return {"machineConfig": {"cpu": 2, "memory": 131072}, **template}


def test_a_machine_lives_from_its_template_to_its_end(host: Host) -> None:
    disk = {"volumeConfig": {"capacity": 20000}}
    template = order(
        volumeTemplates=[{"volumeTemplate": disk}], interfaceTemplates=[{"mtu": 1500}],
        initialState="STARTED",
    )  # fmt: skip
    made = host.made("machines", {"name": "shop", "machineTemplate": template})
    machine = made["id"]
    assert (made["name"], made["state"], made["cpu"], made["memory"]) == (
        "shop", "STARTED", 2, 131072,
    )  # fmt: skip
    [located] = host.get(f"{machine}/volumes")["locatedVolumes"]
    volume = host.get(located["volume"]["href"])
    assert (located["initialLocation"], volume["capacity"]) == ("vda", 20971)  # whole MiB
    actions = ("pause", "start", "restart", "suspend", "start", "pause", "stop", "start")
    states = [host.act(machine, name) for name in actions]
    states.append(host.act(machine, "stop", force=True))
    assert states == [
        "PAUSED", "STARTED", "STARTED", "SUSPENDED", "STARTED", "PAUSED", "STOPPED", "STARTED",
        "STOPPED",
    ]  # fmt: skip
    host.done("PUT", f"{machine}?$select=cpu,memory", {"cpu": 4, "memory": 262144})
    assert (host.kvm.domains["shop"].cpus, host.kvm.domains["shop"].kilobytes) == (4, 262144)
    host.refused("DELETE", volume["id"])
    host.done("DELETE", machine)
    host.done("DELETE", volume["id"])
    assert (host.kvm.domains, list(host.kvm.volumes)) == ({}, [f"{HOME}/base.img"])


@pytest.mark.parametrize("state", [2, 9])
def test_what_runs_or_pauses_is_deleted_all_the_same(host: Host, state: int) -> None:
    host.done("DELETE", host.machine(name="old", state=state))
    assert host.kvm.domains == {}


def test_a_suspended_machine_is_started_before_it_is_deleted(host: Host) -> None:
    machine = host.machine(name="asleep", state=6)
    refused = host.refused("DELETE", machine)
    assert "SUSPENDED" in refused["statusMessage"]
    assert host.calls() == []
    assert host.act(machine, "start") == "STARTED"
    host.done("DELETE", machine)


def test_a_restore_that_failed_is_a_failed_job(host: Host) -> None:
    """The provider's job ends in state 7, completed, with an error code (quirk 13)."""
    machine = host.machine(name="asleep", state=6)
    host.kvm.broken = True
    job = host.failed("POST", f"{machine}/start", action("start"))
    assert "Restore failed" in job["statusMessage"]
    assert host.get(machine)["state"] == "SUSPENDED"


def test_volumes_go_where_there_is_room_and_are_seen_to_be_gone(host: Host) -> None:
    machine = host.machine(name="db", disks={"vda": f"{HOME}/base.img"})
    new = {"name": "data", "volumeTemplate": {"volumeConfig": {"capacity": 1000}}}
    volume = host.made("volumes", new)["id"]
    located = host.made(f"{machine}/volumes", {"volume": {"href": volume}})
    assert located["initialLocation"] == "vdb"
    assert host.kvm.domains["db"].disks["vdb"] == f"{HOME}/data"
    host.kvm.deaf.add("db")
    host.act(machine, "start")
    job = host.job(host.ask("DELETE", located["id"]))
    assert (job["state"], "still there" in job["statusMessage"]) == ("FAILED", True)
    host.act(machine, "stop")
    host.done("DELETE", located["id"])
    assert list(host.kvm.domains["db"].disks) == ["vda"]


def test_a_disk_that_is_in_no_pool_is_no_volume(host: Host) -> None:
    machine = host.machine(name="raw", disks={"vda": "/dev/sdb", "vdb": f"{HOME}/base.img"})
    disk, _ = host.get(f"{machine}/disks")["disks"]
    assert (disk["name"], disk["capacity"], disk["initialLocation"]) == ("vda", 1073741, "vda")
    [located] = host.get(f"{machine}/volumes")["locatedVolumes"]
    assert located["volume"]["href"] == host.volume("base.img")
    host.done("DELETE", disk["id"])
    assert list(host.kvm.domains["raw"].disks) == ["vdb"]


def test_cards_name_their_network_whether_the_machine_runs_or_not(host: Host) -> None:
    machine = host.machine(name="net", cards={"52:54:00:aa:00:01": "isolated"})
    cards = f"/cimi/1/{machine}/networkInterfaces"

    def network() -> str:
        [card] = host.get(cards)["machineNetworkInterfaces"]
        return str(card["network"]["href"].rpartition("/")[2])

    assert network() == "kvm.isolated"
    host.act(machine, "start")
    assert network() == "kvm.isolated"
    host.refused("DELETE", "networks/kvm.isolated")
    host.done("DELETE", "networks/kvm.default")
    assert list(host.kvm.networks) == ["isolated"]


def test_a_lost_answer_is_found_out_by_what_is_new(host: Host) -> None:
    host.kvm.lost = {"DefineSystem", "CreateResourceInPool"}
    new = {"name": "kept", "volumeTemplate": {"volumeConfig": {"capacity": 1000}}}
    volume = host.made("volumes", new)
    assert volume["name"] == "kept"
    made = host.made("machines", {"name": "once", "machineTemplate": order()})
    assert made["name"] == "once"
    assert host.calls() == ["CreateResourceInPool", "DefineSystem"]


def test_a_size_that_the_provider_cannot_be_told_is_refused(host: Host) -> None:
    """Sizes go as 16 bits (quirk 22): what is cut off would be another size."""
    most = {"name": "most", "volumeTemplate": {"volumeConfig": {"capacity": 70_000_000_000}}}
    assert host.made("volumes", most)["capacity"] == 70_000_450_732
    huge = {"name": "huge", "volumeTemplate": {"volumeConfig": {"capacity": 80_000_000_000}}}
    host.refused("POST", "volumes", huge)
    assert sorted(host.kvm.volumes) == [f"{HOME}/base.img", f"{HOME}/most"]


def test_a_machine_without_a_name_is_called_by_its_job(host: Host) -> None:
    made = host.made("machines", {"machineTemplate": order()})
    [name] = host.kvm.domains
    assert made["name"] == name
    assert len(name) == 36
