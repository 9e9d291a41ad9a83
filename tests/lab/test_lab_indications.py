"""A plain pywbem client gets the lab's indications as it gets any WBEM server's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pywbem import (
    CIMError,
    CIMInstance,
    CIMInstanceName,
    Uint16,
    WBEMConnection,
    WBEMListener,
    WBEMServer,
    WBEMSubscriptionManager,
)

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation

MACHINE = CIMInstanceName(
    "LAB_VirtualSystem",
    {"CreationClassName": "LAB_VirtualSystem", "Name": "vm00001"},
    namespace="root/virt",
)
MODIFIED = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"
JOBS = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob"
LIMIT_S = 20


class Heard:
    """Indications that came, and a way to wait for them."""

    def __init__(self) -> None:
        self.all: list[CIMInstance] = []
        self._changed = threading.Condition()

    def hear(self, indication: CIMInstance, host: str) -> None:
        with self._changed:
            self.all.append(indication)
            self._changed.notify_all()

    def wait(self, count: int) -> list[CIMInstance]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= count, LIMIT_S), self.all
            return list(self.all)


@contextmanager
def listening() -> Iterator[tuple[Heard, str]]:
    """A listener of pywbem's own on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    heard, listener = Heard(), WBEMListener("127.0.0.1", http_port=port)
    listener.add_callback(heard.hear)
    listener.start()
    try:
        yield heard, f"http://127.0.0.1:{port}"
    finally:
        listener.stop()


@contextmanager
def subscribed(client: WBEMConnection, url: str, *queries: str) -> Iterator[Any]:
    manager = WBEMSubscriptionManager("test")
    server = manager.add_server(WBEMServer(client))
    to = manager.add_destination(server, url, owned=True, destination_id="d")
    for number, query in enumerate(queries):
        made = manager.add_filter(
            server, "root/virt", query, query_language="DMTF:CQL", owned=True,
            filter_id=str(number),
        )  # fmt: skip
        manager.add_subscriptions(server, made.path, to.path)
    yield manager
    manager.remove_all_servers()


def test_a_change_of_state_is_told_with_what_was_before_and_in_order() -> None:
    with lab_server(Simulation(1, pace=0.05)) as front, listening() as (heard, url):
        client = WBEMConnection(front.url, default_namespace="interop")
        with subscribed(client, url, MODIFIED, JOBS):
            client.InvokeMethod("RequestStateChange", MACHINE, RequestedState=Uint16(9))
            told = heard.wait(3)
        assert client.EnumerateInstanceNames("CIM_IndicationSubscription") == []
    machine = [each for each in told if each["SourceInstance"].classname == "LAB_VirtualSystem"]
    assert [each["SourceInstance"]["EnabledState"] for each in machine] == [2, 9]
    assert [each["PreviousInstance"]["EnabledState"] for each in machine] == [2, 2]
    [job] = [each for each in told if each not in machine]
    assert (job["PreviousInstance"]["JobState"], job["SourceInstance"]["JobState"]) == (4, 7)
    assert [each["SequenceNumber"] for each in told] == [0, 1, 2]
    assert len({each["SequenceContext"] for each in told}) == 1


def test_a_failed_job_is_an_alert() -> None:
    lab = Simulation(1, pace=0.02, failures=["RequestStateChange:job-error=boom"])
    with lab_server(lab) as front, listening() as (heard, url):
        client = WBEMConnection(front.url, default_namespace="interop")
        with subscribed(client, url, "SELECT * FROM CIM_AlertIndication"):
            client.InvokeMethod("RequestStateChange", MACHINE, RequestedState=Uint16(9))
            [alert] = heard.wait(1)
    assert alert["Message"].endswith("boom")
    assert (alert["PerceivedSeverity"], alert["MessageID"]) == (5, "LAB-FAILED")
    assert "vm00001" in alert["AlertingManagedElement"]


@pytest.mark.parametrize(
    ("query", "language", "code"),
    [
        (MODIFIED, "SQL", 14),
        ("SELECT Name FROM CIM_InstModification", "WQL", 15),
        ("SELECT * FROM CIM_Nothing", "WQL", 15),
    ],
)
def test_a_filter_that_cannot_be_is_refused(query: str, language: str, code: int) -> None:
    made = CIMInstance("CIM_IndicationFilter", {"Query": query, "QueryLanguage": language})
    with lab_server(Simulation(0)) as front:
        client = WBEMConnection(front.url, default_namespace="interop")
        with pytest.raises(CIMError) as refused:
            client.CreateInstance(made)
    assert refused.value.status_code == code


def test_where_filters_cannot_be_made_there_is_a_collection_of_some() -> None:
    made = CIMInstance("CIM_IndicationFilter", {"Query": MODIFIED, "QueryLanguage": "WQL"})
    with lab_server(Simulation(0, may_make_filters=False)) as front:
        client = WBEMConnection(front.url, default_namespace="interop")
        with pytest.raises(CIMError) as refused:
            client.CreateInstance(made)
        [service] = client.EnumerateInstances("CIM_IndicationService")
        [collection] = client.EnumerateInstanceNames("CIM_FilterCollection")
        members = client.Associators(collection, AssocClass="CIM_MemberOfCollection")
    assert refused.value.status_code == 7
    assert service["FilterCreationEnabled"] is False
    assert MODIFIED in {member["Query"] for member in members}
