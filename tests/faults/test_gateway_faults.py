"""Whatever a WBEM server or the network does: an answer in time, and no call sent twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from cimi_cim.credentials import Secret
from cimi_cim.errors import CimiCimError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import Account, Certificate, WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.errors import (
    WbemAuthFailed,
    WbemBadReply,
    WbemBusy,
    WbemNotCimXml,
    WbemOutcomeUnknown,
    WbemReplyTooLarge,
    WbemTimeout,
    WbemTlsFailed,
    WbemUnreachable,
)
from cimi_cim.wbem.gateway import Gateway, TypedValue
from cimi_cim.wbem.transport import ConnectionSettings
from cimi_cim.wbem.values import InstancePath
from tests.faults import proxy as faults
from tests.faults.proxy import FaultProxy

DEADLINE_S = 0.4
GRACE_S = 1.0
MACHINE = InstancePath(
    "root/virt",
    "LAB_VirtualSystem",
    (("CreationClassName", "LAB_VirtualSystem"), ("Name", "vm00001")),
)
STATE = {"RequestedState": TypedValue("uint16", 9)}

READS: dict[str, Callable[[Gateway, Deadline], Any]] = {
    "enumerate": lambda g, d: g.enumerate_instances(
        "CIM_System", "root/virt", ["Name"], deadline=d
    ),
    "get": lambda g, d: g.get_instance(MACHINE, ["Name"], deadline=d),
    "associators": lambda g, d: g.associators(
        MACHINE, ["InstanceID"], assoc_class="CIM_SettingsDefineState", deadline=d
    ),
    "associator names": lambda g, d: g.associator_names(
        MACHINE, assoc_class="CIM_SettingsDefineState", deadline=d
    ),
    "references": lambda g, d: g.references(
        MACHINE, [], result_class="CIM_SettingsDefineState", deadline=d
    ),
    "class names": lambda g, d: g.class_names(None, "root/virt", deadline=d),
}


class Counted:
    """The lab, and how often each method was called on it."""

    def __init__(self) -> None:
        self._simulation = Simulation(2)
        self.calls = 0

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        return self._simulation.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        self.calls += 1
        return self._simulation.method(call)


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[Counted, str]]:
    counted = Counted()
    with WbemFront(counted) as front:
        yield counted, front.url


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() <= before + 1  # an idle connection of the lab


def client(url: str, **settings: Any) -> WbemClient:
    return WbemClient(ConnectionSettings(url, **settings), load_dialect("generic"))


def in_time(action: Callable[[], Any]) -> BaseException | None:
    """Return what the action raised; it must not last longer than deadline and grace."""
    start = time.monotonic()
    raised: BaseException | None = None
    try:
        action()
    except CimiCimError as exc:
        raised = exc
    assert time.monotonic() - start < DEADLINE_S + GRACE_S
    return raised


FAULTS: dict[faults.Play, Any] = {
    faults.hang: WbemTimeout,
    faults.drip_head: WbemTimeout,
    faults.drip_body: WbemTimeout,
    faults.wrong_length: type(None),
    faults.no_end: type(None),
    faults.cut_head: WbemBadReply,
    faults.cut_body: WbemBadReply,
    faults.close_at_once: WbemBadReply,
    faults.reset: WbemBadReply,
    faults.garble: WbemBadReply,
    faults.short_length: WbemBadReply,
    faults.cut_chunk: WbemBadReply,
    faults.huge: (WbemReplyTooLarge, WbemTimeout),
    faults.html: WbemNotCimXml,
    faults.status(b"401 Unauthorized"): WbemAuthFailed,
    faults.status(b"404 Not Found"): WbemNotCimXml,
    faults.status(b"503 Service Unavailable"): WbemBusy,
}


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__qualname__.partition(".")[0])
def test_a_read_ends_in_time_with_the_right_error(
    lab: tuple[Counted, str], fault: faults.Play, operation: str
) -> None:
    with FaultProxy(lab[1], fault) as proxy:
        gateway = client(proxy.url, reply_cap_bytes=4 * 2**20)
        raised = in_time(lambda: READS[operation](gateway, Deadline.after(DEADLINE_S)))
        gateway.close()
    assert isinstance(raised, FAULTS[fault]), raised
    if isinstance(raised, CimiCimError):
        assert len(raised.message) > 30  # it says what to do
        assert proxy.url not in raised.message


DEFINITE = (WbemNotCimXml, WbemAuthFailed, WbemBusy)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__qualname__.partition(".")[0])
def test_a_method_is_called_once_and_its_fate_is_told_apart(
    lab: tuple[Counted, str], fault: faults.Play
) -> None:
    counted, url = lab
    before = counted.calls
    with FaultProxy(url, fault) as proxy:
        gateway = client(proxy.url, reply_cap_bytes=4 * 2**20)
        raised = in_time(
            lambda: gateway.invoke_method(
                MACHINE, "RequestStateChange", STATE, deadline=Deadline.after(DEADLINE_S)
            )
        )
        gateway.close()
    assert counted.calls == before + 1
    assert proxy.passed_on == 1
    if FAULTS[fault] is type(None):
        assert raised is None
        return
    refused = FAULTS[fault] in DEFINITE
    assert isinstance(raised, DEFINITE if refused else WbemOutcomeUnknown), raised


def test_a_dead_kept_alive_connection_is_replaced_for_a_read_only(
    lab: tuple[Counted, str],
) -> None:
    """The server closes an idle connection; the next read must not suffer from it."""
    answers = iter([faults.whole, faults.close_at_once, faults.whole])

    def play(proxy: FaultProxy, connection: Any, head: bytes, body: bytes) -> None:
        next(answers)(proxy, connection, head, body)

    with FaultProxy(lab[1], play) as proxy:
        gateway = client(proxy.url)
        for _ in range(2):
            assert READS["get"](gateway, Deadline.after(5)).values["Name"] == "vm00001"
        gateway.close()
    assert proxy.passed_on == 3


def test_after_a_fault_the_next_answer_is_whole(lab: tuple[Counted, str]) -> None:
    answers = iter([faults.garble, faults.whole])

    def play(proxy: FaultProxy, connection: Any, head: bytes, body: bytes) -> None:
        next(answers)(proxy, connection, head, body)

    with FaultProxy(lab[1], play) as proxy:
        gateway = client(proxy.url)
        with pytest.raises(WbemBadReply):
            READS["get"](gateway, Deadline.after(5))
        assert READS["get"](gateway, Deadline.after(5)).values["Name"] == "vm00001"
        gateway.close()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("http://127.0.0.1:1", WbemUnreachable, "host and port"),
        ("http://no-such-host.invalid", WbemUnreachable, "host and port"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told(
    url: str, error: type[CimiCimError], said: str
) -> None:
    gateway = client(url)
    with pytest.raises(error) as raised:
        READS["get"](gateway, Deadline.after(5))
    assert said in raised.value.message
    gateway.close()


def test_a_wrong_password_is_told(lab: tuple[Counted, str]) -> None:
    with WbemFront(lab[0], account=Account("admin", Secret("right"))) as front:
        gateway = client(front.url, user="admin", password=Secret("wrong"))
        with pytest.raises(WbemAuthFailed, match="user or password") as raised:
            READS["get"](gateway, Deadline.after(5))
        assert "wrong" not in raised.value.message
        gateway.close()


def test_tls_that_cannot_be_trusted_is_told(
    lab: tuple[Counted, str], certified: tuple[Certificate, Any]
) -> None:
    certificate, trusted = certified
    with WbemFront(lab[0], certificate=certificate) as front:
        stranger = client(front.url)
        with pytest.raises(WbemTlsFailed, match="say whom to trust with the target's `ca`"):
            READS["get"](stranger, Deadline.after(5))
        stranger.close()
        trusting = client(front.url, ca=trusted)
        assert READS["get"](trusting, Deadline.after(5)).values["Name"] == "vm00001"
        trusting.close()
        plain = client(front.url.replace("https:", "http:"))
        with pytest.raises((WbemBadReply, WbemNotCimXml)):
            READS["get"](plain, Deadline.after(5))
        plain.close()


def test_https_to_a_plain_port_is_told(lab: tuple[Counted, str]) -> None:
    gateway = client(lab[1].replace("http:", "https:"))
    with pytest.raises(WbemTlsFailed, match="no TLS is spoken there"):
        READS["get"](gateway, Deadline.after(5))
    gateway.close()


def test_a_certificate_for_another_name_is_told_without_the_name(
    lab: tuple[Counted, str], tmp_path: Path
) -> None:
    authority = trustme.CA()
    cert = authority.issue_cert("wbem.example")
    cert.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pem = tmp_path / "server.pem"
    with WbemFront(lab[0], certificate=Certificate(pem, pem)) as front:
        gateway = client(front.url, ca=tmp_path / "ca.pem")
        with pytest.raises(WbemTlsFailed, match="for another name") as raised:
            READS["get"](gateway, Deadline.after(5))
        assert "127.0.0.1" not in raised.value.message
        gateway.close()


def test_who_gives_no_user_is_told_that_one_is_wanted(lab: tuple[Counted, str]) -> None:
    with WbemFront(lab[0], account=Account("admin", Secret("right"))) as front:
        gateway = client(front.url)
        with pytest.raises(WbemAuthFailed, match="wants a user and a password"):
            READS["get"](gateway, Deadline.after(5))
        gateway.close()


def test_neither_netrc_nor_proxy_variables_change_where_and_as_whom_we_ask(
    lab: tuple[Counted, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with WbemFront(lab[0], account=Account("admin", Secret("right"))) as front:
        gateway = client(front.url, user="admin", password=Secret("right"))
        assert READS["get"](gateway, Deadline.after(5)).values["Name"] == "vm00001"
        gateway.close()
    gateway = client(lab[1])
    assert READS["get"](gateway, Deadline.after(5)).values["Name"] == "vm00001"
    gateway.close()
