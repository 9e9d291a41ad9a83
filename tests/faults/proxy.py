"""A TCP proxy that spoils what a WBEM server answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

DRIP_S = 0.02

Play = Callable[["FaultProxy", socket.socket, bytes, bytes], None]
"""What to do with a client's connection, given the head and the body of the answer."""


class FaultProxy:
    """Passes requests on to a server and plays `fault` on each answer. A context manager.

    `passed_on` counts the requests the server has seen.
    """

    def __init__(self, url: str, fault: Play) -> None:
        self._upstream = urlsplit(url).netloc
        self._fault = fault
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.ended = threading.Event()
        self.passed_on = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultProxy:
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        self._threads.append(accepting)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        try:
            while True:
                head, _, body = _request(connection)
                if not head:
                    return
                self.passed_on += 1
                answer_head, answer_body = self._ask(head, body)
                self._fault(self, connection, answer_head, answer_body)
        except (OSError, _Over):
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _ask(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        upstream = http.client.HTTPConnection(self._upstream, timeout=20)
        upstream.request("POST", "/cimom", body, headers)
        reply = upstream.getresponse()
        content = reply.read()
        upstream.close()
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nCIMOperation: MethodResponse\r\n"
            b"Content-Length: %d\r\n\r\n" % len(content),
            content,
        )

    def drip(self, connection: socket.socket, text: bytes) -> None:
        """Send a byte at a time until the test is over."""
        for index in range(len(text)):
            if self.ended.wait(DRIP_S):
                return
            connection.sendall(text[index : index + 1])

    def hold(self) -> None:
        """Do nothing until the test is over."""
        self.ended.wait(30)


class _Over(Exception):
    """The fault ends the connection."""


def _request(connection: socket.socket) -> tuple[bytes, bytes, bytes]:
    text = b""
    while b"\r\n\r\n" not in text:
        more = connection.recv(65536)
        if not more:
            return b"", b"", b""
        text += more
    head, gap, body = text.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head, gap, body


def whole(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """No fault."""
    connection.sendall(head + body)


def hang(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """No answer."""
    proxy.hold()


def drip_head(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """A head that takes for ever, though every read brings something."""
    proxy.drip(connection, head.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * 4000))


def drip_body(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """A body that takes for ever."""
    connection.sendall(head)
    proxy.drip(connection, body)


def cut_head(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The connection ends in the head."""
    connection.sendall(head[: len(head) // 2])
    raise _Over


def cut_body(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The connection ends in the body."""
    connection.sendall(head + body[: len(body) // 2])
    raise _Over


def close_at_once(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The connection ends without an answer."""
    raise _Over


def reset(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The connection is reset in the body."""
    connection.sendall(head + body[: len(body) // 2])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise _Over


def garble(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """Bytes in the middle of the body are others."""
    middle = len(body) // 2
    spoilt = body[:middle] + b"\x00<<\xff" + body[middle + 4 :]
    connection.sendall(head + spoilt)


def wrong_length(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """More is announced than comes, and the connection stays open."""
    connection.sendall(head.replace(b"Content-Length: ", b"Content-Length: 9") + body)
    proxy.hold()


def short_length(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """Less is announced than comes."""
    less = b"Content-Length: %d" % (len(body) // 2)
    connection.sendall(
        head.replace(b"Content-Length: %d" % len(body), less) + body[: len(body) // 2]
    )
    proxy.hold()


def cut_chunk(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """A chunked body ends in a chunk."""
    plain = head.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    connection.sendall(plain + b"%x\r\n" % len(body) + body[: len(body) // 2])
    raise _Over


def no_end(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """No length is announced and the connection stays open after the whole body."""
    connection.sendall(head.partition(b"Content-Length")[0] + b"Connection: close\r\n\r\n" + body)
    proxy.hold()


def huge(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The body has no end."""
    connection.sendall(head.partition(b"Content-Length")[0] + b"Connection: close\r\n\r\n")
    connection.sendall(body.partition(b"<MESSAGE")[0])
    while not proxy.ended.is_set():
        connection.sendall(b"<!-- -->" * 8192)


def html(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """A web server answers."""
    page = b"<html><body>It works!</body></html>"
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page)
        + page
    )


def status(line: bytes) -> Play:
    """Return the fault of an empty answer with another status."""

    def play(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n")

    return play
