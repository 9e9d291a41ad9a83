"""A server that cannot be used is told at the start, to whom can do something about it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.credentials import Secret
from cimi_cim.lab.front import Account
from cimi_cim.lab.replay import replay_server
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from tests.processes import LIMIT_S, started
from tests.tapes import tape_folder


class _Page(BaseHTTPRequestHandler):
    """What a web server makes of a WBEM request."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<html><body>It works!</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is its own."""


@contextmanager
def web_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    worker = threading.Thread(target=server.serve_forever)
    worker.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    worker.join()


@contextmanager
def nobody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def closed_lab() -> Iterator[str]:
    with lab_server(Simulation(1), account=Account("me", Secret("right"))) as front:
        yield front.url


@contextmanager
def sfcb() -> Iterator[str]:
    with replay_server(tape_folder("sfcb")) as front:
        yield front.url


@contextmanager
def other_vendor() -> Iterator[str]:
    with lab_server(Simulation(1)) as front:
        yield front.url


ACCOUNT = {"user": "me", "password": "wrong"}


@pytest.mark.parametrize(
    ("server", "target", "said"),
    [
        (nobody, {}, "cannot be reached; check the target's host and port"),
        (closed_lab, ACCOUNT, "refuses the target's user or password; check `user` and"),
        (closed_lab, {}, "wants a user and a password; say `user` and `password_file`"),
        (web_server, {}, "is no WBEM server: it answers in text/html; check host, port"),
        (other_vendor, {"mapping": "libvirt-cim"}, "check the target's `mapping`"),
    ],
)
def test_what_is_wrong_with_a_server_is_told_at_the_start(
    tmp_path: Path, server: Any, target: dict[str, str], said: str
) -> None:
    with server() as url:
        file = tmp_path / "bridge.yaml"
        file.write_text(json.dumps({"targets": [{"alias": "far", "url": url, **target}]}))
        with started(tmp_path, "serve", "--config", str(file)) as program:
            assert program.process.stdout is not None
            silence = threading.Timer(LIMIT_S, program.process.kill)
            silence.start()
            for line in program.process.stdout:
                if line.startswith("cimi-cim: target far"):
                    break
            silence.cancel()
            program.process.send_signal(signal.SIGTERM)
            assert program.process.wait(LIMIT_S) == 0
    assert line.startswith(f"cimi-cim: target far ({url}): ")
    assert said in line
    assert "wrong" not in line


def test_a_server_that_can_be_used_is_no_news(tmp_path: Path) -> None:
    with sfcb() as url:
        target = {"alias": "kvm", "url": url, "mapping": "libvirt-cim", "server": "sfcb"}
        file = tmp_path / "bridge.yaml"
        file.write_text(json.dumps({"targets": [target], "store": "sqlite:///s.db"}))
        with started(tmp_path, "serve", "--config", str(file)) as program:
            program.process.send_signal(signal.SIGTERM)
            assert "cimi-cim:" not in program.process.communicate(timeout=LIMIT_S)[0]


def test_all_targets_that_cannot_be_opened_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("language: 1\nname: mine\nextends: base\nresorces: {}\n")
    targets = [
        {"alias": "a", "url": "http://h", "mapping": "bas", "server": "sfbc"},
        {"alias": "b", "url": "http://h", "mapping": "mine.yaml"},
        {"alias": "c", "url": "http://h", "settings": {"vstyp": "x"}},
    ]
    file = tmp_path / "bridge.yaml"
    file.write_text(json.dumps({"targets": targets}))
    command = [sys.executable, "-m", "cimi_cim", "serve", "--config", str(file), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("cimi-cim: target a: no mapping is called 'bas'; did you mean 'base")
    assert lines[1].startswith("cimi-cim: target a: no server dialect is called 'sfbc'; did you")
    assert lines[2].endswith("mine.yaml:4:1: unknown key 'resorces'; did you mean 'resources'?")
    assert lines[3].startswith("cimi-cim: target c: the mapping base has no setting 'vstyp'")
