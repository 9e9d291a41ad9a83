"""`cimi-cim lab`: a simulated virtualization platform as a WBEM server."""

from __future__ import annotations

from pathlib import Path

import click

from cimi_cim.cli.passwords import read_password
from cimi_cim.cli.serving import ReadyFile, must_be_loopback, wait_for_the_end
from cimi_cim.errors import ConfigError
from cimi_cim.lab.front import Account, Certificate
from cimi_cim.lab.personality import load_personality
from cimi_cim.lab.server import MOST_MACHINES, lab_server
from cimi_cim.lab.simulation import Simulation


@click.command()
@click.option(
    "--machines", type=click.IntRange(0, MOST_MACHINES), default=20, show_default=True,
    help="How many machines there are at first.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same inventory.")
@click.option(
    "--pace", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="Multiplies the time that work takes; 0 makes it happen at once.",
)  # fmt: skip
@click.option(
    "--fail", "failures", multiple=True, metavar="SPEC",
    help="What goes wrong on purpose, such as DefineSystem:nth=3:rc=2 (docs/lab.md). Repeatable.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5988, show_default=True,
    help="0 picks a free one.",
)  # fmt: skip
@click.option(
    "--personality", "file", type=click.Path(path_type=Path),
    help="YAML file with the names, units and states of another vendor.",
)  # fmt: skip
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM file: speak HTTPS.")
@click.option("--key", type=click.Path(path_type=Path), help="PEM file: the certificate's key.")
@click.option("--user", help="Who may use the server; without one, everybody on this machine.")
@click.option("--password-file", type=click.Path(path_type=Path), help="Holds the password.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def lab(
    machines: int, seed: int, pace: float, failures: tuple[str, ...], host: str, port: int,
    file: Path | None, certificate: Path | None, key: Path | None, user: str | None,
    password_file: Path | None, ready_file: Path | None,
) -> None:  # fmt: skip
    """Answer CIM-XML over HTTP for a virtualization platform that is only simulated."""
    account = _account(user, password_file)
    if account is None:
        must_be_loopback(host)
    if (certificate is None) != (key is None):
        raise ConfigError("--certificate and --key go together")
    tls = None if certificate is None or key is None else Certificate(certificate, key)
    personality = None if file is None else load_personality(file)
    simulation = Simulation(
        machines, seed=seed, pace=pace, personality=personality, failures=failures
    )
    ready = ReadyFile(ready_file)
    with lab_server(simulation, host=host, port=port, certificate=tls, account=account) as front:
        click.echo(f"a lab with {machines} machines answers CIM-XML at {front.url}")
        namespaces = (simulation.personality.implementation, simulation.personality.interop)
        click.echo(f"namespaces: {', '.join(namespaces)}")
        wait_for_the_end(ready, {"wbem": front.url})


def _account(user: str | None, password_file: Path | None) -> Account | None:
    password = read_password(user, password_file)
    return None if user is None or password is None else Account(user, password)
