"""Runs `cimi-cim` as its user does: a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT_S = 120  # on a busy machine a bridge needs a while


@dataclass
class Running:
    """A serving command that said it is ready."""

    process: subprocess.Popen[str]
    ready_file: Path
    urls: dict[str, Any]


@contextmanager
def started(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run `cimi-cim ARGUMENTS` on a free port; what is left at the end is killed."""
    ready = folder / f"{arguments[0]}.json"
    command = [sys.executable, "-m", "cimi_cim", *arguments, "--port", "0"]
    with subprocess.Popen(
        [*command, "--ready-file", str(ready)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        try:
            limit = time.monotonic() + LIMIT_S
            while not ready.exists():
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < limit, "it never became ready"
                time.sleep(0.02)
            yield Running(process, ready, json.loads(ready.read_text()))
        finally:
            process.kill()


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """Run `cimi-cim ARGUMENTS` until the context ends; SIGTERM must end it well."""
    with started(folder, *arguments) as program:
        yield program.urls
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(LIMIT_S) == 0
