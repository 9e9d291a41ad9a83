"""What the serving commands share: the ready file, and ending on SIGTERM."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from cimi_cim.errors import ConfigError

ONE_REQUEST_S = 0.5
"""How long after a signal another one may come and still be the same request to end."""


class ReadyFile:
    """The file that says that the program is ready: it is there exactly while it is.

    Raises `ConfigError` at once when it could not be written later. A file that an
    earlier process left behind is removed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = None if path is None else path.absolute()
        if self._path is None:
            return
        folder = self._path.parent
        if not folder.is_dir():
            raise ConfigError(f"--ready-file {path}: no folder {folder}; create it first")
        if self._path.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigError(f"--ready-file {path}: cannot be written; say another path")
        self._path.unlink(missing_ok=True)

    def write(self, urls: dict[str, str]) -> None:
        """Write `{"pid": ..., **urls}` in one go: a reader never sees half of it."""
        if self._path is None:
            return
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps({"pid": os.getpid(), **urls}), encoding="utf-8")
            temporary.replace(self._path)
        except OSError as exc:
            temporary.unlink(missing_ok=True)
            raise ConfigError(f"--ready-file {self._path}: {exc.strerror}") from exc

    def remove(self) -> None:
        """Remove the file, unless it is a later process's by now."""
        if self._path is None:
            return
        try:
            if json.loads(self._path.read_bytes())["pid"] == os.getpid():
                self._path.unlink()
        except (OSError, ValueError, LookupError, TypeError):
            return  # nothing of ours is there


def wait_for_the_end(ready: ReadyFile, urls: dict[str, str]) -> None:
    """Say that the program is ready, and return when SIGTERM or SIGINT comes.

    The caller then finishes what is in flight; a second request to end ends the process at
    once. Signals that come together are one request: `timeout`, make and a terminal tell a
    whole group of processes and then each of them.
    """
    signals = _Signals()
    try:
        ready.write(urls)
        signals.next()
    finally:
        ready.remove()
    asked_at = time.monotonic()

    def leave_when_asked_again() -> None:
        while True:
            number = signals.next()
            if time.monotonic() - asked_at >= ONE_REQUEST_S:
                leave(128 + number)

    threading.Thread(target=leave_when_asked_again, daemon=True).start()


def leave_when_asked() -> None:
    """From now on SIGTERM and SIGINT end the process at once; temporary folders are removed."""
    signals = _Signals()
    threading.Thread(target=lambda: leave(128 + signals.next()), daemon=True).start()


class _Signals:
    """SIGTERM and SIGINT as they come.

    The system gives a signal to any thread. Python runs handlers in the main thread alone,
    which sleeps on when it waits for a lock and another thread was told; a socket wakes
    whoever reads it.
    """

    def __init__(self) -> None:
        self._inlet, self._outlet = socket.socketpair()
        self._inlet.setblocking(False)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: None)  # nothing but what comes with any handler:
        signal.set_wakeup_fd(self._inlet.fileno(), warn_on_full_buffer=False)

    def next(self) -> int:
        """Wait for the next one, and return its number."""
        while True:
            number = self._outlet.recv(1)[0]
            if number in (signal.SIGTERM, signal.SIGINT):
                return number


_temporary: set[Path] = set()


@contextmanager
def removed_at_the_end(folder: Path) -> Iterator[Path]:
    """Keep a temporary folder as long as the context lasts, or until the process leaves."""
    _temporary.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _temporary.discard(folder)


def leave(status: int) -> NoReturn:
    """End the process without waiting for threads that are still at work."""
    for folder in tuple(_temporary):
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def must_be_loopback(host: str) -> None:
    """Refuse an address that others can reach, as long as nobody has to log in.

    Raises `ConfigError`.
    """
    if not is_loopback(host):
        raise ConfigError(
            f"{host} is no loopback address, and without authentication others must not reach"
            " the program; listen on 127.0.0.1 and put a proxy that authenticates in front"
        )
