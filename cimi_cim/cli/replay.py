"""`cimi-cim replay`: a recorded server as a WBEM server."""

from __future__ import annotations

from pathlib import Path

import click

from cimi_cim.cli.serving import wait_for_the_end, write_ready_file
from cimi_cim.lab.replay import replay_server


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--port", type=int, default=5988, show_default=True, help="0 picks a free one.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def replay(folder: Path, port: int, ready_file: Path | None) -> None:
    """Answer CIM-XML over HTTP from the recording in FOLDER."""
    with replay_server(folder, port) as front:
        click.echo(f"the recording {folder.name} answers at {front.url}")
        write_ready_file(ready_file, {"wbem": front.url})
        wait_for_the_end()
