"""`cimi-cim check`: every mistake of a mapping at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cimi_cim.mapping.compiler import check_file
from cimi_cim.model.load import load_model


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check mapping FILES against the language and the CIM class declarations.

    Prints one line per mistake (file:line:column: what is wrong) and exits with 1 if
    there is any.
    """
    mistakes = [line for file in files for line in check_file(file, load_model())]
    for line in mistakes:
        click.echo(line)
    if mistakes:
        sys.exit(1)
    click.echo(f"{len(files)} {'file' if len(files) == 1 else 'files'}: no mistakes")
