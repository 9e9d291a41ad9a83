"""`cimi-cim check`: every mistake of a mapping, or of a server dialect, at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cimi_cim.config import load_config
from cimi_cim.errors import ConfigError
from cimi_cim.mapping.compiler import check_file
from cimi_cim.mapping.probing.live import check_targets
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
@click.option(
    "--live", is_flag=True,
    help="Hold the targets of a configuration, and their mappings, against the real servers.",
)  # fmt: skip
@click.option(
    "--config", "config", type=click.Path(path_type=Path), envvar="CIMI_CIM_CONFIG",
    help="Names the WBEM servers; for --live.",
)  # fmt: skip
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...], live: bool, config: Path | None) -> None:
    """Check mapping FILES against the language and the CIM class declarations.

    A FILE may also be the dialect of a WBEM server, as in mappings/servers/.

    Prints one line per mistake (file:line:column: what is wrong) and exits with 1 if
    there is any. With --live the targets of a configuration are checked on their servers:
    whether they answer and let us in, and have the namespaces, classes, associations,
    properties and methods that the mappings use.
    """
    if live:
        _check_live(config, files)
        return
    if not files:
        raise click.UsageError("Missing argument 'FILES...'.")
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


def _check_live(file: Path | None, files: tuple[Path, ...]) -> None:
    """Check all targets; one line per finding, in the order of targets."""
    if files:
        raise click.UsageError("--live takes no FILES: it checks what the configuration names.")
    if file is None:
        raise ConfigError("--live wants a configuration: say --config FILE, or CIMI_CIM_CONFIG")
    targets = load_config(file, environment=os.environ).targets
    if not targets:
        raise ConfigError(f"{file}: names no target; say them under `targets`")
    findings = check_targets(targets, load_model())
    for finding in findings:
        click.echo(str(finding))
    if any(finding.is_fatal for finding in findings):
        sys.exit(1)
    click.echo(f"{len(targets)} {'target' if len(targets) == 1 else 'targets'}: no mistakes")
