"""`cimi-cim replay`: a recorded server as a WBEM server."""

from __future__ import annotations

from pathlib import Path

import click

from cimi_cim.cli.serving import ReadyFile, wait_for_the_end
from cimi_cim.lab.replay import replay_server


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5988, show_default=True,
    help="0 picks a free one.",
)  # fmt: skip
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def replay(folder: Path, port: int, ready_file: Path | None) -> None:
    """Answer CIM-XML over HTTP from the recording in FOLDER."""
    ready = ReadyFile(ready_file)
    with replay_server(folder, port) as front:
        click.echo(f"the recording {folder.name} answers at {front.url}")
        wait_for_the_end(ready, {"wbem": front.url})
