"""The lab over HTTP, against pywbem's mock in the same process.

Both hold the same instances and are asked by the same pywbem client, which parses the
answers of both; the mock needs no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pywbem
import pywbem_mock

from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.schema.mof import compile_folders
from tests.bench.timing import median_s

MACHINES = 200


def mock_of(simulation: Simulation, client: Any) -> Any:
    """Return pywbem's mock with the lab's classes and instances."""
    mock = pywbem_mock.FakedWBEMConnection(default_namespace="root/virt")
    qualifiers = client.EnumerateQualifiers()
    mock.add_cimobjects(list(qualifiers), namespace="root/virt")
    classes, _ = compile_folders(simulation.personality.mof_folders)
    for cls in classes:  # superclasses come first
        mock.add_cimobjects(cls, namespace="root/virt")
    for root in client.EnumerateClassNames():
        mock.add_cimobjects(list(client.EnumerateInstances(root)), namespace="root/virt")
    return mock


def main() -> None:
    simulation = Simulation(MACHINES)
    with lab_server(simulation) as front:
        client = pywbem.WBEMConnection(front.url, default_namespace="root/virt")
        mock = mock_of(simulation, client)
        machine = client.EnumerateInstanceNames("LAB_VirtualSystem")[0]
        cases: dict[str, Callable[[Any], Any]] = {
            "GetInstance": lambda c: c.GetInstance(machine),
            "Associators": lambda c: c.Associators(machine, AssocClass="CIM_SystemDevice"),
            "EnumerateInstanceNames": lambda c: c.EnumerateInstanceNames("CIM_ComputerSystem"),
            "EnumerateInstances": lambda c: c.EnumerateInstances("CIM_ComputerSystem"),
        }
        print(f"{MACHINES} machines, {len(simulation.repository)} instances")
        for name, call in cases.items():
            assert len(call(client)) == len(call(mock))
            lab_s = median_s(lambda call=call: call(client), 3)  # type: ignore[misc]
            mock_s = median_s(lambda call=call: call(mock), 3)  # type: ignore[misc]
            figures = f"{lab_s * 1e3:8.1f} ms, mock {mock_s * 1e3:8.1f} ms"
            print(f"{name:24}{figures}; the lab takes {lab_s / mock_s:.3f}")
