"""CIM-XML over HTTP and HTTPS (DSP0200) in front of a backend.

Reads the request, asks the backend, wraps its already rendered reply. Connections are
kept alive; every connection has a thread.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import select
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import (
    Backend,
    CimError,
    IntrinsicCall,
    MethodCall,
    Reply,
    Unanswered,
)
from cimi_cim.lab.replies import render_reply
from cimi_cim.lab.requests import BadRequest, parse_request

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16 * 2**20
MAX_CONNECTIONS = 256
IDLE_S = 60
CIM_ERR_FAILED = 1


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form: the server's certificate with its chain, and its key."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Account:
    """Who may use the server."""

    user: str
    password: Secret


class WbemFront:
    """An HTTP server that speaks CIM-XML; port 0 picks a free one. A context manager.

    With a `certificate` it speaks HTTPS only; with an `account` it wants HTTP Basic
    authentication. Raises `ConfigError` for a certificate that cannot be used.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        account: Account | None = None,
        handler: type[Handler] | None = None,
    ) -> None:
        context = None if certificate is None else _context(certificate)
        own = {"backend": backend, "account": account}
        handler = type("Handler", (handler or Handler,), own)
        self._server = _Server((host, port), handler, context)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="wbem-front"
        )
        self._scheme = "http" if context is None else "https"
        self._host = f"[{host}]" if ":" in host else host

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"{self._scheme}://{self._host}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering: what is being answered is finished, idle connections are closed."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> WbemFront:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate.chain, certificate.key)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"{certificate.chain} and {certificate.key} cannot be used as certificate and key:"
            f" {exc.strerror or exc}"
        ) from exc
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handler: Any, context: ssl.SSLContext | None
    ) -> None:
        self._context = context
        self._open: dict[Any, bool] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._is_ending = False
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept; the TLS handshake is the connection's own thread's affair."""
        request, address = super().get_request()
        request.settimeout(IDLE_S)
        if self._context is not None:
            request = self._context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        return request, address

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._lock:
            self._open[request] = False
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the client's affair."""
        log.debug("a connection ended early", exc_info=True)

    def mark(self, request: Any, *, is_busy: bool) -> bool:
        """Note whether a connection is being answered; False if the server is ending."""
        with self._lock:
            self._open[request] = is_busy
            return not self._is_ending

    def close_connections(self) -> None:
        """End idle kept-alive connections, so that their threads end."""
        with self._lock:
            self._is_ending = True
            idle = [request for request, is_busy in self._open.items() if not is_busy]
        for request in idle:
            try:
                request.shutdown(2)
            except OSError:
                log.debug("a connection was closed already")


class _Refused(Exception):
    """A request that is answered with an HTTP status alone."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(BaseHTTPRequestHandler):
    """One connection; `backend` and `account` are given by a subclass per server."""

    backend: Backend
    account: Account | None
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write per reply
    server: _Server

    def setup(self) -> None:
        """Shake hands first, in this connection's own thread."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def do_POST(self) -> None:
        """Answer one request."""
        if not self.server.mark(self.request, is_busy=True):
            self.close_connection = True
        try:
            self._answer()
        except _Refused as refused:
            self.close_connection = True  # its body may not have been read
            self.send_answer(refused.status, [], refused.headers)
        except Unanswered as lost:
            self._abandon(lost)
        if not self.server.mark(self.request, is_busy=False):
            self.close_connection = True

    def _abandon(self, lost: Unanswered) -> None:
        """Give no answer: cut the connection, or wait until the other side has enough."""
        self.close_connection = True
        if not lost.is_cut and self.server.mark(self.request, is_busy=False):
            select.select([self.connection], [], [])

    def _answer(self) -> None:
        account = self.account
        if account and not _may_enter(self.headers.get("Authorization"), account):
            raise _Refused(401, WWW_Authenticate='Basic realm="wbem"')
        self.reply_to(self._body())

    def reply_to(self, body: bytes) -> None:
        """Send the answer to a request. Raises `Unanswered`."""
        try:
            request = parse_request(body)
            _match_headers(self.headers, request.call)
        except BadRequest as exc:
            raise _Refused(exc.status, CIMError=exc.cause) from exc
        reply = answer(self.backend, request.call)
        self.send_answer(200, render_reply(request, reply), {"CIMOperation": "MethodResponse"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunked()
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise _Refused(411)
        if int(length) > MAX_REQUEST_BYTES:
            raise _Refused(413)
        return self.rfile.read(int(length))

    def _chunked(self) -> bytes:
        body = b""
        while True:
            size = self.rfile.readline(100).partition(b";")[0].strip()
            try:
                count = int(size, 16)
            except ValueError as exc:
                raise _Refused(400) from exc
            if count < 0 or len(body) + count > MAX_REQUEST_BYTES:
                raise _Refused(413)
            body += self.rfile.read(count)
            self.rfile.readline(100)
            if count == 0:
                return body

    def send_answer(self, status: int, pieces: list[bytes], headers: dict[str, str]) -> None:
        """Send status, headers and body; XML, if the headers do not say otherwise."""
        headers = {"Content-Type": 'application/xml; charset="utf-8"', **headers}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"".join(pieces))
        self.wfile.flush()

    def _not_allowed(self) -> None:
        self.close_connection = True
        self.send_answer(405, [], {"Allow": "POST"})

    do_GET = _not_allowed  # noqa: N815 - the names http.server looks for
    do_HEAD = _not_allowed  # noqa: N815
    do_PUT = _not_allowed  # noqa: N815
    do_DELETE = _not_allowed  # noqa: N815
    do_OPTIONS = _not_allowed  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on stderr."""
        log.debug(format, *args)


def _may_enter(header: str | None, account: Account) -> bool:
    """Compare in constant time, user and password together."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        sent = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    wanted = f"{account.user}:{account.password.reveal()}".encode()
    return hmac.compare_digest(sent, wanted)


def _match_headers(headers: Any, call: IntrinsicCall | MethodCall) -> None:
    """Where a client says the operation in headers too, they must agree (DSP0200 7.3.4)."""
    said = headers.get("CIMMethod")
    name = call.operation if isinstance(call, IntrinsicCall) else call.method
    if said is not None and said.strip() not in (name, f'"{name}"'):
        raise BadRequest("header-mismatch")


def answer(backend: Backend, call: IntrinsicCall | MethodCall) -> Reply | CimError:
    """Ask the backend; whatever goes wrong is a CIM error. Raises `Unanswered`."""
    try:
        return backend.intrinsic(call) if isinstance(call, IntrinsicCall) else backend.method(call)
    except CimError as exc:
        return exc
    except Unanswered:
        raise
    except Exception:
        log.exception("the backend failed")
        return CimError(CIM_ERR_FAILED, "internal error of the WBEM server; see its log")
