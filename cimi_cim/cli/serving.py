"""What the serving commands share: the ready file, and ending on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path


def write_ready_file(path: Path | None, urls: dict[str, str]) -> None:
    """Write `{"pid": ..., **urls}` at once, so that a reader never sees half of it."""
    if path is None:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"pid": os.getpid(), **urls}), encoding="utf-8")
    temporary.replace(path)


def wait_for_the_end() -> None:
    """Return when SIGTERM or SIGINT comes."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    over.wait()
