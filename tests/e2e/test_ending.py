"""How serving begins and ends: real processes, real signals, a WBEM server that waits."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cimi_cim.__main__ import main as entry
from cimi_cim.cli.main import main
from cimi_cim.cli.serving import ReadyFile
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from tests.processes import LIMIT_S, Running, started
from tests.tapes import tape_folder


class Interrupting:
    """Ctrl-C while the commands are being loaded."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "cimi_cim.cli.main":
            raise KeyboardInterrupt


def test_ctrl_c_while_a_command_is_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cimi_cim.cli.main")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        entry()
    assert ended.value.code == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cimi_cim", "check", "--schema"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S,
        )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cimi-cim: No space left on device" in done.stderr


class Holding:
    """The simulated platform, whose replies on machines wait until the test lets them go."""

    def __init__(self) -> None:
        self._platform = Simulation(2)
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        if call.parameters.get("ClassName") == "CIM_ComputerSystem":
            self.asked.set()
            assert self.may_answer.wait(LIMIT_S)
        return self._platform.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        return self._platform.method(call)


@pytest.fixture
def holding() -> Iterator[tuple[Holding, WbemFront]]:
    backend = Holding()
    with WbemFront(backend) as front:
        yield backend, front
        backend.may_answer.set()


@pytest.fixture
def bridge(tmp_path: Path, holding: tuple[Holding, WbemFront]) -> Iterator[Running]:
    file = tmp_path / "bridge.yaml"
    target = {"alias": "lab", "url": holding[1].url}
    file.write_text(json.dumps({"targets": [target], "http": {"drain_s": 20}}))
    with started(tmp_path, "serve", "--config", str(file)) as program:
        yield program


