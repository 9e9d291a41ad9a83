"""Where no WBEM server can be probed: one line that says what to do, and exit code 2."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cimi_cim.credentials import Secret
from cimi_cim.lab.front import Account, Certificate, WbemFront
from cimi_cim.lab.replay import ReplayBackend, load_recording
from tests.probe.running import Ran, Shell
from tests.tapes import tape_folder


class Web(BaseHTTPRequestHandler):
    """Some web server: a page for everybody, nothing elsewhere."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b"<html><body>It works</body></html>"
        self.send_response(404 if "lost" in self.path else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def backend() -> ReplayBackend:
    return ReplayBackend(load_recording(tape_folder("sfcb")))


def one_line(ran: Ran, *words: str) -> None:
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("cimi-cim: ")
    assert len(ran.err.splitlines()) == 1
    for word in words:
        assert word in ran.err


def test_where_nobody_listens(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    one_line(shell.run("probe", f"http://127.0.0.1:{port}"), "cannot be reached")


@pytest.mark.parametrize("path", ["", "/lost"])
def test_where_something_else_listens(web: str, path: str, shell: Shell) -> None:
    one_line(shell.run("probe", web + path), "no WBEM server")


def test_a_server_that_hangs_costs_the_timeout(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        one_line(
            shell.run("probe", url, "--timeout", "0.2"),
            "did not answer in time; try again, or raise --timeout",
        )


def test_an_account_that_is_missing_or_wrong(
    tmp_path: Path, backend: ReplayBackend, shell: Shell
) -> None:
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("guess-it\n")
    right.write_text("open-sesame\n")
    account = Account("ali", Secret("open-sesame"))
    with WbemFront(backend, account=account) as front:
        one_line(shell.run("probe", front.url), "wants a user and a password")
        refused = shell.run("probe", front.url, "--user", "ali", "--password-file", str(wrong))
        one_line(refused, "refuses the user or password; check --user and --password-file")
        assert "guess-it" not in refused.err
        ran = shell.run(
            "probe", front.url, "--user", "ali", "--password-file", str(right), "--json"
        )
    assert (ran.code, ran.json["mapping"]) == (0, "libvirt-cim")
    assert "open-sesame" not in ran.out


def test_a_namespace_that_is_not_there_writes_nothing(
    tmp_path: Path, backend: ReplayBackend, shell: Shell
) -> None:
    with WbemFront(backend) as front:
        folder = tmp_path / "house"
        ran = shell.run("probe", front.url, "--namespace", "root/vurt", "--out", str(folder))
    one_line(ran, "--namespace root/vurt: the WBEM server has no such namespace", "root/virt")
    assert not folder.exists()


def test_a_certificate_that_nobody_vouches_for(
    certified: tuple[Certificate, Path], backend: ReplayBackend, shell: Shell
) -> None:
    certificate, trusted = certified
    with WbemFront(backend, certificate=certificate) as front:
        one_line(shell.run("probe", front.url), "TLS", "--ca")
        ran = shell.run("probe", front.url, "--ca", str(trusted), "--json")
        assert ran.json["mapping"] == "libvirt-cim"
        plain = front.url.replace("https", "http")
        assert shell.run("probe", plain).code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://server"], ("URL", "http://wbem.example:5988")),
        (["http://server", "--password-file", "x"], ("--password-file", "a password wants a user")),
        (["http://server", "--ca", "none.pem"], ("--ca", "no such file")),
        (["http://server", "--user", "me", "--password-file", "none"], ("--password-file", "none")),
        (["http://server", "--alias", "My Server"], ("--alias", "lower-case")),
        (["http://server", "--timeout", "nan"], ("--timeout", "x<=3600")),
        (["http://server", "--timeout", "inf"], ("--timeout", "x<=3600")),
    ],
)
def test_flags_that_cannot_be_right(
    arguments: list[str], words: tuple[str, ...], shell: Shell
) -> None:
    one_line(shell.run("probe", *arguments), *words)
