"""A bridge over a lab in this process: a client of both of them."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

import falcon.testing
import pywbem

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.backend import Backend, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.services import service_over

BASE = "http://cloud.example"
NS = "http://schemas.dmtf.org/cimi/2"
LIMIT_S = 30


class BridgeClient:
    """A client of a bridge over configured targets."""

    def __init__(self, stack: ExitStack, *targets: TargetConfig, with_jobs: bool = True) -> None:
        engine = open_engine(targets, load_model())
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine, with_jobs=with_jobs))
        app = make_app(service, http=HttpConfig(base_url=BASE))
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

    def get(self, url: str) -> dict[str, Any]:
        answer = self.ask("GET", url)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def job(self, answer: Any) -> dict[str, Any]:
        """The Job of an answer, once it is over."""
        assert answer.status_code in (200, 201, 202), answer.text
        limit = time.monotonic() + LIMIT_S
        while True:
            job = self.get(answer.headers["CIMI-Job-URI"])
            if job["state"] not in ("QUEUED", "RUNNING", "STOPPING"):
                return job
            assert time.monotonic() < limit, job
            time.sleep(0.02)

    def done(self, method: str, url: str, body: Any = None) -> dict[str, Any]:
        """Ask, and return the Job, which must succeed."""
        job = self.job(self.ask(method, url, body))
        assert job["state"] == "SUCCESS", job
        return job

    def refused(self, method: str, url: str, body: Any = None) -> dict[str, Any]:
        """Ask for what cannot be; returns the Job that says why, at once or later."""
        job = self.failed(method, url, body)
        # What is refused is told by HTTP, or by the provider's own word; never as its failure.
        assert job["returnCode"] not in (10502, 10503, 10504), job
        return job

    def failed(self, method: str, url: str, body: Any = None) -> dict[str, Any]:
        """Ask, and return the Job, which must fail, at once or later."""
        answer = self.ask(method, url, body)
        job: dict[str, Any] = answer.json
        if answer.status_code in (200, 201, 202):
            job = self.job(answer)
        else:
            assert answer.status_code >= 400, answer.text
        assert job["state"] == "FAILED", answer.text
        return job

    def made(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create in a Collection, and return what was made."""
        collection = self.get(url)["id"]
        job = self.done("POST", url, body)
        hrefs = [ref["href"] for ref in job["affectedResources"]]
        made = [href for href in hrefs if href.rpartition("/")[0] == collection]
        return self.get(made[-1])


class Cloud(BridgeClient):
    """A client of a bridge over a lab, and of the lab itself: by default one without delay."""

    def __init__(self, stack: ExitStack, simulation: Simulation | None = None) -> None:
        front = stack.enter_context(lab_server(simulation or Simulation(3, pace=0)))
        self.lab = pywbem.WBEMConnection(front.url, default_namespace="root/virt")
        stack.callback(self.lab.close)
        super().__init__(stack, TargetConfig("lab", front.url))


class Heard:
    """A backend that notes what it is asked: operations, and method calls with parameters."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.operations: list[str] = []
        self.calls: list[MethodCall] = []

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        self.operations.append(call.operation)
        return self.inner.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        self.operations.append(call.method)
        self.calls.append(call)
        return self.inner.method(call)

    def forget(self) -> None:
        """Count anew."""
        self.operations.clear()
        self.calls.clear()


def action(name: str, **parameters: Any) -> dict[str, Any]:
    return {"resourceURI": f"{NS}/Action", "action": f"{NS}/action/{name}", **parameters}
