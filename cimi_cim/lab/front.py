"""CIM-XML over HTTP (DSP0200, DSP0201) in front of a backend.

Reads the request, parses it, asks the backend, wraps its already rendered reply.
Connections are kept alive; every connection has a thread.
"""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from cimi_cim.lab.backend import Backend, CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.wbem.decode import read_parameter, read_path

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16 * 2**20
CIM_ERR_FAILED = 1
_BOOLEANS = ("LocalOnly", "DeepInheritance", "IncludeQualifiers", "IncludeClassOrigin")


class BadRequest(Exception):
    """A request that is no CIM-XML; `cause` is the CIMError header's word (DSP0200 7.3)."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def parse_request(body: bytes) -> IntrinsicCall | MethodCall:
    """Return the operation a request asks for. Raises `BadRequest`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as exc:
        raise BadRequest("request-not-well-formed") from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadRequest("request-not-valid")
    intrinsic = root.find(".//SIMPLEREQ/IMETHODCALL")
    method = root.find(".//SIMPLEREQ/METHODCALL")
    try:
        if intrinsic is not None:
            return _intrinsic(intrinsic)
        if method is not None:
            path = read_path(method[0], "")
            sent = {str(p.get("NAME")): read_parameter(p, path.namespace) for p in list(method)[1:]}
            return MethodCall(str(method.get("NAME")), path, sent)
    except (IndexError, ValueError, TypeError) as exc:
        raise BadRequest("request-not-valid") from exc
    raise BadRequest("request-not-valid")


def _intrinsic(call: Any) -> IntrinsicCall:
    namespace = "/".join(part.get("NAME") for part in call[0].iter("NAMESPACE"))
    parameters: dict[str, Any] = {}
    for element in call[1:]:
        if len(element):
            name = str(element.get("NAME"))
            parameters[name] = _parameter(name, element[0], namespace)
    return IntrinsicCall(str(call.get("NAME")), namespace, parameters)


def _parameter(name: str, value: Any, namespace: str) -> Any:
    if value.tag == "CLASSNAME":
        return str(value.get("NAME"))
    if value.tag == "INSTANCENAME":
        return read_path(value, namespace)
    if value.tag == "VALUE.ARRAY":
        return tuple(item.text or "" for item in value)
    text = value.text or ""
    return text.strip().lower() == "true" if name in _BOOLEANS else text


def render_reply(call: IntrinsicCall | MethodCall, reply: Reply | CimError) -> bytes:
    """Return the whole reply document around the rendered fragments."""
    is_intrinsic = isinstance(call, IntrinsicCall)
    name = call.operation if isinstance(call, IntrinsicCall) else call.method
    response, returned = (
        ("IMETHODRESPONSE", "IRETURNVALUE") if is_intrinsic else ("METHODRESPONSE", "RETURNVALUE")
    )
    if isinstance(reply, CimError):
        description = quoteattr(reply.description)
        inner = f'<ERROR CODE="{reply.code}" DESCRIPTION={description}/>'.encode()
    else:
        inner = b"".join(reply.out)
        if reply.fragments is not None:
            body = b"".join(reply.fragments)
            kind = b"" if is_intrinsic else b' PARAMTYPE="uint32"'
            tag = returned.encode()
            inner = b"<" + tag + kind + b">" + body + b"</" + tag + b">" + inner
    head = (
        '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
        f'<MESSAGE ID="1001" PROTOCOLVERSION="1.0"><SIMPLERSP><{response} NAME={quoteattr(name)}>'
    )
    return head.encode() + inner + f"</{response}></SIMPLERSP></MESSAGE></CIM>\n".encode()


class WbemFront:
    """An HTTP server that speaks CIM-XML; port 0 picks a free one. A context manager."""

    def __init__(self, backend: Backend, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port), _handler(backend))
        self._thread = threading.Thread(target=self._server.serve_forever, name="wbem-front")
        self._host = host

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://{self._host}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; open connections are closed."""
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


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End idle kept-alive connections, so that their threads end."""
        with self._lock:
            waiting = list(self._open)
        for request in waiting:
            try:
                request.shutdown(2)
            except OSError:
                log.debug("a connection was closed already")


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one write per reply

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
                self.close_connection = True
                self._send(413 if length.isdigit() else 411, b"", {})
                return
            try:
                call = parse_request(self.rfile.read(int(length)))
            except BadRequest as exc:
                self._send(400, b"", {"CIMError": exc.cause})
                return
            self._send(200, render_reply(call, answer(backend, call)), {})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("CIMOperation", "MethodResponse")
            self.send_header("Content-Type", 'application/xml; charset="utf-8"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            log.debug(format, *args)

    return Handler


def answer(backend: Backend, call: IntrinsicCall | MethodCall) -> Reply | CimError:
    """Ask the backend; whatever goes wrong is a CIM error."""
    try:
        return backend.intrinsic(call) if isinstance(call, IntrinsicCall) else backend.method(call)
    except CimError as exc:
        return exc
    except Exception:
        log.exception("the backend failed")
        return CimError(CIM_ERR_FAILED, "internal error of the WBEM server; see its log")
