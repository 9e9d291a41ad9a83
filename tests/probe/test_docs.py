"""The example on the page about servers of one's own is what the program prints."""

from __future__ import annotations

import re

import pytest

from tests.probe.example import PAGE, blocks, found
from tests.probe.running import Shell


def test_the_example_is_what_the_program_prints() -> None:
    """If this fails, look at the difference, then `python -m tests.probe.example`."""
    assert found(PAGE.read_text(encoding="utf-8")) == blocks()


@pytest.mark.parametrize("command", ["probe", "check"])
def test_every_flag_on_the_page_is_one(command: str, shell: Shell) -> None:
    said = re.findall(rf"cimi-cim {command} ([^\n`]*)", PAGE.read_text(encoding="utf-8"))
    flags = {word for line in said for word in line.split() if word.startswith("--")}
    assert flags
    told = shell.run(command, "--help").out
    assert {flag for flag in flags if flag not in told} == set()
