"""GET /machines at 1,000 machines, against a plain pywbem script and the bare decode.

The lab's replies are recorded first; the bridge and the script then ask the same five
questions and get the same bytes. The script is what one would write by hand: it reads
only the properties it needs, joins in dictionaries and makes the same JSON values.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import falcon.testing
import pywbem
from waitress.server import create_server

from cimi_cim.http.app import make_app
from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.load import load_model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.decode import InstanceDecoder
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tracing import Trace, TracingGateway, traced
from cimi_cim.wbem.transport import ConnectionSettings
from tests.asked import properties
from tests.bench.timing import median_s
from tests.services import service_over

MACHINES = 1000


class Recorded:
    """A lab whose answers are kept as bytes and given again."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._kept: dict[Any, Reply] = {}

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        wanted = frozenset(call.parameters.get("PropertyList", ()))
        key = (call.operation, call.namespace, str(call.parameters.get("ClassName")), wanted)
        if not call.operation.startswith("Enumerate"):
            return self._simulation.intrinsic(call)
        if key not in self._kept:
            fragments = self._simulation.intrinsic(call).fragments or ()
            self._kept[key] = Reply([b"".join(fragments)])
        return self._kept[key]

    def method(self, call: MethodCall) -> Reply:
        return self._simulation.method(call)


@contextmanager
def bridge(url: str) -> Iterator[tuple[str, falcon.testing.TestClient]]:
    """Run a bridge on the server at `url`; gives the URL of its machines, and a way round HTTP."""
    model = load_model()
    client = WbemClient(ConnectionSettings(url), load_dialect("generic"))
    gateway = TracingGateway(client, "lab")
    engine = Engine([Target("lab", gateway, load_mapping("base", model))])
    with service_over(engine) as service:
        app = make_app(service)
        server = create_server(app, host="127.0.0.1", port=0)
        worker = threading.Thread(target=server.run, daemon=True)
        worker.start()
        yield (
            f"http://127.0.0.1:{server.effective_port}/cimi/2/machines",
            falcon.testing.TestClient(app),
        )
        server.close()
    server.task_dispatcher.shutdown()
    engine.close()


def script(url: str, wanted: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The plain pywbem script."""
    with pywbem.WBEMConnection(url, default_namespace="root/virt") as client:
        read = {
            cls: client.EnumerateInstances(cls, PropertyList=names) for cls, names in wanted.items()
        }
    settings = {str(i.path): i for i in read["CIM_VirtualSystemSettingData"]}
    resources = {str(i.path): i for i in read["CIM_ResourceAllocationSettingData"]}
    parts: dict[str, list[Any]] = {}
    for link in read["CIM_VirtualSystemSettingDataComponent"]:
        resource = resources[str(link["PartComponent"])]
        parts.setdefault(str(link["GroupComponent"]), []).append(resource)
    setting_of = {
        str(link["ManagedElement"]): str(link["SettingData"])
        for link in read["CIM_SettingsDefineState"]
    }
    steady = {2: "STARTED", 3: "STOPPED", 6: "SUSPENDED", 9: "PAUSED"}
    machines = []
    for system in read["CIM_ComputerSystem"]:
        setting = settings.get(setting_of.get(str(system.path), ""))
        if setting is None or "Switch" in setting.classname:
            continue
        found = parts[str(setting.path)]
        machines.append(
            {
                "id": system["OtherIdentifyingInfo"][0],
                "name": system["ElementName"],
                "state": steady.get(system["EnabledState"], "ERROR"),
                "cpu": sum(r["VirtualQuantity"] for r in found if r["ResourceType"] == 3),
                "memory": sum(r["VirtualQuantity"] for r in found if r["ResourceType"] == 4) * 1024,
            }
        )
    return machines


def main() -> None:
    with ExitStack() as stack:
        front = stack.enter_context(WbemFront(Recorded(Simulation(MACHINES))))
        url, client = stack.enter_context(bridge(front.url))

        def get() -> Any:
            with urllib.request.urlopen(url) as reply:
                return json.loads(reply.read())["machines"]

        get()
        ours = get()
        with traced(Trace()) as asked:
            client.simulate_get("/cimi/2/machines")
        wanted = properties(asked)
        theirs = script(front.url, wanted)
        common = ("name", "cpu", "memory")
        assert sorted([m[k] for k in common] for m in ours) == sorted(
            [m[k] for k in common] for m in theirs
        )
        bodies = [(_body(front.url, cls, names), names) for cls, names in wanted.items()]
        bridge_s = median_s(get)
        script_s = median_s(lambda: script(front.url, wanted), 3)
        decode_s = median_s(
            lambda: [InstanceDecoder(n, "root/virt").decode([body]) for body, n in bodies]
        )
    size = sum(len(body) for body, _ in bodies)
    print(
        f"{MACHINES} machines, {len(asked.operations)} WBEM operations, {size >> 10} KiB of replies"
    )
    print(f"bridge            {bridge_s * 1e3:7.0f} ms")
    print(f"pywbem script     {script_s * 1e3:7.0f} ms; the bridge takes {bridge_s / script_s:.2f}")
    print(f"bare decode       {decode_s * 1e3:7.0f} ms; the bridge takes {bridge_s / decode_s:.2f}")


def _body(url: str, classname: str, names: list[str]) -> bytes:
    with pywbem.WBEMConnection(url, default_namespace="root/virt") as client:
        client.debug = True
        client.EnumerateInstances(classname, PropertyList=names)
        raw = client.last_raw_reply
    return raw if isinstance(raw, bytes) else str(raw).encode()
