"""The CIM-XML front: HTTP and HTTPS as DSP0200 wants it, whatever is sent to it."""

from __future__ import annotations

import base64
import http.client
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pywbem
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import Account, Certificate, WbemFront
from cimi_cim.lab.requests import BadRequest, parse_request
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.request import intrinsic_request, method_request
from cimi_cim.wbem.values import InstancePath
from tests.lab.conftest import Lab
from tests.shared_files import SHARED, needs_shared

StartLab = Callable[..., Lab]
NAMES = intrinsic_request("EnumerateInstanceNames", "root/virt", {"ClassName": "CIM_System"})


def send(
    url: str, body: bytes, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/cimom", body, {"Content-Type": "application/xml", **sent})
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, dict(reply.headers), content


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        (b"", 400, "request-not-well-formed"),
        (b"<CIM", 400, "request-not-well-formed"),
        (b"<html/>", 400, "request-not-valid"),
        (b'<!DOCTYPE CIM [<!ENTITY a "b">]>' + NAMES.partition(b"?>")[2].strip(), 400,
         "request-not-valid"),
        (NAMES.replace(b'CIMVERSION="2.0"', b'CIMVERSION="1.0"'), 400, "unsupported-cim-version"),
        (NAMES.replace(b'DTDVERSION="2.0"', b'DTDVERSION="3.0"'), 400, "unsupported-dtd-version"),
        (NAMES.replace(b'PROTOCOLVERSION="1', b'PROTOCOLVERSION="2'), 400,
         "unsupported-protocol-version"),
        (NAMES.replace(b"SIMPLEREQ>", b"MULTIREQ>"), 501, "multiple-requests-unsupported"),
        (NAMES.replace(b"IMETHODCALL", b"OTHER"), 400, "request-not-valid"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_the_standards_cause(
    lab: StartLab, body: bytes, status: int, cause: str
) -> None:
    answer = send(lab(1).url, body)
    assert (answer[0], answer[1]["CIMError"]) == (status, cause)


def test_headers_that_contradict_the_body_are_refused(lab: StartLab) -> None:
    url = lab(1).url
    assert send(url, NAMES, CIMMethod="GetInstance")[1]["CIMError"] == "header-mismatch"
    assert send(url, NAMES, CIMMethod="EnumerateInstanceNames")[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(lab: StartLab, method: str) -> None:
    status, headers, _ = send(lab(1).url, b"", method)
    assert (status, headers["Allow"]) == (405, "POST")


def test_a_chunked_request_is_read_whole(lab: StartLab) -> None:
    connection = http.client.HTTPConnection(urlsplit(lab(2).url).netloc, timeout=20)
    pieces = (NAMES[start : start + 100] for start in range(0, len(NAMES), 100))
    connection.request("POST", "/cimom", pieces, encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    assert b"LAB_VirtualSystem" in connection.getresponse().read()
    connection.close()


def test_a_huge_or_endless_request_is_refused_unread(lab: StartLab) -> None:
    connection = http.client.HTTPConnection(urlsplit(lab(1).url).netloc, timeout=20)
    connection.putrequest("POST", "/cimom")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_the_reply_repeats_the_message_id(lab: StartLab) -> None:
    reply = send(lab(1).url, NAMES.replace(b'ID="1001"', b'ID="a&lt;b"'))[2]
    assert etree.fromstring(reply).find("MESSAGE").get("ID") == "a<b"  # type: ignore[union-attr]


def test_without_the_right_password_nothing_is_answered(lab: StartLab) -> None:
    server = lab(1, account=Account("admin", Secret("right")))

    def attempt(text: str) -> int:
        encoded = base64.b64encode(text.encode()).decode()
        return send(server.url, NAMES, Authorization=f"Basic {encoded}")[0]

    assert attempt("admin:right") == 200
    assert [attempt(t) for t in ("admin:wrong", "other:right", "admin", "")] == [401] * 4
    status, headers, _ = send(server.url, NAMES)
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="wbem"')
    assert send(server.url, NAMES, Authorization="Basic !!!")[0] == 401


def test_https_with_a_password_works_with_a_stock_client(
    lab: StartLab, certified: tuple[Certificate, Path]
) -> None:
    certificate, trusted = certified
    server = lab(2, certificate=certificate, account=Account("admin", Secret("right")))
    assert server.url.startswith("https://")
    client = pywbem.WBEMConnection(
        server.url, ("admin", "right"), default_namespace="root/virt", ca_certs=str(trusted)
    )
    assert len(client.EnumerateInstanceNames("LAB_VirtualSystem")) == 2
    stranger = pywbem.WBEMConnection(server.url, ("admin", "right"))
    with pytest.raises(pywbem.ConnectionError):
        stranger.EnumerateInstanceNames("LAB_VirtualSystem")


def test_plain_http_on_the_https_port_ends_the_connection_only(
    lab: StartLab, certified: tuple[Certificate, Path]
) -> None:
    server = lab(1, certificate=certified[0])
    plain = server.url.replace("https:", "http:")
    with pytest.raises((http.client.HTTPException, OSError)):
        send(plain, NAMES)
    trusting = pywbem.WBEMConnection(server.url, ca_certs=str(certified[1]))
    assert trusting.EnumerateClassNames("root/virt")


def test_a_certificate_that_is_none_is_told(lab: StartLab, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.pem"):
        lab(1, certificate=Certificate(tmp_path / "nothing.pem", tmp_path / "key.pem"))


class Held:
    """A backend that answers when it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        self.asked.set()
        assert self.go_on.wait(20)
        return Reply([])

    def method(self, call: MethodCall) -> Reply:
        return Reply([b"<VALUE>yes</VALUE>"], return_type="string")


def test_stopping_finishes_what_is_being_answered() -> None:
    held = Held()
    front = WbemFront(held)
    front.start()
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(send(front.url, NAMES)[0]))
    client.start()
    assert held.asked.wait(20)
    stopping = threading.Thread(target=front.stop)
    stopping.start()
    held.go_on.set()
    client.join(20)
    stopping.join(20)
    assert answers == [200]


def test_a_return_value_has_its_type() -> None:
    with WbemFront(Held()) as front:
        path = InstancePath("root/virt", "X", (("Name", "a"),))
        body = method_request(path, "Ask", {}, embed_as_text=False)
        assert b'<RETURNVALUE PARAMTYPE="string"><VALUE>yes' in send(front.url, body)[2]


def test_parameters_arrive_as_they_were_sent() -> None:
    path = InstancePath("root/virt", "X", (("Name", "a"), ("Number", 4), ("Is", True)))
    sent = {
        "Text": TypedValue("string", "a <b> & c"),
        "Number": TypedValue("uint16", 7),
        "Numbers": TypedValue("uint16[]", (1, 2)),
        "Other": TypedValue("reference", path),
        "Others": TypedValue("reference[]", (path, path)),
        "Is": TypedValue("boolean", False),
        "Nothing": TypedValue("string", None),
    }
    call = parse_request(method_request(path, "Do", sent, embed_as_text=False)).call
    assert isinstance(call, MethodCall)
    assert call.path == path
    assert call.parameters == {name: typed.value for name, typed in sent.items()}


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda at, cut, put: NAMES[:at] + put + NAMES[at + cut :],
            st.integers(0, len(NAMES)),
            st.integers(0, 40),
            st.binary(max_size=20),
        ),
    )
)
def test_no_bytes_make_the_parser_fail_in_another_way(body: bytes) -> None:
    try:
        parse_request(body)
    except BadRequest:
        return


@needs_shared
def test_every_kind_of_reply_is_valid_by_the_dtd(lab: StartLab) -> None:
    dtd = etree.DTD(str(SHARED / "spec" / "DSP0203_2.4.0.dtd"))
    server = lab(20, pace=0)
    replies: list[bytes] = []
    client = pywbem.WBEMConnection(server.url, default_namespace="root/virt")
    client.add_operation_recorder(_Replies(client, replies))
    machine = server.machine("running")
    client.EnumerateInstances("CIM_ManagedElement")
    client.EnumerateInstances("CIM_Dependency")
    client.EnumerateInstanceNames("CIM_Component")
    client.GetInstance(machine)
    client.Associators(machine)
    client.AssociatorNames(machine)
    client.References(machine)
    client.ReferenceNames(machine)
    for iterator in (
        client.IterEnumerateInstances("CIM_System", MaxObjectCount=5),
        client.IterEnumerateInstancePaths("CIM_System", MaxObjectCount=5),
        client.IterReferenceInstances(machine, MaxObjectCount=5),
    ):
        list(iterator)
    client.InvokeMethod("RequestStateChange", machine, RequestedState=pywbem.Uint16(3))
    client.EnumerateClasses(LocalOnly=False, IncludeQualifiers=True)
    client.GetClass("LAB_SystemDevice", IncludeClassOrigin=True)
    client.EnumerateClassNames()
    client.EnumerateQualifiers()
    with pytest.raises(pywbem.CIMError):
        client.GetClass("CIM_Nonsense")
    assert len(replies) >= 17
    for reply in replies:
        assert dtd.validate(etree.fromstring(reply)), str(dtd.error_log)[:300]


class _Replies(pywbem.BaseOperationRecorder):  # type: ignore[misc]
    """Keeps the raw reply of each operation."""

    def __init__(self, client: Any, replies: list[bytes]) -> None:
        super().__init__()
        self._client = client
        self._replies = replies

    def record(self, *_: Any, **__: Any) -> None:
        """Note the reply that was just read."""
        if self._client.last_raw_reply:
            raw = self._client.last_raw_reply
            self._replies.append(raw if isinstance(raw, bytes) else raw.encode())


def test_pywbemcli_works(lab: StartLab) -> None:
    command = [str(Path(sys.executable).with_name("pywbemcli")), "-s", lab(3).url,
               "-d", "root/virt"]  # fmt: skip
    for arguments, said in (
        (["instance", "enumerate", "LAB_VirtualSystem", "--pl", "ElementName"], "web-00001"),
        (["class", "tree", "CIM_ComputerSystem"], "LAB_VirtualSystem"),
        (["profile", "list"], "System Virtualization"),
        (["server", "brand"], "cimi-cim lab"),
        (["server", "info"], "interop, root/virt"),
        (["namespace", "list"], "interop"),
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
