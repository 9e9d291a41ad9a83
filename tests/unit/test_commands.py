"""The commands of `cimi-cim`, which are imported when they are run."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cimi_cim.cli.late import LateCommand
from cimi_cim.cli.main import commands

NAMES = ["check", "explain", "lab", "openapi", "probe", "record", "replay", "serve", "user"]


def late(name: str) -> LateCommand:
    found = commands.commands[name]
    assert isinstance(found, LateCommand)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_says_what_the_command_says_of_itself(name: str) -> None:
    own = late(name).load()
    assert own.name == name
    assert late(name).get_short_help_str(1000) == own.get_short_help_str(1000)


def test_every_command_is_in_the_list() -> None:
    said = CliRunner().invoke(commands, ["--help"]).stdout
    listed = [line.split()[0] for line in said.partition("Commands:")[2].splitlines() if line]
    assert listed == NAMES == sorted(commands.commands)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_is_its_own(name: str) -> None:
    said = CliRunner().invoke(commands, [name, "-h"], prog_name="cimi-cim")
    assert (said.exit_code, said.stdout.split()[:3]) == (0, ["Usage:", "cimi-cim", name])
    for parameter in late(name).load().params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in said.stdout


def completed(words: list[str], begun: str) -> list[str]:
    found = ShellComplete(commands, {}, "cimi-cim", "_CIMI_CIM_COMPLETE")
    return [item.value for item in found.get_completions(words, begun)]


def test_a_shell_completes_names_of_commands_and_their_options() -> None:
    assert completed([], "re") == ["record", "replay"]
    assert completed(["user"], "a") == ["add"]
    assert completed(["lab"], "--mach") == ["--machines"]


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (["--help"], {"pywbem", "sqlalchemy", "falcon", "lxml", "rich", "cimi_cim.config"}),
        (["lab", "--help"], {"sqlalchemy", "falcon", "dbos", "cimi_cim.mapping.engine"}),
        (["user", "--help"], {"pywbem", "falcon", "dbos", "cimi_cim.mapping"}),
    ],
)
def test_only_what_the_command_needs_is_imported(words: list[str], unused: set[str]) -> None:
    program = (
        "import sys; from cimi_cim.cli.main import commands;"
        f"commands({words}, standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "cimi_cim.cli.late" in loaded
    assert not loaded & unused
