"""`cimi-cim probe`: what a WBEM server is like, and what can be served from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cimi_cim.cli.option_words import in_words_of_the_command
from cimi_cim.cli.probe_files import Place
from cimi_cim.cli.probe_report import as_json, print_files, print_report
from cimi_cim.cli.seconds import Seconds
from cimi_cim.config import target_of_flags
from cimi_cim.mapping.probing.asking import Tell
from cimi_cim.mapping.probing.probe import asked, probe
from cimi_cim.model.load import load_model

_WIDE = 140


@click.command(name="probe")
@click.argument("url")
@click.option("--user", help="Account on the server.")
@click.option(
    "--password-file", type=click.Path(path_type=str),
    help="File that holds the password, in its only line.",
)  # fmt: skip
@click.option("--ca", help="PEM file: whom to trust instead of the system's authorities.")
@click.option("--client-cert", help="PEM file: our own certificate.")
@click.option("--client-key", help="PEM file: its key, where it is not in the same file.")
@click.option(
    "--verify/--no-verify", default=True, show_default=True,
    help="Whether the server must prove who it is.",
)  # fmt: skip
@click.option("--namespace", help="Namespace of the managed objects, if you know it.")
@click.option(
    "--alias", default="server", show_default=True, help="Name of the target in what is written."
)
@click.option(
    "--timeout", type=Seconds(), default=30.0, show_default=True,
    help="Seconds that one question may take.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER|FILE.yaml",
    help="Write the overlay there, and beside it the class declarations and bridge.yaml.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")
def probe_command(
    url: str, user: str | None, password_file: str | None, ca: str | None,
    client_cert: str | None, client_key: str | None, verify: bool, namespace: str | None,
    alias: str, timeout: float, out: Path | None, force: bool, is_json: bool,
) -> None:  # fmt: skip
    """Find out what the WBEM server at URL is like, and what CIMI can be served from it.

    Nothing on the server is changed. Prints what was found out, the mapping and the
    server dialect that fit, and for each attribute and operation of CIMI where it comes
    from, with a sample value, or why it is not there. With --out it writes an overlay to
    begin with, the class declarations that it needs, and a configuration that serves it.
    """
    config = target_of_flags(
        {
            "alias": alias, "url": url, "user": user, "password_file": password_file, "ca": ca,
            "client_cert": client_cert, "client_key": client_key, "verify": verify,
            "deadline_s": timeout,
        }
    )  # fmt: skip
    place = None if out is None else Place.at(out, force=force)
    with in_words_of_the_command(), progress() as tell, asked(config, tell, timeout) as asker:
        probed = probe(asker, config, namespace, load_model(), timeout)
    written = None if place is None else place.write(probed)
    if is_json:
        click.echo(json.dumps(as_json(probed, written), indent=2))
        return
    paper = _paper()
    print_report(probed, paper)
    print_files(probed, written, paper)


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on stderr what is being asked, where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("asking")
        yield lambda what: shown.update(task, description=f"asking for {what}")


def _paper() -> Console:
    """What reports are printed on: as wide as the terminal, and wide enough elsewhere."""
    is_terminal = Console().is_terminal
    return Console(highlight=False, width=None if is_terminal else _WIDE)
