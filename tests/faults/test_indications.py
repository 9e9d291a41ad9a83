"""WBEM servers tell the bridge what happens: real exports arrive, all others are refused."""

from __future__ import annotations

import http.client
import queue
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest
from pywbem import CIMInstanceName, Uint16, WBEMConnection

from cimi_cim.errors import ConfigError
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.exports import Indication
from cimi_cim.wbem.indications import MAX_BODY_BYTES, Listener
from cimi_cim.wbem.subscriptions import Query, Subscriber
from cimi_cim.wbem.transport import ConnectionSettings

SECRET = "/told/5f1c"
MACHINES = Query(
    "machines",
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem",
    ("DMTF:CQL", "WQL"),
    "root/virt",
)
ALERTS = Query("alerts", "SELECT * FROM CIM_AlertIndication", ("WQL",), "root/virt")
MACHINE = CIMInstanceName(
    "LAB_VirtualSystem",
    {"CreationClassName": "LAB_VirtualSystem", "Name": "vm00001"},
    namespace="root/virt",
)
MADE = (
    "CIM_ListenerDestinationCIMXML", "CIM_IndicationFilter", "CIM_IndicationSubscription",
)  # fmt: skip
LIMIT_S = 20
GOOD = (
    '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="7&amp;" PROTOCOLVERSION="1.0">'
    '<SIMPLEEXPREQ><EXPMETHODCALL NAME="ExportIndication"><EXPPARAMVALUE NAME="NewIndication">'
    '<INSTANCE CLASSNAME="CIM_AlertIndication"><PROPERTY NAME="Message" TYPE="string">'
    "<VALUE>hot</VALUE></PROPERTY></INSTANCE></EXPPARAMVALUE></EXPMETHODCALL></SIMPLEEXPREQ>"
    "</MESSAGE></CIM>"
)
Heard = queue.SimpleQueue[Indication]


@pytest.fixture(scope="module")
def heard() -> Heard:
    return queue.SimpleQueue()


@pytest.fixture(scope="module")
def listener(heard: Heard) -> Iterator[Listener]:
    made = Listener("127.0.0.1", 0)
    made.start({SECRET: heard.put})
    with closing(made):
        yield made


def soon() -> Deadline:
    return Deadline.after(LIMIT_S)


def send(
    listener: Listener,
    body: str,
    path: str = SECRET,
    method: str = "POST",
    kind: str = "MethodRequest",
) -> tuple[int, str | None, str]:
    """Status, CIMError header and body of the answer."""
    with closing(http.client.HTTPConnection(urlsplit(listener.url).netloc, timeout=20)) as client:
        client.request(method, path, body.encode(), {"CIMExport": kind})
        answer = client.getresponse()
        return answer.status, answer.headers.get("CIMError"), answer.read().decode()


def count(client: WBEMConnection) -> list[int]:
    return [len(client.EnumerateInstanceNames(each, "interop")) for each in MADE]


def test_a_change_is_told_and_a_restart_doubles_nothing(listener: Listener, heard: Heard) -> None:
    with lab_server(Simulation(1, pace=0.05)) as front:
        plain = WBEMConnection(front.url, default_namespace="interop")
        gateway = WbemClient(ConnectionSettings(front.url), Dialect(""))
        with closing(gateway):
            first = Subscriber(gateway, "interop", "b", listener.url + SECRET)
            standing = first.ensure([MACHINES, ALERTS], soon())
            assert standing.told == {"machines", "alerts"}
            assert not standing.refused
            again = Subscriber(gateway, "interop", "b", listener.url + SECRET)
            assert again.ensure([MACHINES, ALERTS], soon()).made == 0
            assert count(plain) == [1, 2, 2]
            plain.InvokeMethod("RequestStateChange", MACHINE, RequestedState=Uint16(9))
            told = [heard.get(timeout=LIMIT_S) for _ in range(2)]
            again.ensure([ALERTS], soon())
            assert count(plain) == [1, 1, 1]
            again.remove(soon())
    states = [each.source.values["EnabledState"] for each in told if each.source]
    assert states == [2, 9]
    assert [each.number for each in told] == [0, 1]


def test_another_address_takes_the_place_of_the_old_and_others_are_left() -> None:
    with lab_server(Simulation(0)) as front:
        plain = WBEMConnection(front.url, default_namespace="interop")
        with closing(WbemClient(ConnectionSettings(front.url), Dialect(""))) as gateway:
            for owner, url in (("b", "http://127.0.0.1:1/x"), ("other", "http://127.0.0.1:1/y")):
                Subscriber(gateway, "interop", owner, url).ensure([ALERTS], soon())
            moved = Subscriber(gateway, "interop", "b", "http://127.0.0.1:1/z")
            moved.ensure([ALERTS], soon())
            there = plain.EnumerateInstances(MADE[0], "interop")
            assert {each["Destination"][-1] for each in there} == {"y", "z"}
            moved.remove(soon())
            assert count(plain) == [1, 1, 1]


