"""A session with a server becomes a tape, method calls and all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pywbem

from cimi_cim.credentials import Secret
from cimi_cim.lab.front import Account, WbemFront
from cimi_cim.lab.replay import ReplayBackend, replay_server
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.tape.files import read_tape
from tests.lab.test_record import cloud
from tests.processes import started
from tests.tapes import tape_folder

NS = "root/virt"


@pytest.fixture
def lab() -> Iterator[WbemFront]:
    account = Account("reader", Secret("right"))
    with lab_server(Simulation(3, pace=0), account=account) as front:
        yield front


def session(url: str) -> list[object]:
    """What a stock client does, and what it sees."""
    seen: list[object] = []
    connection = pywbem.WBEMConnection(url, ("reader", "right"), default_namespace=NS)
    with closing(connection) as stock:
        systems = stock.EnumerateInstances(
            "CIM_ComputerSystem", PropertyList=["Name", "EnabledState"]
        )
        seen.append({i["Name"]: (i["EnabledState"], len(i.properties)) for i in systems})
        pulled = stock.OpenEnumerateInstances("CIM_StorageVolume", MaxObjectCount=2)
        volumes = list(pulled.instances)
        while not pulled.eos:
            pulled = stock.PullInstancesWithPath(pulled.context, MaxObjectCount=2)
            volumes += pulled.instances
        seen.append(sorted(volume["DeviceID"] for volume in volumes))
        [off] = [i.path for i in systems if i["EnabledState"] == 3 and "vm" in i["Name"]][:1]
        settings = stock.Associators(off, AssocClass="CIM_SettingsDefineState")
        seen.append([setting["InstanceID"] for setting in settings])
        returned, _ = stock.InvokeMethod("RequestStateChange", off, RequestedState=pywbem.Uint16(2))
        seen.append((returned, stock.GetInstance(off)["EnabledState"]))
        with pytest.raises(pywbem.CIMError) as caught:
            stock.EnumerateInstances("X_Nothing")
        seen.append((caught.value.status_code, caught.value.status_description))
        seen.append(stock.GetClass("CIM_StorageVolume", LocalOnly=False).superclass)
    return seen


def test_a_session_is_passed_on_and_can_be_had_again(lab: WbemFront, tmp_path: Path) -> None:
    folder, password = tmp_path / "tape", tmp_path / "password"
    password.write_text("right")
    login = ("--user", "reader", "--password-file", str(password))
    with started(tmp_path, "record", "--through", lab.url, str(folder), *login) as program:
        seen = session(program.urls["wbem"])
        program.process.terminate()
        said, _ = program.process.communicate(timeout=60)
    assert program.process.returncode == 0, said
    assert "operations, " in said
    assert seen[3] == (0, 2)
    tape = read_tape(folder)
    assert [outcome.method for outcome in tape.outcomes] == ["RequestStateChange"]
    assert "right" not in "".join(file.read_text() for file in folder.iterdir())
    with replay_server(folder) as front:
        assert session(front.url) == seen


def test_who_may_not_enter_does_not_enter_through_a_recording(
    lab: WbemFront, tmp_path: Path
) -> None:
    with started(tmp_path, "record", "--through", lab.url, str(tmp_path / "tape")) as program:
        connection = pywbem.WBEMConnection(
            program.urls["wbem"], ("reader", "wrong"), default_namespace=NS
        )
        with closing(connection) as stock, pytest.raises(pywbem.AuthError):
            stock.EnumerateInstances("CIM_ComputerSystem")
        program.process.terminate()
        program.process.communicate(timeout=60)


def test_a_bridge_can_be_recorded_at_work(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    with replay_server(tape_folder("sfcb")) as front:
        arguments = ("record", "--through", front.url, str(folder))
        with started(tmp_path, *arguments) as program:
            with cloud(program.urls["wbem"], "libvirt-cim") as client:
                expected = client.simulate_get("/cimi/2/machines").text
            program.process.terminate()
            said, _ = program.process.communicate(timeout=60)
    assert program.process.returncode == 0, said
    assert "web01" in expected
    with (
        WbemFront(ReplayBackend(read_tape(folder))) as front,
        cloud(front.url, "libvirt-cim") as client,
    ):
        assert client.simulate_get("/cimi/2/machines").text == expected


def test_a_server_that_dies_leaves_what_was_said(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    front = WbemFront(Simulation(1))
    front.start()
    with started(tmp_path, "record", "--through", front.url, str(folder)) as program:
        connection = pywbem.WBEMConnection(program.urls["wbem"], default_namespace=NS)
        with closing(connection) as stock:
            stock.EnumerateInstanceNames("CIM_ComputerSystem")
            front.stop()
            with pytest.raises(pywbem.ConnectionError):
                stock.EnumerateInstanceNames("CIM_ComputerSystem")
        program.process.terminate()
        said, _ = program.process.communicate(timeout=60)
    assert program.process.returncode == 0, said
    assert "the tape lacks declarations and quirks" in said
    assert len(read_tape(folder).answers) == 1


def test_a_port_that_is_taken_is_told(lab: WbemFront, tmp_path: Path) -> None:
    port = lab.url.rpartition(":")[2]
    arguments = ["record", "--through", lab.url, str(tmp_path / "tape"), "--port", port]
    done = subprocess.run(
        [sys.executable, "-m", "cimi_cim", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"cimi-cim: cannot listen on port {port}: Address already in use; say another with --port\n"
    )
