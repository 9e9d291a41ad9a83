"""The listener: where WBEM servers send their indications (DSP0200 7.4, DSP1054).

It has an address of its own: WBEM servers live in another network than clients of the API, have
no account there, and must not be able to slow them down. Whoever knows a secret path may tell
something about one server; for all others there is nothing here. What is told is handed on at
once, and never waited for.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from cimi_cim.errors import ConfigError
from cimi_cim.wbem.exports import (
    METHOD,
    BadExport,
    Indication,
    RefusedExport,
    accepted,
    read_export,
    refused,
)

log = logging.getLogger(__name__)

Receiver = Callable[[Indication], None]
"""Takes an indication, and returns at once."""

MAX_BODY_BYTES = 2**20
"""The longest request: an indication holds an instance or two."""
THREADS, MAX_CONNECTIONS, IDLE_S = 2, 200, 60
_BACKLOG = 128
_REASONS = {
    400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large",
    501: "Not Implemented",
}  # fmt: skip


class Listener:
    """Takes export requests in threads of its own; port 0 picks a free one.

    Raises `ConfigError` when it cannot listen.
    """

    def __init__(self, host: str, port: int) -> None:
        listening = _listen(host, port)
        self._receivers: dict[bytes, Receiver] = {}
        self._map: dict[int, Any] = {}
        self._server = create_server(
            self.answer, map=self._map, sockets=[listening], threads=THREADS,
            connection_limit=MAX_CONNECTIONS, channel_timeout=IDLE_S,
            cleanup_interval=IDLE_S // 2, max_request_body_size=MAX_BODY_BYTES,
            max_request_header_size=2**14, ident="cimi-cim", expose_tracebacks=False,
            log_socket_errors=False,
        )  # fmt: skip
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listening.getsockname()[1]}"
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self, receivers: Mapping[str, Receiver]) -> None:
        """Begin to take requests; the receivers by the path under which they are told."""
        self._receivers = {_digest(path): receiver for path, receiver in receivers.items()}
        self._thread.start()

    def close(self) -> None:
        """Take no more requests; those that are being answered are finished."""
        self._is_closed = True
        self._server.pull_trigger()  # wakes the loop
        self._thread.join()
        self._server.task_dispatcher.shutdown(timeout=2)
        wasyncore.close_all(self._map)

    def _run(self) -> None:
        while not self._is_closed:
            wasyncore.loop(1.0, use_poll=True, map=self._map, count=1)

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        headers = {"Content-Type": 'application/xml; charset="utf-8"'}
        try:
            body = self._take(environ)
            status, headers["CIMExport"] = "200 OK", "MethodResponse"
        except BadExport as exc:
            status, body = f"{exc.status} {_REASONS[exc.status]}", b""
            headers |= {"CIMError": exc.cause} if exc.cause else {}
            headers |= {"Allow": "POST"} if exc.status == 405 else {}
        headers["Content-Length"] = str(len(body))
        start_response(status, list(headers.items()))
        return [body]

    def _take(self, environ: dict[str, Any]) -> bytes:
        receiver = self._receivers.get(_digest(environ.get("PATH_INFO", "")))
        if receiver is None:
            raise BadExport(404)
        _check_headers(environ)
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BadExport(413)
        try:
            export = read_export(body)
        except RefusedExport as exc:
            return refused(exc)
        receiver(export.indication)
        return accepted(export.message_id)


def _digest(path: str) -> bytes:
    """What paths are compared by: how long that takes tells nothing about them."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()


def _check_headers(environ: Mapping[str, Any]) -> None:
    """Raise `BadExport` for a request that says of itself that it is another one."""
    method = environ["REQUEST_METHOD"]
    if method == "M-POST":  # whoever tries that first goes on with POST after a 501
        raise BadExport(501)
    if method != "POST":
        raise BadExport(405)
    if environ.get("HTTP_CIMEXPORT", "").strip().lower() != "methodrequest":
        raise BadExport(400, "header-mismatch")
    said = environ.get("HTTP_CIMEXPORTMETHOD")
    if said is not None and said.strip().strip('"') != METHOD:
        raise BadExport(400, "header-mismatch")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise ConfigError(
            f"indications: cannot listen on {host}: {exc.strerror}; say an address of this machine"
        ) from exc
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as exc:
        listening.close()
        raise ConfigError(
            f"indications: cannot listen on {host}:{port}: {exc.strerror}; say another host or port"
        ) from exc
    return listening
