"""A machine is deleted while the bridge that makes it is dead: nothing is sent twice.

With `CRASHES` (`make crash`) also where nobody knows yet that it was made, which takes longer.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cimi_cim.lab.backend import MethodCall, Reply
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.service.store.secrets import SecretBox
from tests.crash.clients import LIMIT_S, Client, local, settled
from tests.databases import new_database
from tests.processes import started

HELD = ["RequestStateChange", *(["DefineSystem"] if "CRASHES" in os.environ else [])]
TEMPLATE = {"machineConfig": {"cpu": 1, "memory": 262144}, "initialState": "STARTED"}


class Watched(Simulation):
    """A lab that never answers the first call of a method, and tells when it has done it."""

    def __init__(self, method: str) -> None:
        super().__init__(1, pace=0)
        self.has_done = threading.Event()
        self.may_answer = threading.Event()
        self._method = method

    def method(self, call: MethodCall) -> Reply:
        reply = super().method(call)
        if call.method == self._method and not self.has_done.is_set():
            self.has_done.set()
            self.may_answer.wait(LIMIT_S)
        return reply


@pytest.fixture
def shared_store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with new_database("postgresql", tmp_path, request) as url:
        yield url


@pytest.mark.parametrize("method", HELD)
def test_a_machine_is_deleted_while_its_maker_is_dead(
    tmp_path: Path, shared_store: str, method: str
) -> None:
    lab = Watched(method)
    with lab_server(lab) as front, ExitStack() as stack:
        stack.callback(lab.may_answer.set)
        config = tmp_path / "bridge.yaml"
        config.write_text(
            f"store: '{shared_store}'\nstore_key: {SecretBox.new_key().reveal()}\n"
            f"targets: [{{alias: lab, url: '{front.url}', deadline_s: 10}}]\n"
            "jobs: {lease_s: 2, settle_s: 1}\n"
        )
        folders = [tmp_path / "maker", tmp_path / "other"]
        for folder in folders:
            folder.mkdir()
        serve = ("serve", "--config", str(config))
        other = Client(stack.enter_context(started(folders[1], *serve)).urls["cimi2"])
        with started(folders[0], *serve) as maker:
            body = {"name": "orphan", "machineTemplate": TEMPLATE}
            ask = Client(maker.urls["cimi2"]).ask
            asking = threading.Thread(target=ask, args=("POST", "machines", body))
            asking.start()
            assert lab.has_done.wait(LIMIT_S)
            maker.process.kill()
            asking.join()
        (machine,) = other.all("machines?$filter=name='orphan'", "machines")
        other.ask("DELETE", local(machine["id"]))
        jobs = {job["action"].rpartition("/")[2]: job for job in settled(other)}
        assert jobs["delete"]["state"] == "SUCCESS"
        assert jobs["add"]["state"] in ("SUCCESS", "FAILED")
        assert other.all("machines?$filter=name='orphan'", "machines") == []
        calls = Counter(call.method for call in lab.calls)
        assert (calls["DefineSystem"], calls["DestroySystem"]) == (1, 1)