def test_what_a_server_refuses_is_told_and_the_rest_is_had() -> None:
    nothing = Query("nothing", "SELECT * FROM CIM_Nothing", ("WQL",), "root/virt")
    with (
        lab_server(Simulation(0)) as front,
        closing(WbemClient(ConnectionSettings(front.url), Dialect(""))) as gateway,
    ):
        made = Subscriber(gateway, "interop", "b", "http://127.0.0.1:1/x")
        standing = made.ensure([nothing, ALERTS], soon())
    assert standing.told == {"alerts"}
    assert set(standing.refused) == {"nothing"}


def test_an_export_is_answered_with_its_message_id(listener: Listener, heard: Heard) -> None:
    status, _, body = send(listener, GOOD)
    assert status == 200
    assert 'ID="7&amp;"' in body
    assert "<IRETURNVALUE/>" in body
    assert heard.get(timeout=LIMIT_S).instance.values == {"Message": "hot"}


def test_what_an_indication_is_about_may_be_unreadable(listener: Listener, heard: Heard) -> None:
    """Of a server that does not mark embedded objects; the rest is told all the same."""
    broken = (
        '<INSTANCE CLASSNAME="X"><PROPERTY NAME="A" TYPE="uint8"><VALUE>B</VALUE></PROPERTY>'
        "</INSTANCE>"
    )
    source = f'<PROPERTY NAME="SourceInstance" TYPE="string"><VALUE>{escape(broken)}</VALUE>'
    body = GOOD.replace("</INSTANCE>", f"{source}</PROPERTY></INSTANCE>")
    assert send(listener, body)[0] == 200
    indication = heard.get(timeout=LIMIT_S)
    assert indication.source is None
    assert indication.instance.values["Message"] == "hot"


@pytest.mark.parametrize("path", ["/", "/told", SECRET + "0", SECRET + "/"])
def test_whoever_does_not_know_the_secret_finds_nothing(
    listener: Listener, heard: Heard, path: str
) -> None:
    assert send(listener, GOOD, path)[0] == 404
    assert heard.empty()


ENTITIES = '<!DOCTYPE CIM [<!ENTITY a "hot">]>' + GOOD.replace("hot", "&a;")


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        ("", 400, "request-not-well-formed"),
        (GOOD[:-3], 400, "request-not-well-formed"),
        ("<a/>", 400, "request-not-valid"),
        (ENTITIES, 400, "request-not-valid"),
        (GOOD.replace('CIMVERSION="2.0"', 'CIMVERSION="9.0"'), 400, "unsupported-cim-version"),
        (GOOD.replace("SIMPLEEXPREQ", "MULTIEXPREQ"), 501, "multiple-requests-unsupported"),
    ],
)
def test_what_is_no_export_is_refused(
    listener: Listener, heard: Heard, body: str, status: int, cause: str
) -> None:
    assert send(listener, body)[:2] == (status, cause)
    assert heard.empty()


def test_a_request_that_is_too_long_is_refused_before_it_is_read(
    listener: Listener, heard: Heard
) -> None:
    with closing(http.client.HTTPConnection(urlsplit(listener.url).netloc, timeout=20)) as client:
        client.putrequest("POST", SECRET)
        client.putheader("CIMExport", "MethodRequest")
        client.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
        client.endheaders()
        assert client.getresponse().status == 413
    assert heard.empty()


def test_other_methods_are_refused(listener: Listener, heard: Heard) -> None:
    assert send(listener, GOOD, method="GET")[0] == 405
    assert send(listener, GOOD, method="M-POST")[0] == 501
    assert send(listener, GOOD, kind="MethodCall")[:2] == (400, "header-mismatch")
    unknown = send(listener, GOOD.replace("ExportIndication", "Other"))
    assert unknown[0] == 200
    assert 'ERROR CODE="7"' in unknown[2]
    nothing = send(listener, GOOD.replace("NewIndication", "Other"))
    assert 'ERROR CODE="4"' in nothing[2]
    assert heard.empty()


def test_an_address_that_is_taken_is_a_mistake_of_the_configuration(listener: Listener) -> None:
    port = urlsplit(listener.url).port
    assert port
    with pytest.raises(ConfigError, match="say another host or port"):
        Listener("127.0.0.1", port)
