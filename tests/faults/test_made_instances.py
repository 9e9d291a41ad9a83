"""CreateInstance and DeleteInstance: what is sent, what servers answer, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.errors import WbemNotFound, WbemNotSupported, WbemOutcomeUnknown, WbemStatus
from cimi_cim.wbem.gateway import Gateway, TypedValue
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from cimi_cim.wbem.values import InstancePath
from tests.faults.raw import HEAD, raw_server

CLASS, NS = "CIM_ListenerDestinationCIMXML", "interop"
VALUES = {
    "Name": TypedValue("string", "there & back"),
    "Destination": TypedValue("string", "http://127.0.0.1:1/x"),
    "PersistenceType": TypedValue("uint16", 3),
}
PATH = InstancePath(NS, CLASS, (("Name", "x"),))
DELETED_BY_SFCB = HEAD + (
    b'<CIM CIMVERSION="2.0" DTDVERSION="2.0">\n<MESSAGE ID="1001" PROTOCOLVERSION="1.0">\n'
    b'<SIMPLERSP>\n<IMETHODRESPONSE NAME="DeleteInstance">\n<IRETURNVALUE>\n</IRETURNVALUE>\n'
    b"</IMETHODRESPONSE>\n</SIMPLERSP>\n</MESSAGE>\n</CIM>\n"
)
EMPTY = DELETED_BY_SFCB.replace(b"DeleteInstance", b"CreateInstance")


def soon() -> Deadline:
    return Deadline.after(20)


def opened(url: str) -> WbemClient:
    return WbemClient(ConnectionSettings(url), Dialect(""))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with lab_server(Simulation(0)) as front:
        yield front.url


@pytest.fixture
def gateway(url: str) -> Iterator[Gateway]:
    with closing(TracingGateway(opened(url), "lab")) as made:
        yield made


def test_what_is_made_has_the_values_that_were_sent_until_it_is_deleted(gateway: Gateway) -> None:
    path = gateway.create_instance(CLASS, NS, VALUES, deadline=soon())
    row = gateway.get_instance(path, tuple(VALUES), deadline=soon())
    assert row.values == {name: value.value for name, value in VALUES.items()}
    with pytest.raises(WbemStatus) as refused:
        gateway.create_instance(CLASS, NS, VALUES, deadline=soon())
    assert refused.value.code == 11
    gateway.delete_instance(path, deadline=soon())
    with pytest.raises(WbemNotFound):
        gateway.delete_instance(path, deadline=soon())


def test_a_reference_and_an_array_arrive(gateway: Gateway) -> None:
    to = gateway.create_instance(CLASS, NS, VALUES, deadline=soon())
    wanted = {
        "Query": TypedValue("string", "SELECT * FROM CIM_AlertIndication"),
        "QueryLanguage": TypedValue("string", "WQL"),
        "SourceNamespaces": TypedValue("string[]", ("root/virt",)),
    }
    of = gateway.create_instance("CIM_IndicationFilter", NS, wanted, deadline=soon())
    ends = {"Filter": TypedValue("reference", of), "Handler": TypedValue("reference", to)}
    made = gateway.create_instance("CIM_IndicationSubscription", NS, ends, deadline=soon())
    assert made.key("Filter") == of
    assert made.key("Handler") == to
    row = gateway.get_instance(of, ("SourceNamespaces",), deadline=soon())
    assert row.get("SourceNamespaces") == ("root/virt",)
    for path in (made, of, to):
        gateway.delete_instance(path, deadline=soon())


def test_what_cannot_be_made_is_not_supported(gateway: Gateway) -> None:
    with pytest.raises(WbemNotSupported):
        gateway.create_instance("CIM_ComputerSystem", "root/virt", {}, deadline=soon())


def test_a_rehearsal_makes_and_deletes_nothing(gateway: Gateway) -> None:
    with traced(Trace(is_rehearsal=True)) as trace:
        path = gateway.create_instance(CLASS, NS, VALUES, deadline=soon())
        gateway.delete_instance(path, deadline=soon())
    told = [(each.name, each.is_sent) for each in trace.operations]
    assert told == [("CreateInstance", False), ("DeleteInstance", False)]
    assert trace.operations[0].parameters == VALUES
    assert gateway.enumerate_instances(CLASS, NS, (), deadline=soon()) == []


def test_an_empty_return_value_of_a_deletion_is_none() -> None:
    with (
        raw_server(lambda name, request: DELETED_BY_SFCB) as raw,
        closing(opened(raw.url)) as client,
    ):
        client.delete_instance(PATH, deadline=soon())
    assert raw.asked == ["DeleteInstance"]


@pytest.mark.parametrize("body", [EMPTY, EMPTY[:200], b"<CIM"], ids=["no path", "cut", "broken"])
def test_an_answer_that_says_nothing_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    body: bytes,
) -> None:
    with raw_server(lambda name, request: body) as raw, closing(opened(raw.url)) as client:
        with pytest.raises(WbemOutcomeUnknown):
            client.create_instance(CLASS, NS, VALUES, deadline=soon())
        if body is not EMPTY:
            with pytest.raises(WbemOutcomeUnknown):
                client.delete_instance(PATH, deadline=soon())
    assert raw.asked in (["CreateInstance"], ["CreateInstance", "DeleteInstance"])
