"""What hrefs begin with: the scheme and authority that the client sees.

Taken from the request, so nothing of it is believed unchecked: a Host header that is no
host would put a stranger's text into every href.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from cimi_cim.config.kinds import is_host
from cimi_cim.errors import BadRequest

Networks: TypeAlias = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?\Z")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
# RFC 7239 4: name=token or name="quoted"; pairs end with ; and elements with a comma.
_PAIR = re.compile(
    r"[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=(\"(?:[^\"\\]|\\.)*\"|[^\s\",;]+))?[ \t]*([;,]|\Z)", re.ASCII
)


def origin(environ: Mapping[str, Any], trusted: Networks) -> str:
    """Return `SCHEME://AUTHORITY` as the client of this request knows the bridge.

    An absolute request target wins over Host (RFC 9112 3.2.2); a proxy among `trusted`
    may say better with Forwarded (RFC 7239) or X-Forwarded-Proto and -Host. Raises
    `BadRequest` for what is no authority, and for HTTP/1.1 without Host.
    """
    absolute = _ABSOLUTE.match(environ.get("REQUEST_URI", ""))
    host = absolute[1] if absolute else environ.get("HTTP_HOST")
    if host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("HTTP/1.1 wants a Host header; send one", reason="bad-host")
    said = {"proto": environ["wsgi.url_scheme"]}
    said["host"] = _authority(
        f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}" if host is None else host, "Host"
    )
    if _is_trusted(environ.get("REMOTE_ADDR", ""), trusted):
        said |= _said_by_proxies(environ, trusted)
    return f"{said['proto']}://{said['host']}"


def _authority(text: str, header: str) -> str:
    match = _AUTHORITY.match(text)
    port = match[2] if match else None
    if match is None or not is_host(match[1].strip("[]")) or int(port or 1) not in range(1, 65536):
        raise BadRequest(f"the {header} header names no host; send HOST or HOST:PORT",
                         reason="bad-host")  # fmt: skip
    return text


def _is_trusted(address: str, trusted: Networks) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return any((mapped or ip) in network for network in trusted)


def _said_by_proxies(environ: Mapping[str, Any], trusted: Networks) -> dict[str, str]:
    """What the proxies say, checked. Two headers that contradict each other are refused.

    A proxy that sets one kind often lets the client's own header of the other kind
    through.
    """
    forwarded = _forwarded(environ.get("HTTP_FORWARDED", ""), environ["REMOTE_ADDR"], trusted)
    # Each proxy appends: only the last value is surely the trusted one's.
    last = {
        name: environ.get(f"HTTP_X_FORWARDED_{name.upper()}", "").rpartition(",")[2].strip()
        for name in ("proto", "host")
    }
    said = {name: value for name, value in last.items() if value}
    if any(forwarded[name] != said.get(name, forwarded[name]) for name in forwarded):
        raise BadRequest(
            "Forwarded and X-Forwarded headers contradict each other; the proxy must set or"
            " remove both",
            reason="bad-forwarding",
        )
    said |= forwarded
    if said.get("proto", "http").lower() not in ("http", "https"):
        raise BadRequest("the forwarded proto is neither http nor https", reason="bad-forwarding")
    if "proto" in said:
        said["proto"] = said["proto"].lower()
    if "host" in said:
        _authority(said["host"], "forwarded host")
    return said


def _forwarded(header: str, peer: str, trusted: Networks) -> dict[str, str]:
    """What the farthest trusted proxy says: each element is of the peer that appended it."""
    said: dict[str, str] = {}
    for element in reversed(_elements(header)):
        if not _is_trusted(peer, trusted):
            break
        said |= {name: element[name] for name in ("proto", "host") if name in element}
        peer = re.sub(r"^\[(.*)\](:\d+)?$|^([^:]*):\d+$", r"\1\3", element.get("for", ""))
    return said


def _elements(header: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(header):
        match = _PAIR.match(header, position)
        if match is None:
            raise BadRequest("the Forwarded header is not as RFC 7239 has it",
                             reason="bad-forwarding")  # fmt: skip
        name, value, end = match.groups()
        if name:
            quoted = value.startswith('"')
            elements[-1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        if end == ",":
            elements.append({})
        position = match.end()
    return elements
