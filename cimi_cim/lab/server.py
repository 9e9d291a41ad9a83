"""The lab: the simulated platform behind CIM-XML over HTTP, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cimi_cim.errors import ConfigError
from cimi_cim.lab.front import Account, Certificate, WbemFront
from cimi_cim.lab.simulation import Simulation

MOST_MACHINES = 10_000


@contextmanager
def lab_server(
    simulation: Simulation,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Certificate | None = None,
    account: Account | None = None,
) -> Iterator[WbemFront]:
    """Run the simulation as a WBEM server for as long as the context lasts.

    Raises `ConfigError` when the port is taken or the certificate cannot be used.
    """
    try:
        front = WbemFront(
            simulation, host=host, port=port, certificate=certificate, account=account
        )
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {exc.strerror}; say another port with --port"
        ) from exc
    with front:
        try:
            yield front
        finally:
            simulation.close()
