"""What a request must be before anything looks at what it asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from cimi_cim.errors import BadRequest, ClientError, HeadersTooLarge, PayloadTooLarge, UriTooLong

MAX_URI_BYTES = 8192
MAX_PARAMETERS = 256
# Where the server puts what it could not read: (status, what is wrong).
REFUSED = "cimi_cim.refused"
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")


def raw_target(environ: Mapping[str, Any]) -> str:
    """Return the request target as it was sent (RFC 9112 3.2), a character per byte."""
    said = environ.get("REQUEST_URI")
    if said is not None:
        return str(said)
    query = environ.get("QUERY_STRING")
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    return f"{path}?{query}" if query else path


def admit(environ: Mapping[str, Any], max_body_bytes: int) -> None:
    """Refuse a request whose form is wrong, or that is too long. Raises `ClientError`."""
    if REFUSED in environ:
        status, what = environ[REFUSED]
        raise _refusal(status, what, max_body_bytes)
    target = raw_target(environ)
    if len(target) > MAX_URI_BYTES:
        raise UriTooLong(f"the URI is longer than {MAX_URI_BYTES} bytes; ask for less at once")
    path, _, query = target.partition("?")
    _check_path(re.sub(r"^https?://[^/]*", "", path, flags=re.IGNORECASE))
    if b"\0" in _decoded(query.replace("+", " ")):
        raise BadRequest("the query holds a NUL; leave it out", reason="bad-uri")
    if query.count("&") >= MAX_PARAMETERS:
        raise BadRequest(
            f"a URI has {MAX_PARAMETERS} query parameters at most", reason="too-many-parameters"
        )
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > max_body_bytes:
        raise PayloadTooLarge(f"the body is longer than {max_body_bytes} bytes; send less")


def _check_path(path: str) -> None:
    if path[:1] not in ("/", ""):
        raise BadRequest("the request target is no path; it begins with /", reason="bad-uri")
    if _CONTROLS.search(_decoded(path)) or "#" in path:
        raise BadRequest("the path holds a control character or a #", reason="bad-uri")
    # Only as sent: a decoded slash would make one resource out of two names.
    if "%2f" in path.lower():
        raise BadRequest("the path holds an encoded slash; write / itself", reason="bad-uri")
    segments = path.split("/")
    if any(_decoded(segment) in (b".", b"..") for segment in segments):
        raise BadRequest("the path holds . or .. segments; resolve them", reason="bad-uri")
    if "" in segments[1:-1]:
        raise BadRequest("the path holds //; write one slash", reason="bad-uri")


def _decoded(text: str) -> bytes:
    found = _BAD_PERCENT.search(text)
    if found is not None:
        raise BadRequest(
            "a % in the URI is not followed by two hexadecimal digits; write %25 for a percent"
            " sign",
            reason="bad-uri",
        )
    decoded = unquote_to_bytes(text.encode("latin-1"))
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadRequest("the URI is not UTF-8 behind its percent-encoding",
                         reason="bad-uri") from exc  # fmt: skip
    return decoded


def _refusal(status: int, what: str, max_body_bytes: int) -> ClientError:
    if status == PayloadTooLarge.status:
        return PayloadTooLarge(f"the body is longer than {max_body_bytes} bytes; send less")
    if status == HeadersTooLarge.status:
        return HeadersTooLarge("the headers are too long; send fewer or shorter ones")
    return BadRequest(f"this is not HTTP/1.1 as RFC 9112 has it: {what}", reason="bad-http")
