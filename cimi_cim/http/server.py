"""The HTTP server: waitress with explicit limits, and an end that cuts nothing.

waitress alone drops requests in flight on SIGTERM. Here its loop is run step by step:
when the end comes the listening socket closes, idle connections close, and every
connection that still has a request closes after its answer.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import WSGITask

from cimi_cim.config import HttpConfig
from cimi_cim.errors import ConfigError
from cimi_cim.http.admission import REFUSED

log = logging.getLogger(__name__)

BACKLOG = 1024
IDLE_S = 120  # a connection without a request is closed
MAX_HEADER_BYTES = 64 * 1024
# What a client sends beyond the limit is read up to here: closing early would reset the
# connection, and the client would never see why.
READ_BEYOND_BYTES = 8 * 2**20
_TICK_S = 1.0
# A connection that was used a moment ago may bring its next request already; closing it would
# lose that one. Measured with eight clients sending all the time: without this wait, one
# request in 1,600 was lost at the end.
_GRACE_S = 0.5
_DRAIN_TICK_S = 0.1


class HttpServer:
    """Serves a WSGI application in threads of its own.

    Raises `ConfigError` when it cannot listen.
    """

    def __init__(self, app: Any, config: HttpConfig) -> None:
        listener = _listen(config.host, config.port)
        port = listener.getsockname()[1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.url = f"http://{host}:{port}"
        self._map: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=self._map,
            sockets=[listener],
            threads=config.threads,
            backlog=BACKLOG,
            connection_limit=config.max_connections + 2,  # the listener and the trigger count
            channel_timeout=IDLE_S,
            cleanup_interval=IDLE_S // 4,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=config.max_body_bytes + READ_BEYOND_BYTES,
            clear_untrusted_proxy_headers=False,  # the application decides whom to trust
            server_name=host,
            ident="cimi-cim",
            expose_tracebacks=False,
            log_socket_errors=False,
        )
        self._server.channel_class = _Channel
        self._ends_at: float | None = None
        self._is_listening = True
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def drain(self, limit_s: float) -> bool:
        """Take no new connections, finish the requests in flight, then close.

        Returns whether all of them were finished within the limit.
        """
        ends_at = time.monotonic() + limit_s
        self._ends_at = ends_at
        self._server.pull_trigger()  # wakes the loop, which sees that the end has come
        self._thread.join()
        # A client that went away leaves its request behind in a thread.
        left_s = max(0.0, ends_at - time.monotonic())
        dispatcher = self._server.task_dispatcher
        dispatcher.shutdown(timeout=left_s)
        is_whole = not self._server.active_channels and not dispatcher.threads
        wasyncore.close_all(self._map)
        return is_whole

    def _run(self) -> None:
        while True:
            tick_s = _TICK_S if self._ends_at is None else _DRAIN_TICK_S
            wasyncore.loop(tick_s, use_poll=True, map=self._map, count=1)
            if self._ends_at is None:
                continue
            if self._is_listening:
                self._stop_listening()
            self._close_idle()
            if not self._server.active_channels or time.monotonic() >= self._ends_at:
                return

    def _stop_listening(self) -> None:
        """Take what the system has accepted already, then close."""
        for _ in range(BACKLOG):
            if not _has_input(self._server.socket):
                break
            self._server.handle_accept()
        wasyncore.dispatcher.close(self._server)
        self._is_listening = False

    def _close_idle(self) -> None:
        for channel in list(self._server.active_channels.values()):
            with channel.requests_lock:
                if channel.requests:
                    # The answer says that the connection ends with it (RFC 9112 9.6).
                    channel.requests[-1].headers["CONNECTION"] = "close"
                is_idle = not channel.requests and channel.request is None
            is_quiet = time.time() - channel.last_activity >= _GRACE_S  # waitress has wall time
            is_sent = not channel.total_outbufs_len
            if is_idle and is_quiet and is_sent and not _has_input(channel.socket):
                channel.handle_close()


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """A parser whose result has all its parts, also when the request could not be read."""

    command = "GET"
    path = request_uri = "/"
    query = ""
    url_scheme = "http"

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.error is not None:
            self.expect_continue = False  # nobody waits for the body of a refused request
        return consumed


class _RefusedTask(WSGITask):  # type: ignore[misc]  # waitress is untyped
    """Lets the application tell what the server refuses, in the form of its other errors."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[REFUSED] = (self.request.error.code, self.request.error.reason)
        return environ

    def execute(self) -> None:
        self.set_close_on_finish()  # where the next request begins is unknown
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    parser_class = _Parser
    error_task_class = _RefusedTask


def _has_input(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as exc:
        raise ConfigError(
            f"cannot listen on {host}: {exc.strerror}; say an address of this machine with --host"
        ) from exc
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # here, where it can fail: the port may be another's
    except OSError as exc:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {exc.strerror};"
            " say another address with --host or another port with --port"
        ) from exc
    return listener
