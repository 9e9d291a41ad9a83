"""The recorded servers over real HTTP: a stock client, our gateway, and the engine on top."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.credentials import Secret
from cimi_cim.errors import CimiCimError, ConfigError
from cimi_cim.lab.replay import replay_server
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.errors import (
    WbemAuthFailed,
    WbemBadReply,
    WbemFailed,
    WbemInvalidClass,
    WbemNotCimXml,
    WbemNotFound,
    WbemOutcomeUnknown,
    WbemTimeout,
    WbemUnreachable,
)
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.transport import ConnectionSettings
from cimi_cim.wbem.values import InstancePath
from tests.tapes import SERVERS, tape_folder

WEB01 = InstancePath(
    "root/virt",
    "KVM_ComputerSystem",
    (("CreationClassName", "KVM_ComputerSystem"), ("Name", "web01")),
)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with replay_server(tape_folder(request.param)) as front:
        yield front.url


@contextmanager
def client(url: str, password: str | None = None) -> Iterator[WbemClient]:
    secret = Secret(password) if password else None
    settings = ConnectionSettings(url, user="me" if password else None, password=secret)
    gateway = WbemClient(settings, load_dialect("generic"))
    try:
        yield gateway
    finally:
        gateway.close()


@contextmanager
def raw_server(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes requests one by one and answers each with the same bytes."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536))
                if answer:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_what_was_not_recorded_is_an_error_and_never_an_empty_answer(server: str) -> None:
    with client(server) as gateway:
        with pytest.raises(WbemFailed, match="not recorded"):
            gateway.enumerate_instances(
                "KVM_ElementSettingData", "root/virt", (), deadline=Deadline.after(5)
            )
        with pytest.raises(WbemInvalidClass):
            gateway.enumerate_instances("KVM_No", "root/virt", (), deadline=Deadline.after(5))
        gone = InstancePath("root/virt", "KVM_ComputerSystem", (("Name", "gone"),))
        with pytest.raises(WbemNotFound):
            gateway.get_instance(gone, (), deadline=Deadline.after(5))


def test_machines_of_a_recorded_server_come_out_over_http(server: str) -> None:
    with client(server) as gateway:
        engine = Engine([Target("kvm", gateway, load_mapping("libvirt-cim", load_model()))])

        def read(type_name: str, *steps: tuple[str, str | None]) -> list[dict[str, Any]]:
            location = Location(type_name, steps)
            items = engine.read_collection(location, None, Deadline.after(10)).items
            return [dict(item.values) | {"path": item.path} for item in items]

        found = {}
        for machine in read("Machine", ("machines", None)):
            token = machine["path"].rpartition("/")[2]
            found[machine["name"]] = (
                machine["state"],
                machine["cpu"],
                machine["memory"],
                len(read("locatedVolume", ("machines", token), ("volumes", None))),
                len(read("NetworkInterface", ("machines", token), ("interfaces", None))),
            )
        engine.close()
    assert found == {
        "web01": ("STARTED", 1, 131072, 3, 2),
        "db01": ("PAUSED", 2, 262144, 1, 1),
        "test03": ("STOPPED", 1, 65536, 1, 1),
    }


def test_many_callers_share_few_connections(server: str) -> None:
    with client(server) as gateway:
        names: list[object] = []

        def read() -> None:
            row = gateway.get_instance(WEB01, ("Name",), deadline=Deadline.after(10))
            names.append(row.get("Name"))

        threads = [threading.Thread(target=read) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert names == ["web01"] * 24


def read_from(url: str, password: str | None = None, seconds: float = 5) -> CimiCimError:
    with client(url, password) as gateway, pytest.raises(CimiCimError) as caught:
        gateway.enumerate_instances("X_Y", "root/virt", (), deadline=Deadline.after(seconds))
    return caught.value


def http(status: str, body: bytes, media: str = "application/xml") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def test_a_refused_connection_says_what_to_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = read_from(f"http://127.0.0.1:{port}")
    assert isinstance(error, WbemUnreachable)
    assert "check the target's host and port" in error.message
    assert str(port) not in error.message


def test_a_wrong_password_says_so_and_never_shows_it() -> None:
    with raw_server(http("401 Unauthorized", b"")) as (url, _):
        error = read_from(url, password="s3cret-word")
    assert isinstance(error, WbemAuthFailed)
    assert "s3cret-word" not in f"{error} {error.fields}"


def test_a_web_server_is_told_from_a_wbem_server() -> None:
    with raw_server(http("200 OK", b"<html><body>It works</body></html>", "text/html")) as (url, _):
        assert isinstance(read_from(url), WbemNotCimXml)


def test_a_reply_that_ends_early_is_an_error() -> None:
    whole = http("200 OK", b"<CIM><MESSAGE></MESSAGE></CIM>" + b" " * 100)
    with raw_server(whole[:-105]) as (url, _):
        assert isinstance(read_from(url), WbemBadReply)


def test_a_silent_server_costs_the_deadline_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = read_from(f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=0.3)
    assert isinstance(error, WbemTimeout)


def test_a_method_call_whose_answer_is_lost_is_never_sent_again() -> None:
    with raw_server(b"") as (url, seen), client(url) as gateway:
        with pytest.raises(WbemOutcomeUnknown):
            gateway.invoke_method(
                WEB01,
                "RequestStateChange",
                {"RequestedState": TypedValue("uint16", 2)},
                deadline=Deadline.after(5),
            )
        assert len(seen) == 1


@pytest.mark.parametrize("url", ["ftp://host", "host:5988", "http://", "http://host:port"])
def test_an_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        WbemClient(ConnectionSettings(url), load_dialect("generic"))


def test_a_folder_that_is_no_recording_says_what_one_is(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"a tape has tape\.yaml, captured CIM-XML has"),
        replay_server(tmp_path),
    ):
        pass


def test_captures_that_are_incomplete_are_told(tmp_path: Path) -> None:
    (tmp_path / "instances").mkdir()
    (tmp_path / "instances" / "index.json").write_text("{}")
    with (
        pytest.raises(ConfigError, match="the captured CIM-XML cannot be read"),
        replay_server(tmp_path),
    ):
        pass


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(ConfigError, match="say another with --port"),
            replay_server(tape_folder("sfcb"), port),
        ):
            pass
