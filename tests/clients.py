"""A client of a bridge in this process, over a lab or any other engine, and an empty store."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import falcon.testing

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.services import service_over

BASE = "http://cloud.example"
NS = "http://schemas.dmtf.org/cimi/2"

PARAMETERS = {
    "IPv4": {"netmask": "255.255.255.0", "subnetAddress": "10.0.0.0"},
    "IPv6": {"prefixLength": "64", "subnetAddress": "2001:db8::"},
}


def segment_template(protocol: str = "IPv4", **more: Any) -> dict[str, Any]:
    """What makes a ProtocolSegment, with the parameters that its protocol needs."""
    return {"protocol": protocol, "parameters": PARAMETERS[protocol], **more}


class Client:
    """A client of a bridge over a lab of five machines, and of an empty store.

    `wbem` is where the lab is; another client may use the same one. Without `with_jobs` nothing
    is made or deleted there.
    """

    def __init__(
        self,
        stack: ExitStack,
        *,
        store_url: str | None = None,
        wbem: str | None = None,
        with_jobs: bool = False,
    ) -> None:
        self.wbem = wbem or stack.enter_context(lab_server(Simulation(5))).url
        self.engine = open_engine([TargetConfig("lab", self.wbem)], load_model())
        stack.callback(self.engine.close)
        self.service = stack.enter_context(
            service_over(self.engine, store_url=store_url, with_jobs=with_jobs)
        )
        app = make_app(self.service, http=HttpConfig(base_url=BASE))
        self._client = falcon.testing.TestClient(app)

    def ask(self, method: str, url: str, body: Any = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        path, _, query = url.removeprefix(BASE).partition("?")
        return self._client.simulate_request(
            method,
            path if path.startswith("/") else f"/cimi/2/{path}",
            query_string=query,
            body=json.dumps(body) if isinstance(body, dict) else body,
            headers=sent,
        )

    def get(self, url: str, **headers: str) -> dict[str, Any]:
        answer = self.ask("GET", url, **headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def add(self, url: str, body: Any, **headers: str) -> dict[str, Any]:
        answer = self.ask("POST", url, body, **headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json
        assert answer.headers["Location"] == made["id"]
        assert self.get(answer.headers["CIMI-Job-URI"])["state"] == "SUCCESS"
        return made

    @property
    def network(self) -> dict[str, str]:
        """A reference to the first Network of the lab."""
        return {"href": self.get("networks?$last=1")["networks"][0]["id"]}

    def segment(self, **template: Any) -> dict[str, Any]:
        """A new segment of it."""
        whole = segment_template(network=self.network, **template)
        return self.add("segments", {"protocolSegmentTemplate": whole})


def action(name: str, **parameters: Any) -> dict[str, Any]:
    return {"resourceURI": f"{NS}/Action", "action": f"{NS}/action/{name}", **parameters}


def rels(document: dict[str, Any]) -> set[str]:
    return {operation["rel"] for operation in document.get("operations", [])}
