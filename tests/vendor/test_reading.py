"""One file of YAML serves a server that differs in everything: right values, constant cost."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

import cimi_cim
from cimi_cim.cli.main import commands
from cimi_cim.lab.front import WbemFront
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from tests.asked import class_of
from tests.vendor.conftest import MAPPING, Vendor
from tests.vendor.hypervisor import NAMESPACE, Hypervisor

STATES = {100: "STOPPED", 110: "STARTED", 115: "STARTING", 120: "PAUSED", 130: "STOPPING"}


def test_the_mapping_is_one_short_file_without_mistakes() -> None:
    assert len(MAPPING.read_text(encoding="utf-8").splitlines()) < 100
    result = CliRunner().invoke(commands, ["check", str(MAPPING)])
    assert result.exit_code == 0, result.output


def test_the_program_knows_nothing_of_the_vendor() -> None:
    for path in Path(cimi_cim.__file__).parent.rglob("*.py"):
        assert not re.search("acme", path.read_text(encoding="utf-8"), re.IGNORECASE), path


def test_machines_are_what_a_plain_client_reads(vendor: Vendor) -> None:
    served = {m["name"]: m for m in vendor.get("machines")["machines"]}
    configs = {config["VmNo"]: config for config in vendor.instances("ACME_VmConfig")}
    machines = vendor.instances("ACME_Vm")
    assert served.keys() == {vm["Caption"] for vm in machines}
    for vm in machines:
        machine, config = served[vm["Caption"]], configs[vm["VmNo"]]
        assert UUID(machine["id"].rpartition("/")[2]) == UUID(vm["Guid"])
        is_faulty = vm["Flags"] & 4
        assert machine["state"] == ("ERROR" if is_faulty else STATES.get(vm["RunState"], "ERROR"))
        assert machine["cpu"] == config["Cpus"]
        assert machine["memory"] == config["MemoryPages"] * 4
        assert machine["created"].startswith("2025-11-24T03:")


def test_one_machine_is_as_it_is_in_the_list(vendor: Vendor) -> None:
    for machine in vendor.get("machines")["machines"]:
        assert vendor.get(machine["id"]) == machine


def test_disks_are_reached_though_their_association_is_not_enumerated(vendor: Vendor) -> None:
    seen = 0
    for vm in vendor.instances("ACME_Vm"):
        disks = {
            str(disk["DiskNo"]): disk
            for disk in vendor.lab.Associators(vm.path, AssocClass="ACME_VmHasDisk")
        }
        machine = vendor.get(f"machines/{UUID(vm['Guid'])}")
        served = {
            disk["id"].rpartition("/")[2]: disk
            for disk in vendor.get(machine["disks"]["href"]).get("disks", [])
        }
        assert served.keys() == disks.keys()
        for key, disk in served.items():
            assert disk["capacity"] == int(disks[key]["SizeMB"]) * 1000
            assert disk["initialLocation"] == disks[key]["Bay"]
            seen += 1
    assert seen == 7


def test_interfaces_lead_to_their_machine_and_network_by_uris(vendor: Vendor) -> None:
    cards = vendor.instances("ACME_VNic")
    seen = 0
    for vm in vendor.instances("ACME_Vm"):
        mine = {str(c["NicNo"]): c for c in cards if f'"{vm["Name"]}"' in c["Owner"]}
        machine = f"machines/{UUID(vm['Guid'])}"
        served = {
            nic["id"].rpartition("/")[2]: nic
            for nic in vendor.get(f"{machine}/interfaces")["networkInterfaces"]
        }
        assert served.keys() == mine.keys()
        for key, nic in served.items():
            assert nic["state"] == {"up": "ENABLED", "down": "DISABLED"}[mine[key]["Link"]]
            assert nic["speed"] == 10**9
            # 1.x shows the network and the address.
            old = vendor.get(f"/cimi/1/{machine}/networkInterfaces/{key}")
            assert old["macAddress"].replace(":", "").upper() == mine[key]["Mac"]
            number = mine[key]["Lan"].rpartition("=")[2]
            assert old["network"]["href"].endswith(f"/networks/acme.{number}")
            seen += 1
    assert seen == len(cards)


def test_networks_and_volumes_are_what_a_plain_client_reads(vendor: Vendor) -> None:
    networks = {n["id"].rpartition(".")[2]: n for n in vendor.get("networks")["networks"]}
    lans = {str(lan["LanNo"]): lan for lan in vendor.instances("ACME_Lan")}
    assert {key: (n["name"], n["state"]) for key, n in networks.items()} == {
        key: (lan["Title"], {"yes": "STARTED", "no": "STOPPED"}[lan["Up"]])
        for key, lan in lans.items()
    }
    volumes = {v["id"].rpartition("/")[2]: v for v in vendor.get("volumes")["volumes"]}
    for lun in vendor.instances("ACME_Lun"):
        volume = volumes[lun["Wwn"].lower()]
        assert volume["name"] == lun["Title"]
        assert volume["state"] == ("AVAILABLE" if lun["Health"] == 1000 else "ERROR")
        assert volume["capacity"] == int(lun["SizeMB"]) * 1000


def test_machines_are_found_by_filter_and_order(vendor: Vendor) -> None:
    found = vendor.get("machines?$filter=state='PAUSED'&$orderby=name&$select=name,state")
    paused = [vm["Caption"] for vm in vendor.instances("ACME_Vm")
              if vm["RunState"] == 120 and not vm["Flags"] & 4]  # fmt: skip
    assert [m["name"] for m in found["machines"]] == sorted(paused)


def _cost(machines: int) -> dict[str, Counter[str]]:
    """What each read costs in operations, with so many machines on the server."""
    with ExitStack() as stack:
        front = stack.enter_context(WbemFront(Hypervisor(machines).backend))
        client = WbemClient(ConnectionSettings(front.url), load_dialect("generic"))
        gateway = TracingGateway(client, "acme")
        engine = Engine([Target("acme", gateway, load_mapping(str(MAPPING), load_model()))])
        stack.callback(engine.close)
        costs: dict[str, Counter[str]] = {}

        def measured(name: str, read: Any, type_name: str, *steps: tuple[str, str | None]) -> Any:
            with traced(Trace()) as trace:
                found = read(Location(type_name, steps), None, Deadline.after(60))
            costs[name] = Counter(f"{o.name} {class_of(o)}" for o in trace.operations)
            return found

        many = engine.read_collection
        found = measured("machines", many, "Machine", ("machines", None))
        assert len(found.items) == machines
        token = found.items[0].path.rpartition("/")[2]
        measured("machine", engine.read, "Machine", ("machines", token))
        disks = (("machines", token), ("disks", None))
        assert measured("disks", many, "Disk", *disks).items
        cards = (("machines", token), ("interfaces", None))
        assert measured("interfaces", many, "NetworkInterface", *cards).items
        measured("networks", many, "Network", ("networks", None))
        measured("volumes", many, "Volume", ("volumes", None))
        return costs


def test_the_cost_does_not_follow_the_number_of_machines() -> None:
    one, many = _cost(1), _cost(40)
    assert one == {
        "machines": {"EnumerateInstances ACME_Vm": 1, "EnumerateInstances ACME_VmConfig": 1},
        "machine": {"GetInstance ACME_Vm": 1, "EnumerateInstances ACME_VmConfig": 1},
        "disks": {"GetInstance ACME_Vm": 1, "Associators ACME_VmHasDisk": 1},
        "interfaces": {
            "GetInstance ACME_Vm": 1, "EnumerateInstances ACME_VNic": 1,
            "GetInstance acme_lan": 2,  # as the URIs spell it
        },
        "networks": {"EnumerateInstances ACME_Lan": 1},
        "volumes": {"EnumerateInstances ACME_Lun": 1},
    }  # fmt: skip
    assert many == one


@pytest.mark.parametrize("classname", ["ACME_VNic", "ACME_Lan"])
def test_the_server_spells_names_otherwise_than_declared(vendor: Vendor, classname: str) -> None:
    assert {i.classname for i in vendor.instances(classname)} == {classname.upper()}
    assert vendor.lab.default_namespace == NAMESPACE
