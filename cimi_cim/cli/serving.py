"""What the serving commands share: the ready file, and ending on SIGTERM."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import threading
from pathlib import Path

from cimi_cim.errors import ConfigError


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


def must_be_loopback(host: str) -> None:
    """Refuse an address that others can reach, as long as nobody has to log in.

    Raises `ConfigError`.
    """
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise ConfigError(
            f"{host} can be reached from outside and there is no authentication; listen on"
            " 127.0.0.1 and put a proxy that authenticates in front"
        )
