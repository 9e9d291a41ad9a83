"""Several WBEM servers behind one bridge, some of which fail."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from tests.processes import running

HOSTILE = 'no "machines"\r\nX-Injected: yes\n\\ \u00fc \u4e2d'


class Broken:
    """A server that knows its namespaces, and fails with any words at everything else."""

    def __init__(self) -> None:
        self._platform = Simulation(1)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        if call.parameters.get("ClassName") == "CIM_ComputerSystem":
            raise CimError(1, HOSTILE)
        return self._platform.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        return self._platform.method(call)


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def bridge(folder: Path, **urls: str) -> Iterator[str]:
    targets = [{"alias": alias, "url": url} for alias, url in urls.items()]
    file = folder / "bridge.yaml"
    file.write_text(json.dumps({"targets": targets}))
    with running(folder, "serve", "--config", str(file)) as said:
        yield said["cimi2"].rpartition("/")[0]


def get(url: str) -> tuple[int, Message, Any]:
    try:
        with urllib.request.urlopen(url) as reply:
            return reply.status, reply.headers, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.loads(error.read())


def test_a_server_that_fails_leaves_its_items_out_and_is_named(tmp_path: Path) -> None:
    with ExitStack() as stack:
        lab = stack.enter_context(lab_server(Simulation(3)))
        broken = stack.enter_context(WbemFront(Broken()))
        base = stack.enter_context(bridge(tmp_path, a=nobody(), b=lab.url, c=broken.url))
        status, headers, body = get(f"{base}/machines")
        known = body["machines"][0]["id"]
        assert get(known)[0] == 200
        unknown = get(f"{base}/machines/6d0d9ac6-0000-4000-8000-000000000000")
    assert (status, body["count"], headers["X-CIMI-Incomplete"]) == (200, 3, "a,c")
    first, second = str(headers["Warning"]).split(', 199 - "')
    assert first.startswith('199 - "target a is left out: the WBEM server cannot be reached; check')
    assert second.startswith("target c is left out: the WBEM server answers with CIM error")
    assert 'no \\"machines\\"' in second
    assert second.isascii()
    assert second.isprintable()
    assert headers["X-Injected"] is None
    # Whether there is such a machine cannot be told as long as a server cannot be asked.
    assert unknown[0] == 503
    assert "target a is left out" in unknown[2]["statusMessage"]


@pytest.mark.parametrize("count", [1, 2])
def test_where_every_server_fails_there_is_no_empty_collection(tmp_path: Path, count: int) -> None:
    urls = {f"t{number}": nobody() for number in range(count)}
    with bridge(tmp_path, **urls) as base:
        status, _, job = get(f"{base}/machines")
    assert (status, job["state"]) == (503, "FAILED")
    assert "cannot be reached" in job["statusMessage"]


def test_ids_say_nothing_of_the_server_where_they_are_unique_in_the_world(tmp_path: Path) -> None:
    with (
        lab_server(Simulation(3, seed=1)) as one,
        lab_server(Simulation(3, seed=2)) as two,
        bridge(tmp_path, one=one.url, two=two.url) as base,
    ):
        machines = get(f"{base}/machines")[2]["machines"]
        assert len({machine["id"] for machine in machines}) == 6
        for machine in machines:
            assert get(machine["id"])[2]["name"] == machine["name"]
