"""Servers to probe: the recorded ones, and the lab; each is probed once for many tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cimi_cim.cli.probe_report import as_json
from cimi_cim.config import TargetConfig
from cimi_cim.lab.replay import replay_server
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.probing.probe import asked, probe
from cimi_cim.model.load import load_model
from tests.probe.running import Shell
from tests.tapes import SERVERS, tape_folder


@pytest.fixture(scope="session", params=SERVERS)
def recorded(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The software of a recorded server, and where it answers."""
    with replay_server(tape_folder(request.param)) as front:
        yield request.param, front.url


@pytest.fixture(scope="session")
def sfcb() -> Iterator[str]:
    """Where one recorded server answers, for what is the same on all."""
    with replay_server(tape_folder("sfcb")) as front:
        yield front.url


def probed(url: str) -> dict[str, Any]:
    """What `probe --json` prints."""
    config = TargetConfig("server", url)
    with asked(config, lambda what: None, 30) as asker:
        found: dict[str, Any] = json.loads(
            json.dumps(as_json(probe(asker, config, None, load_model(), 30)))
        )
        return found


@pytest.fixture(scope="session")
def found_recorded(recorded: tuple[str, str]) -> dict[str, Any]:
    """What probing a recorded server finds."""
    return probed(recorded[1])


@pytest.fixture(scope="session")
def found_lab() -> dict[str, Any]:
    """What probing a lab with a few machines finds."""
    with lab_server(Simulation(6)) as front:
        return probed(front.url)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands."""
    return Shell(monkeypatch, capsys)
