"""`cimi-cim record` as its user runs it, well and wrongly."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cimi_cim.cli.option_words import in_words_of_the_command
from cimi_cim.cli.record import record_server
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply, Unanswered
from cimi_cim.lab.front import Account, WbemFront
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.tape.files import read_tape
from cimi_cim.wbem.transport import ConnectionSettings

COMMAND = [sys.executable, "-m", "cimi_cim", "record"]


@pytest.fixture(scope="module")
def lab() -> Iterator[str]:
    account = Account("reader", Secret("right"))
    with lab_server(Simulation(2), account=account) as front:
        yield front.url


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("right\n")
    return file


def record(
    *arguments: str | Path, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60,
        preexec_fn=before,
    )  # fmt: skip


def test_a_server_that_wants_a_login_is_recorded(lab: str, password: Path, tmp_path: Path) -> None:
    done = record(lab, tmp_path / "tape", "--user", "reader", "--password-file", password)
    assert done.returncode == 0, done.stderr
    assert "cimi-cim: Machine: " in done.stderr
    assert f"cimi-cim replay {tmp_path / 'tape'}" in done.stdout
    tape = read_tape(tmp_path / "tape")
    assert tape.header.namespaces == ("interop", "root/virt")
    assert "right" not in "".join(f.read_text() for f in (tmp_path / "tape").iterdir())


def test_what_is_said_wrong_is_one_line_and_leaves_nothing(lab: str, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").touch()
    folder = tmp_path / "tape"
    for arguments, said in (
        ((lab, taken), "is there already; say a folder that is new"),
        ((lab, folder), "wants a user and a password; say --user"),
        (("http://127.0.0.1:1", folder), "cannot be reached; check host and port of the URL"),
        (("no-tape", folder), "no-tape: neither the URL of a server"),
        ((lab, folder, "--timeout", "inf"), "x<=3600"),
        ((lab, folder, "--keep", "word"), "goes with --anonymise"),
        ((lab, folder, "--namespace", "imp=root/virt"), "--namespace imp=...: the mapping base"),
    ):
        done = record(*arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr.splitlines()[-1], done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert not folder.exists()
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]


def test_what_does_not_fit_the_server_is_told_in_words_of_the_command(lab: str) -> None:
    settings = ConnectionSettings(lab, "reader", Secret("right"))
    for mapping, namespaces, said in (
        ("libvirt-cim", {}, "check --mapping"),
        ("base", {"impl": "root/no"}, "check --namespace"),
    ):
        with pytest.raises(ConfigError, match=said), in_words_of_the_command():
            record_server(settings, mapping, namespaces)
    with pytest.raises(ConfigError, match="a WBEM server's URL is http://HOST"):
        record_server(ConnectionSettings("127.0.0.1"), "base")


def test_a_full_disk_is_told_and_leaves_nothing(lab: str, password: Path, tmp_path: Path) -> None:
    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    before = sorted(tmp_path.iterdir())
    done = record(
        lab, tmp_path / "tape", "--user", "reader", "--password-file", password,
        before=little_room,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the tape cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before


class Stalling:
    """The lab, that does not answer any more at some point; `is_reached` then."""

    def __init__(self) -> None:
        self._lab = Simulation(2)
        self._left = 5
        self.is_reached = threading.Event()

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        self._left -= 1
        if self._left < 0:
            self.is_reached.set()
            raise Unanswered(is_cut=False)
        return self._lab.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        raise AssertionError("a recording calls no method")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_recording_that_is_ended_leaves_nothing(tmp_path: Path, number: int) -> None:
    stalling = Stalling()
    with WbemFront(stalling) as front:
        running = subprocess.Popen([*COMMAND, front.url, str(tmp_path / "tape")])
        assert stalling.is_reached.wait(60)
        running.send_signal(number)
        assert running.wait(10) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with WbemFront(Stalling()) as front:
        done = record(front.url, tmp_path / "tape", "--timeout", "0.5")
    assert done.returncode == 2
    assert "did not answer in time; try again, or raise --timeout" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
