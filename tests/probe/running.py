"""Runs commands as a shell would: arguments in, exit code, stdout and stderr out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from cimi_cim.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, read."""
        return json.loads(self.out)


class Shell:
    """Runs `cimi-cim` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str) -> Ran:
        """Run it with arguments."""
        self._monkeypatch.setattr("sys.argv", ["cimi-cim", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, said.out, said.err)
