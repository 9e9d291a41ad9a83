"""`cimi-cim check`: every mistake of a mapping, or of a server dialect, at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cimi_cim.mapping.compiler import check_file
from cimi_cim.mapping.structure import language_text
from cimi_cim.model.load import load_model
from cimi_cim.wbem.dialect import check_dialect, is_dialect


def _print_schema(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        click.echo(language_text(), nl=False)
        context.exit()


@click.command()
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of the mapping language, for editors, and exit.",
)  # fmt: skip
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check mapping FILES against the language and the CIM class declarations.

    A FILE may also be the dialect of a WBEM server, as in mappings/servers/.

    Prints one line per mistake (file:line:column: what is wrong) and exits with 1 if
    there is any.
    """
    mistakes = [
        line
        for file in files
        for line in (check_dialect(file) if is_dialect(file) else check_file(file, load_model()))
    ]
    for line in mistakes:
        click.echo(line)
    if mistakes:
        sys.exit(1)
    click.echo(f"{len(files)} {'file' if len(files) == 1 else 'files'}: no mistakes")
