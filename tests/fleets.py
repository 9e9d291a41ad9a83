"""Many WBEM servers in this process: some answer, some are dead, some hang."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import falcon.testing

from cimi_cim.config import BreakerConfig, HttpConfig, PlacementConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.clouds import BASE, LIMIT_S, NS, Cloud
from tests.services import service_over

LABELS = {"a": {"tier": "silver"}, "b": {"tier": "gold", "rack": "7"}, "c": {"tier": "gold"}}
QUICK = BreakerConfig(failures=1, probe_s=0.02, longest_probe_s=0.05)


class Server:
    """A lab at a port of its own that stays, whether it answers, is dead, or hangs."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._front: WbemFront | None = WbemFront(simulation)
        self._front.start()
        self.url = self._front.url
        self._hanging: socket.socket | None = None

    @property
    def _port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def die(self) -> None:
        """Refuse connections."""
        if self._front is not None:
            self._front.stop()
        if self._hanging is not None:
            self._hanging.close()
        self._front = self._hanging = None

    def hang(self) -> None:
        """Take connections, and never answer."""
        self.die()
        self._hanging = socket.create_server(("127.0.0.1", self._port))

    def rise(self) -> None:
        """Answer again."""
        self.die()
        self._front = WbemFront(self.simulation, port=self._port)
        self._front.start()


class Fleet(Cloud):
    """A client of a bridge in this process over servers, by alias."""

    def __init__(
        self,
        stack: ExitStack,
        servers: dict[str, Server],
        *,
        deadline_s: float = 20,
        breaker: BreakerConfig = QUICK,
        placement: PlacementConfig | None = None,
        labels: dict[str, dict[str, str]] | None = None,
        breakers: dict[str, dict[str, float]] | None = None,
        with_jobs: bool = True,
    ) -> None:
        self.servers = servers
        targets = [
            TargetConfig(
                alias,
                server.url,
                deadline_s=deadline_s,
                labels=(labels or {}).get(alias, {}),
                breaker=(breakers or {}).get(alias, {}),
            )
            for alias, server in servers.items()
        ]
        self.engine = open_engine(targets, load_model(), breaker, placement)
        stack.callback(self.engine.close)
        service = stack.enter_context(
            service_over(self.engine, with_jobs=with_jobs, deadline_s=deadline_s)
        )
        app = make_app(service, http=HttpConfig(base_url=BASE))
        self._client = falcon.testing.TestClient(app)

    def names(self, url: str = "machines") -> set[str]:
        """The names of the items of a Collection."""
        found = self.get(url)
        items: list[dict[str, Any]] = found.get("machines", found.get("items", []))
        return {item["name"] for item in items}


@contextmanager
def serving(*simulations: Simulation) -> Iterator[list[Server]]:
    """Run servers for as long as the context lasts."""
    servers = [Server(simulation) for simulation in simulations]
    try:
        yield servers
    finally:
        for server in servers:
            server.die()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something to hold."""
    limit = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def machine(name: str, *, memory: Any = 2**20, **more: Any) -> dict[str, Any]:
    template = {"machineConfig": {"cpu": 1, "memory": memory}, **more.pop("template", {})}
    return {
        "resourceURI": f"{NS}/MachineCreate", "name": name, "machineTemplate": template, **more
    }  # fmt: skip


def volume(name: str, *, capacity: Any = 2**20, **more: Any) -> dict[str, Any]:
    template = {"volumeConfig": {"capacity": capacity}}
    return {"resourceURI": f"{NS}/VolumeCreate", "name": name, "volumeTemplate": template, **more}


def wish(target: str | None = None, labels: str | None = None) -> dict[str, Any]:
    said = {"cimi-cim:target": target, "cimi-cim:labels": labels}
    return {"properties": {name: value for name, value in said.items() if value is not None}}


def home(fleet: Fleet, made: dict[str, Any]) -> str:
    collection, token = made["id"].rsplit("/", 2)[1:]
    known = fleet.engine.identities.find(collection.rstrip("s").capitalize(), token)
    assert known is not None
    return known[0]
