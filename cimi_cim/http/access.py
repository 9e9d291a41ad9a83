"""The access log: a line per request, without what could be a secret."""

from __future__ import annotations

import logging
import time

import falcon

from cimi_cim.http.admission import raw_target

log = logging.getLogger("cimi_cim.access")

_LONGEST_PATH = 200


def shown_path(req: falcon.Request) -> str:
    """Return the path as sent, for logs: printable, of bounded length, without the query."""
    path = raw_target(req.env).partition("?")[0]
    return path.encode("ascii", "backslashreplace").decode()[:_LONGEST_PATH].translate(_ESCAPED)


_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def record(req: falcon.Request, resp: falcon.Response, request_id: str, began: float) -> None:
    """Log a request; `began` is of `time.monotonic`."""
    log.info(
        "%s %s %s %s %s %d bytes %.1f ms",
        request_id, req.remote_addr, req.method, shown_path(req),
        falcon.code_to_http_status(resp.status)[:3], len(resp.data or b""),
        (time.monotonic() - began) * 1000,
    )  # fmt: skip
