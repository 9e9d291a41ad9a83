"""HTTP connections whose reads are bounded by a deadline in total, headers included.

`http.client` reads a reply's head line by line, each read with a time-out of its own:
a server that drips one byte a second could hold it for hours.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from cimi_cim.wbem.deadline import Deadline

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def bounded_by(deadline: Deadline) -> Iterator[None]:
    """Bound the replies to requests that are sent in this context."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class _BoundedReads(io.RawIOBase):
    """The raw stream of a socket; no read lasts longer than what is left of the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        # Holds the socket open for as long as the reply is read, as makefile() promises.
        self._stream = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.remaining_s()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedSocket:
    """What `http.client.HTTPResponse` takes for a socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReads(self._sock, self._deadline))


def _response(sock: Any, **options: Any) -> http.client.HTTPResponse:
    deadline = _deadline.get()
    bounded: Any = sock if deadline is None else _BoundedSocket(sock, deadline)
    return http.client.HTTPResponse(bounded, **options)


class BoundedConnection(HTTPConnection):
    """A plain connection; see the module."""

    response_class = staticmethod(_response)  # type: ignore[assignment]


class BoundedTlsConnection(HTTPSConnection):
    """A TLS connection; see the module."""

    response_class = staticmethod(_response)  # type: ignore[assignment]
