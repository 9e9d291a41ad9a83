"""A bridge over the vendor's server, and a plain pywbem client of the same server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import pywbem

from cimi_cim.config import HttpConfig, TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.front import WbemFront
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from tests.clouds import BASE, Cloud
from tests.services import service_over
from tests.vendor.hypervisor import NAMESPACE, Hypervisor

MAPPING = Path(__file__).with_name("acme.yaml")


class Vendor(Cloud):
    """A client of a bridge over the vendor's server, and of that server (`lab`)."""

    def __init__(self, stack: ExitStack, machines: int) -> None:
        self.server = Hypervisor(machines)
        front = stack.enter_context(WbemFront(self.server.backend))
        self.lab = pywbem.WBEMConnection(front.url, default_namespace=NAMESPACE)
        stack.callback(self.lab.close)
        engine = open_engine([TargetConfig("acme", front.url, str(MAPPING))], load_model())
        stack.callback(engine.close)
        service = stack.enter_context(service_over(engine, with_jobs=True))
        app = make_app(service, http=HttpConfig(base_url=BASE))
        self._client = falcon.testing.TestClient(app)

    def instances(self, classname: str) -> list[Any]:
        """What a plain client reads."""
        found: list[Any] = self.lab.EnumerateInstances(classname)
        return found

    def machine(self, test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first machine that passes a test, whole."""
        return next(self.get(m["id"]) for m in self.get("machines")["machines"] if test(m))

    def called(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each call of a method so far."""
        return [sent for name, sent in self.server.backend.calls if name == method]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with ExitStack() as stack:
        yield Vendor(stack, 7)
