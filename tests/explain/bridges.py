"""Bridges in this process over the server that a shipped mapping is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import falcon.testing

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.replay import replay_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.mapping.source import shipped_mappings
from cimi_cim.model.load import load_model
from tests.array import Array
from tests.clients import BASE
from tests.services import service_over
from tests.tapes import SERVERS, tape_folder

SERVED = {
    "base": ("lab",),
    "libvirt-cim": SERVERS,
    "smi-s": ("array",),
    "smi-s-copy-services": ("array",),
}
"""The servers that there are here for each mapping."""


def cases() -> list[tuple[str, str]]:
    """Every shipped mapping with every server that it is tried on; "" where there is none."""
    return [(name, server) for name in shipped_mappings() for server in SERVED.get(name, ("",))]


class Bridge:
    """Asks a bridge, and has it explain what it answers."""

    def __init__(self, app: Any) -> None:
        self._client = falcon.testing.TestClient(app)

    def get(self, path: str, **headers: str) -> Any:
        """Return the answer to a GET."""
        where, _, query = path.removeprefix(BASE).partition("?")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.simulate_get(where, query_string=query, headers=sent)

    def explained(self, path: str) -> dict[str, Any]:
        """Return how a GET is answered."""
        answer = self.get(path, X_CIMI_Explain="1")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


@contextmanager
def bridge_to(*targets: TargetConfig, deadline_s: float = 30) -> Iterator[Bridge]:
    """Open a bridge to some targets, with an empty store."""
    with ExitStack() as stack:
        engine = open_engine(targets, load_model())
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine, deadline_s=deadline_s))
        yield Bridge(make_app(service, http=HttpConfig(base_url=BASE)))


@contextmanager
def bridge_over(mapping: str, server: str) -> Iterator[Bridge]:
    """Open a bridge over a lab, a simulated array, or a tape, by one mapping."""
    with ExitStack() as stack:
        if server in ("lab", "array"):
            platform = Simulation(3) if server == "lab" else Array()
            url = stack.enter_context(WbemFront(platform)).url
            target = TargetConfig(server, url, mapping=mapping)
        else:
            url = stack.enter_context(replay_server(tape_folder(server))).url
            target = TargetConfig("kvm", url, mapping=mapping, server=server)
        yield stack.enter_context(bridge_to(target))
