"""A live server becomes a tape, and the tape answers as the server did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import pywbem

from cimi_cim.cli.record import record_server
from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.replay import ReplayBackend, replay_server
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.wbem.tape.files import read_tape, write_new_tape
from cimi_cim.wbem.tape.records import Tape
from cimi_cim.wbem.transport import ConnectionSettings
from tests.faults.proxy import FaultProxy
from tests.faults.raw import spoken
from tests.lab.test_hidden_associations import ASSOCIATIONS, Hiding
from tests.services import service_over
from tests.tapes import SERVERS, tape_folder

BASE = "http://cloud.example"


def recorded(url: str, mapping: str = "base") -> Tape:
    tape, _ = record_server(ConnectionSettings(url), mapping)
    return tape


@contextmanager
def cloud(url: str, mapping: str = "base") -> Iterator[falcon.testing.TestClient]:
    engine = open_engine([TargetConfig("lab", url, mapping=mapping)], load_model())
    with service_over(engine) as service:
        yield falcon.testing.TestClient(make_app(service, http=HttpConfig(base_url=BASE)))
    engine.close()


def everything(client: falcon.testing.TestClient) -> dict[str, Any]:
    """Every Collection of the CloudEntryPoint as JSON text, and each resource in them."""
    root = client.simulate_get("/cimi/2/cloudEntryPoint").json
    hrefs = [v["href"] for v in root.values() if isinstance(v, dict) and "href" in v]
    found = {}
    for href in hrefs:
        path = href.removeprefix(BASE)
        answer = client.simulate_get(path)
        found[path] = (answer.status, answer.text)
        if answer.status_code != 200:
            continue
        lists = [v for v in answer.json.values() if isinstance(v, list)]
        for item in [item for each in lists for item in each if "id" in item][:4]:
            one = client.simulate_get(item["id"].removeprefix(BASE))
            found[item["id"]] = (one.status, one.text)
    return found


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[str, Tape]]:
    with lab_server(Simulation(6, seed=3)) as front:
        yield front.url, recorded(front.url)


def test_the_tape_of_the_lab_serves_the_answers_of_the_lab(
    lab: tuple[str, Tape], tmp_path: Path
) -> None:
    url, tape = lab
    write_new_tape(tape, tmp_path / "tape")
    with cloud(url) as client:
        expected = everything(client)
    with replay_server(tmp_path / "tape") as front, cloud(front.url) as client:
        found = everything(client)
    machines = json.loads(expected["/cimi/2/machines"][1])
    assert machines["count"] == 6
    assert found == expected


def comparable(tape: Tape) -> Tape:
    return replace(tape, header=replace(tape.header, recorded="", host=""))


def test_the_tape_of_a_replayed_tape_is_the_same_tape(lab: tuple[str, Tape]) -> None:
    tape = lab[1]
    with WbemFront(ReplayBackend(tape)) as front:
        again = recorded(front.url)
    assert again.header.quirks == tape.header.quirks
    assert [a.question for a in again.answers] == [a.question for a in tape.answers]
    for one, other in zip(again.answers, tape.answers, strict=True):
        assert one == other
    assert comparable(again) == comparable(tape)


@pytest.mark.parametrize("server", SERVERS)
def test_a_recorded_libvirt_is_recorded_again_with_the_same_machines(
    server: str, tmp_path: Path
) -> None:
    with replay_server(tape_folder(server)) as front:
        tape = recorded(front.url, "libvirt-cim")
        with cloud(front.url, "libvirt-cim") as client:
            expected = everything(client)
    assert (
        tape.header.quirks.property_lists
        == read_tape(tape_folder(server)).header.quirks.property_lists
    )
    assert tape.header.quirks.pulls == read_tape(tape_folder(server)).header.quirks.pulls
    with WbemFront(ReplayBackend(tape)) as front, cloud(front.url, "libvirt-cim") as client:
        assert everything(client) == expected
    assert "web01" in expected["/cimi/2/machines"][1]


def test_a_server_that_hides_its_associations_is_walked_and_so_is_its_tape() -> None:
    with WbemFront(Hiding(3)) as front:
        tape = recorded(front.url)
        with cloud(front.url) as client:
            expected = everything(client)
    assert set(ASSOCIATIONS) <= set(tape.header.quirks.enumerate_to_nothing)
    assert not set(ASSOCIATIONS) & set(tape.header.quirks.enumerate_to_all)
    with WbemFront(ReplayBackend(tape)) as front, cloud(front.url) as client:
        assert everything(client) == expected
    assert json.loads(expected["/cimi/2/machines"][1])["count"] == 3


def test_a_server_that_sends_what_it_should_not_is_recorded_as_it_is_read() -> None:
    def spoil(body: bytes) -> bytes:
        body = body.replace(b"a machine of the lab", b"a machine\x01of M\xfcller &#2;")
        return body.replace(b' VALUETYPE="string"', b"")

    with lab_server(Simulation(2)) as lab, FaultProxy(lab.url, spoken(spoil)) as proxy:
        tape = recorded(proxy.url)
        with cloud(proxy.url) as client:
            expected = everything(client)
    assert "a machine\ufffdof M\u00fcller \ufffd" in expected["/cimi/2/machines"][1]
    with WbemFront(ReplayBackend(tape)) as front, cloud(front.url) as client:
        assert everything(client) == expected


def test_a_recording_calls_no_method_and_changes_nothing() -> None:
    simulation = Simulation(2)
    with lab_server(simulation) as front, closing(pywbem.WBEMConnection(front.url)) as stock:
        seen = [(i.path, i.properties) for i in stock.EnumerateInstances(
            "CIM_ManagedElement", namespace="root/virt")]  # fmt: skip
        recorded(front.url)
        assert stock.EnumerateInstances("LAB_MethodCall", namespace="root/virt") == []
        again = stock.EnumerateInstances("CIM_ManagedElement", namespace="root/virt")
        assert [(i.path, i.properties) for i in again] == seen
