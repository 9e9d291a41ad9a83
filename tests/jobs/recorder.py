"""A tiny server that stands for a WBEM server: it does what it is told, and remembers it."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cimi_cim.errors import ConflictError, OutcomeUnknown, ProviderUnavailable


class Recorder:
    """What was done, in order. A deed takes `takes_s` seconds once it was asked for.

    `+NAME` does something, `-NAME` undoes it, `?NAME` asks how often it was done.
    """

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.refuses: set[str] = set()
        self.deeds: list[str] = []
        self.port = 0
        self.watch: Callable[[str, str], None] = lambda stage, line: None
        """Told when a deed is "asked" for, and when it is "done", before the answer."""
        self.looked_up: Callable[[], None] = lambda: None
        """Told after somebody asked how often something was done."""
        self._lock = threading.Lock()

    def answer(self, line: str) -> str:
        """Do what a line asks for."""
        if line in self.refuses:
            return "no"
        if line.startswith("?"):
            with self._lock:
                count = self.deeds.count(f"+{line[1:]}") - self.deeds.count(f"-{line[1:]}")
            self.looked_up()
            return str(count)
        self.watch("asked", line)
        time.sleep(self.takes_s)
        with self._lock:
            self.deeds.append(line)
        self.watch("done", line)
        return "ok"

    def done(self) -> Counter[str]:
        """How often each thing was done."""
        with self._lock:
            return Counter(deed[1:] for deed in self.deeds if deed.startswith("+"))

    def standing(self) -> set[str]:
        """What was done and not undone."""
        with self._lock:
            left = Counter(deed[1:] for deed in self.deeds if deed.startswith("+"))
            left.subtract(deed[1:] for deed in self.deeds if deed.startswith("-"))
        return {name for name, count in left.items() if count}


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run a recorder on a free port."""
    recorder = Recorder()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            answer = recorder.answer(line)
            try:
                self.wfile.write(f"{answer}\n".encode())
            except OSError:
                return  # whoever asked is dead

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # a caller that was killed resets its connection

    with Server(("127.0.0.1", 0), Handler) as server:
        recorder.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


def ask(port: int, line: str) -> str:
    """Send a line and return the answer, as a gateway would: with errors that say what is known."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    except OSError as exc:
        raise ProviderUnavailable("the recorder cannot be reached") from exc
    with connection, connection.makefile("rw") as stream:
        stream.write(f"{line}\n")
        stream.flush()
        answer = stream.readline().strip()
    if not answer:
        raise OutcomeUnknown("the recorder did not answer")
    if answer == "no":
        raise ConflictError(f"the recorder refuses {line[1:]}", reason="refused")
    return answer
