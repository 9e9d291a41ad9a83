"""A WBEM server that answers each request with the bytes a test gives."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.faults.proxy import FaultProxy, Play

HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n'


@dataclass
class Raw:
    """What was asked so far: the name of each operation, and the whole request."""

    url: str
    asked: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Answer = Callable[[str, str], bytes]
"""Gives the body for an operation's name and the request."""


@contextmanager
def raw_server(
    answer: Answer, status: int = 200, headers: dict[str, str] | None = None
) -> Iterator[Raw]:
    """Serve for as long as the context lasts."""
    raw = Raw("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            name = str(self.headers["CIMMethod"])
            raw.asked.append(name)
            raw.requests.append(request)
            body = answer(name, request)
            self.send_response(status)
            for key, value in {"Content-Type": "application/xml", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    raw.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield raw
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(inner: str, name: str = "X", kind: str = "IMETHODRESPONSE") -> bytes:
    """Return a reply around what its response element holds."""
    return (
        HEAD
        + (
            '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1001" PROTOCOLVERSION="1.0">'
            f'<SIMPLERSP><{kind} NAME="{name}">{inner}</{kind}></SIMPLERSP></MESSAGE></CIM>'
        ).encode()
    )


def listing(*instances: str) -> bytes:
    """Return a reply to EnumerateInstances."""
    return reply(f"<IRETURNVALUE>{''.join(instances)}</IRETURNVALUE>")


def named(key: str, properties: str = "") -> str:
    """Return an instance of X_Thing with the key Name, as EnumerateInstances lists it."""
    return (
        '<VALUE.NAMEDINSTANCE><INSTANCENAME CLASSNAME="X_Thing"><KEYBINDING NAME="Name">'
        f'<KEYVALUE VALUETYPE="string">{key}</KEYVALUE></KEYBINDING></INSTANCENAME>'
        f'<INSTANCE CLASSNAME="X_Thing">{properties}</INSTANCE></VALUE.NAMEDINSTANCE>'
    )


def error(code: int, text: str = "") -> bytes:
    """Return a CIM error."""
    return reply(f'<ERROR CODE="{code}" DESCRIPTION="{text}"/>')


def spoken(change: Callable[[bytes], bytes], head: bytes = b"") -> Play:
    """Return the fault of a server that says the same with other bytes, and more headers."""

    def play(proxy: FaultProxy, connection: object, answered: bytes, body: bytes) -> None:
        said = change(body)
        length = b"Content-Length: %d" % len(said)
        answered = re.sub(rb"Content-Length: \d+", length + head, answered)
        connection.sendall(answered + said)  # type: ignore[attr-defined]

    return play
