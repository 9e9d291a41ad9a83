"""A bridge over a lab, both over HTTP, for tests that act: what was called is counted."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from lxml import etree

from cimi_cim.config import TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.backend import Backend, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.services import service_over


@dataclass
class Watched:
    """A backend that notes every method call, and may answer one itself.

    `answers` is asked first; None leaves the call to the backend behind.
    """

    behind: Backend
    answers: Callable[[MethodCall], Reply | None] | None = None
    calls: list[MethodCall] = field(default_factory=list)

    @property
    def requested(self) -> list[Any]:
        """The states that were requested, in order."""
        return [call.parameters.get("RequestedState") for call in self.calls]

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        return self.behind.intrinsic(call)

    def method(self, call: MethodCall) -> Reply:
        self.calls.append(call)
        answer = self.answers(call) if self.answers is not None else None
        return answer if answer is not None else self.behind.method(call)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def job(self) -> dict[str, Any]:
        """The error body, whatever its format."""
        if "json" in self.headers["content-type"]:
            found: dict[str, Any] = json.loads(self.body)
            return found
        return {etree.QName(child).localname: child.text for child in etree.fromstring(self.body)}


@dataclass(frozen=True)
class Bridge:
    """A running bridge: its address, and the backend it talks to."""

    url: str
    backend: Watched

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media: str | None = "application/json",
        **headers: str,
    ) -> Answer:
        """Send one request to a path or URL."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        if body is not None and media is not None:
            headers["Content-Type"] = media
        try:
            connection.request(method, path.removeprefix(self.url), body, headers)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, reply.read())
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        """Return a resource that must be there."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def act(self, machine: str, name: str, **parameters: Any) -> Answer:
        """Post an action in JSON to a path of 2.0."""
        uri = f"http://schemas.dmtf.org/cimi/2/action/{name}"
        body = json.dumps({"action": uri, **parameters}).encode()
        return self.request("POST", f"{machine}/{name}", body)

    def machines(self) -> list[str]:
        """The paths of the machines under /cimi/2, in the order of the server."""
        found = self.get("/cimi/2/machines")["machines"]
        return [urlsplit(machine["id"]).path for machine in found]

    def first(self, state: str) -> str:
        """The path of the first machine in a state."""
        found = self.get("/cimi/2/machines")["machines"]
        return next(str(urlsplit(m["id"]).path) for m in found if m["state"] == state)

    def state(self, machine: str) -> str:
        """The state of a machine now."""
        return str(self.get(machine)["state"])


@contextmanager
def bridge_over(
    backend: Backend,
    mapping: str = "base",
    *,
    deadline_s: float = 30,
    action_wait_s: float = 0.5,
) -> Iterator[Bridge]:
    """Run a backend behind CIM-XML, and a bridge on it, for as long as the context lasts.

    `deadline_s` is that of actions.
    """
    watched = Watched(backend)
    model = load_model()
    with WbemFront(watched) as front:
        target = TargetConfig("lab", front.url, mapping, action_wait_s=action_wait_s)
        engine = open_engine([target], model)
        with service_over(engine, deadline_s=deadline_s) as service:
            app = make_app(service)
            server = make_server("127.0.0.1", 0, app, _Threading, _Silent)
            worker = threading.Thread(target=server.serve_forever, args=(0.02,))
            worker.start()
            try:
                yield Bridge(f"http://127.0.0.1:{server.server_port}", watched)
            finally:
                server.shutdown()
                server.server_close()
                worker.join()
                engine.close()


class _Threading(ThreadingMixIn, WSGIServer):
    """A thread per connection; all have ended when it is closed."""


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
