"""The command `cimi-cim`."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click

from cimi_cim import __version__
from cimi_cim.cli.late import LateCommand
from cimi_cim.errors import CimiCimError


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="cimi-cim")
@click.pass_context
def commands(context: click.Context) -> None:
    """A DMTF CIMI cloud API (DSP0263) in front of CIM/WBEM servers."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


for _late in (
    LateCommand(
        "serve", "Serve CIMI 2.0 and 1.x from the WBEM servers that the configuration names."
    ),
    LateCommand("user", "Add, list and remove the users who may log in, and set their passwords."),
    LateCommand(
        "lab", "Answer CIM-XML over HTTP for a virtualization platform that is only simulated."
    ),
    LateCommand(
        "probe",
        "Find out what the WBEM server at URL is like, and what CIMI can be served from it.",
        attribute="probe_command",
    ),
    LateCommand(
        "record", "Record the WBEM server at URL as a tape in FOLDER, for `cimi-cim replay`."
    ),
    LateCommand("replay", "Answer CIM-XML over HTTP from the recording in FOLDER."),
    LateCommand(
        "check", "Check mapping FILES against the language and the CIM class declarations."
    ),
    LateCommand("explain", "Tell how the bridge answers a request for URI, and from what."),
    LateCommand("openapi", "Print the OpenAPI 3.1 document that `serve` answers at /openapi.json."),
):
    commands.add_command(_late)


def main() -> None:
    """Run a command; what goes wrong is one line on stderr and exit code 2."""
    try:
        sys.exit(commands(standalone_mode=False))
    except CimiCimError as exc:
        _complain(exc.message)
    except click.UsageError as exc:
        path = exc.ctx.command_path if exc.ctx else "cimi-cim"
        _complain(f"{exc.format_message()} See `{path} --help`.")
    except OSError as exc:
        _drop_output()
        _complain(f"{exc.strerror or exc}; the output is not whole, or a file cannot be used")
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _drop_output() -> None:
    """Let go what stdout still holds: writing it at exit would fail again, with a traceback."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"cimi-cim: {line}", err=True)
    sys.exit(2)
