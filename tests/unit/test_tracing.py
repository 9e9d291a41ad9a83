"""A trace tells what was really asked of a server, and a rehearsal changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.errors import WbemInvalidClass, WbemUnreachable
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.single_flight import SingleFlight
from cimi_cim.wbem.tracing import Trace, TracingGateway, current_trace, traced
from cimi_cim.wbem.transport import ConnectionSettings

NS, SYSTEM = "root/virt", "CIM_ComputerSystem"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with lab_server(Simulation(3)) as front:
        yield front.url


@pytest.fixture
def gateway(url: str) -> Iterator[SingleFlight]:
    client = WbemClient(ConnectionSettings(url), Dialect("", pull=True, max_objects=2))
    with closing(SingleFlight(TracingGateway(client, "lab"))) as made:
        yield made


def soon() -> Deadline:
    return Deadline.after(20)


def test_a_pull_sequence_is_one_operation_with_its_messages_bytes_and_rows(
    gateway: SingleFlight,
) -> None:
    with traced(Trace()) as trace:
        rows = gateway.enumerate_instances(SYSTEM, NS, ("Name",), deadline=soon())
    [told] = trace.operations
    assert (told.server, told.name, told.on) == ("lab", "EnumerateInstances", f"{NS}:{SYSTEM}")
    assert told.properties == ("Name",)
    assert told.rows == len(rows) > 2
    assert told.messages[0] == "OpenEnumerateInstances"
    assert set(told.messages[1:]) == {"PullInstancesWithPath"}
    assert len(told.messages) == -(-len(rows) // 2)
    assert told.received_bytes > 100 * len(rows)
    assert told.sent_bytes > 300
    assert 0 <= told.began_s < told.began_s + told.elapsed_s <= trace.elapsed_s


def test_an_error_is_told_with_the_operation(gateway: SingleFlight) -> None:
    with traced(Trace()) as trace, pytest.raises(WbemInvalidClass):
        gateway.enumerate_instances("CIM_Nothing", NS, (), deadline=soon())
    [told] = trace.operations
    assert isinstance(told.error, WbemInvalidClass)
    assert told.rows is None
    assert told.received_bytes > 0


def test_what_never_reached_the_server_has_no_bytes() -> None:
    client = WbemClient(ConnectionSettings("http://127.0.0.1:1"), Dialect(""))
    with (
        closing(TracingGateway(client, "dead")) as gateway,
        traced(Trace()) as trace,
        pytest.raises(WbemUnreachable),
    ):
        gateway.class_names(None, NS, deadline=soon())
    assert trace.operations[0].received_bytes == 0


def test_without_a_trace_nothing_is_kept_and_none_leaks_into_other_threads(
    gateway: SingleFlight,
) -> None:
    gateway.class_names(SYSTEM, NS, deadline=soon())
    with traced(Trace()) as trace, ThreadPoolExecutor(1) as threads:
        assert current_trace() is trace
        assert threads.submit(current_trace).result() is None
    assert current_trace() is None
    assert trace.operations == ()


def test_a_rehearsal_reads_and_calls_nothing(gateway: SingleFlight) -> None:
    state = {"RequestedState": TypedValue("uint16", 3)}
    name = {"ElementName": TypedValue("string", "other")}
    read = ("Name", "EnabledState", "ElementName")
    before = gateway.enumerate_instances(SYSTEM, NS, read, deadline=soon())
    path = before[0].path
    with traced(Trace(is_rehearsal=True)) as trace:
        gateway.get_instance(path, ("Name",), deadline=soon())
        returned = gateway.invoke_method(path, "RequestStateChange", state, deadline=soon())
        gateway.modify_instance(path, name, deadline=soon())
    assert returned.return_value is None
    assert [(o.name, o.is_sent) for o in trace.operations] == [
        ("GetInstance", True), ("InvokeMethod", False), ("ModifyInstance", False),
    ]  # fmt: skip
    assert trace.operations[1].parameters == state
    assert trace.operations[1].filters == {"Method": "RequestStateChange"}
    after = gateway.enumerate_instances(SYSTEM, NS, read, deadline=soon())
    assert [row.values for row in after] == [row.values for row in before]