def get(program: Running, path: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(urlsplit(program.urls["cimi2"]).netloc, timeout=LIMIT_S)
    connection.request("GET", path)
    reply = connection.getresponse()
    found = reply.status, reply.getheader("Connection"), reply.read()
    connection.close()
    return found


def until_refused(program: Running) -> None:
    where = urlsplit(program.urls["cimi2"])
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        try:
            socket.create_connection((where.hostname, where.port), LIMIT_S).close()
        except ConnectionResetError:  # it came while the listening socket closed
            continue
        except ConnectionRefusedError:
            return
    raise AssertionError("connections are still accepted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_whole_before_the_end(
    bridge: Running, holding: tuple[Holding, WbemFront], number: signal.Signals
) -> None:
    backend, _ = holding
    with ThreadPoolExecutor(1) as pool:
        reply: Future[tuple[int, str | None, bytes]] = pool.submit(get, bridge, "/cimi/2/machines")
        assert backend.asked.wait(LIMIT_S)
        bridge.process.send_signal(number)
        until_refused(bridge)
        assert not bridge.ready_file.exists()
        assert bridge.process.poll() is None
        backend.may_answer.set()
        status, connection, body = reply.result(LIMIT_S)
    assert (status, connection) == (200, "close")
    assert json.loads(body)["count"] == 2
    assert bridge.process.wait(LIMIT_S) == 0


def test_a_request_that_has_only_begun_to_arrive_is_answered(
    bridge: Running, holding: tuple[Holding, WbemFront]
) -> None:
    where = urlsplit(bridge.urls["cimi2"])
    with (
        socket.create_connection((where.hostname, where.port), LIMIT_S) as idle,
        socket.create_connection((where.hostname, where.port), LIMIT_S) as begun,
    ):
        begun.sendall(b"GET /cimi/2 HTTP/1.1\r\n")
        assert get(bridge, "/cimi/2")[0] == 200  # so the line before has arrived, too
        bridge.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""  # an idle connection holds nothing up
        begun.sendall(b"Host: localhost\r\n\r\n")
        reply = http.client.HTTPResponse(begun)
        reply.begin()
        assert (reply.status, reply.getheader("Connection")) == (200, "close")
        assert json.loads(reply.read())["resourceURI"].endswith("/CloudEntryPoint")
    assert bridge.process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(
    bridge: Running, holding: tuple[Holding, WbemFront], number: signal.Signals
) -> None:
    backend, _ = holding
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(get, bridge, "/cimi/2/machines")
        assert backend.asked.wait(LIMIT_S)
        bridge.process.send_signal(signal.SIGTERM)
        until_refused(bridge)
        limit = time.monotonic() + LIMIT_S
        while bridge.process.poll() is None and time.monotonic() < limit:
            bridge.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                bridge.process.wait(0.1)
        assert bridge.process.returncode == 128 + number
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            reply.result(LIMIT_S)
    assert not bridge.ready_file.exists()


def test_signals_that_come_together_cut_nothing(
    bridge: Running, holding: tuple[Holding, WbemFront]
) -> None:
    """As `timeout`, make and a terminal send them: to the group, and to each process in it."""
    backend, _ = holding
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(get, bridge, "/cimi/2/machines")
        assert backend.asked.wait(LIMIT_S)
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            bridge.process.send_signal(number)
        until_refused(bridge)
        backend.may_answer.set()
        assert reply.result(LIMIT_S)[0] == 200
    assert bridge.process.wait(LIMIT_S) == 0


def test_the_wait_for_requests_in_flight_is_bounded(
    tmp_path: Path, holding: tuple[Holding, WbemFront]
) -> None:
    backend, front = holding
    file = tmp_path / "bridge.yaml"
    file.write_text(json.dumps({"targets": [{"alias": "lab", "url": front.url}]}))
    environment = {**os.environ, "CIMI_CIM_HTTP_DRAIN_S": "0.1"}
    with (
        started(tmp_path, "serve", "--config", str(file), environment=environment) as program,
        ThreadPoolExecutor(1) as pool,
    ):
        reply = pool.submit(get, program, "/cimi/2/machines")
        assert backend.asked.wait(LIMIT_S)
        program.process.send_signal(signal.SIGTERM)
        said = program.process.communicate(timeout=LIMIT_S)[0]
        assert program.process.returncode == 0
        assert "cut what was not answered within 0.1 s" in said
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            reply.result(LIMIT_S)


@pytest.fixture
def fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs a command that must fail, and returns the one line it says."""
    (tmp_path / "typo.yaml").write_text("targets: [{alias: a, url: 'http://h', mapping: bse}]")
    (tmp_path / "port.yaml").write_text("http: {port: many}")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cimi-cim", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code, said.out, said.err.count("\n")) == (2, "", 1), said
        assert said.err.startswith("cimi-cim: ")
        return said.err.removeprefix("cimi-cim: ").strip()

    return run


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("serve --config typo.yaml", "did you mean 'base'"),
        ("serve --config port.yaml", "port.yaml:1:14: port: must be a whole number"),
        ("serve --ready-file no/ready", "create it first"),
        ("serve --ready-file .", "cannot be written"),
        ("lab --ready-file no/ready", "create it first"),
        ("serve --prot 1", "serve --help"),
        ("serve --port 70000", "--port"),
        ("serve --port x", "--port"),
        ("lab --port 70000", "--port"),
        ("serve --host 0.0.0.0", "loopback"),
        ("serve --host example.org", "loopback"),
        ("replay nothing", "nothing: "),
        ("check", "FILES"),
        ("bogus", "cimi-cim --help"),
    ],
)
def test_what_prevents_the_start_is_one_line_that_says_what_to_do(
    fails: Callable[..., str], arguments: str, wrong: str
) -> None:
    assert wrong in fails(*arguments.split())


def test_variables_that_prevent_the_start_are_told(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIMI_CIM_HTTP_PROT", "1")
    assert "did you mean 'CIMI_CIM_HTTP_PORT'" in fails("serve")
    monkeypatch.delenv("CIMI_CIM_HTTP_PROT")
    monkeypatch.setenv("CIMI_CIM_CONFIG", "port.yaml")
    assert "port.yaml:1:14" in fails("serve")


@pytest.mark.parametrize("command", ["serve", "lab", f"replay {tape_folder('pegasus')}"])
def test_a_port_that_is_taken_is_told(fails: Callable[..., str], command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        said = fails(*command.split(), "--port", taken)
    assert taken in said
    assert "with --port" in said


def test_a_file_of_another_process_is_left_alone(tmp_path: Path) -> None:
    """A process that starts while its forerunner still ends writes the same file."""
    path = tmp_path / "ready"
    ready = ReadyFile(path)
    ready.write({})
    later = json.dumps({"pid": 1})
    path.write_text(later)
    ready.remove()
    assert path.read_text() == later
    ReadyFile(path)
    assert not path.exists()


def test_a_configured_target_without_a_store_gets_a_warning(bridge: Running) -> None:
    bridge.process.send_signal(signal.SIGTERM)
    said = bridge.process.communicate(timeout=LIMIT_S)[0]
    assert "no `store:` is configured" in said
