"""A lab per test that wants one, over HTTP, seen through a plain pywbem client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from pywbem import WBEMConnection

from cimi_cim.lab.front import Account, Certificate
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation


class Clock:
    """Seconds since 1970, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Lab:
    """A running lab: its simulation, its clock, a client of its implementation namespace."""

    simulation: Simulation
    clock: Clock
    url: str
    client: Any

    def machine(self, state: str) -> Any:
        """Return the path of the first machine of the population that is in a state."""
        number = self.simulation.personality.population.index(state)
        return self.client.EnumerateInstanceNames("LAB_VirtualSystem")[number]

    def interop(self) -> Any:
        """Return a client of the interop namespace."""
        return WBEMConnection(self.url, default_namespace="interop")


@pytest.fixture
def lab() -> Iterator[Callable[..., Lab]]:
    """Start labs: `lab(machines=20, pace=1.0)`; all end with the test."""
    with ExitStack() as stack:

        def start(
            machines: int = 20,
            certificate: Certificate | None = None,
            account: Account | None = None,
            **options: Any,
        ) -> Lab:
            clock = Clock()
            simulation = Simulation(machines, clock=clock, **options)
            front = stack.enter_context(
                lab_server(simulation, certificate=certificate, account=account)
            )
            client = stack.enter_context(WBEMConnection(front.url, default_namespace="root/virt"))
            return Lab(simulation, clock, front.url, client)

        yield start
