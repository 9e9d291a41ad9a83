"""HTTP to one WBEM server: a connection per worker, a total deadline, a cap on replies.

urllib3 and not pywbem's own transport: pywbem's time-out is per socket read (a
dripping server holds it as long as it likes), it reads the whole reply into memory, and
lets a netrc entry replace the configured password.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from cimi_cim.credentials import Secret
from cimi_cim.errors import CimiCimError, ConfigError
from cimi_cim.wbem.bounded import BoundedConnection, BoundedTlsConnection, bounded_by
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import not_cim_xml
from cimi_cim.wbem.errors import (
    WbemAuthFailed,
    WbemBadReply,
    WbemBusy,
    WbemNotSupported,
    WbemReplyTooLarge,
    WbemTimeout,
    WbemTlsFailed,
    WbemUnreachable,
    outcome_unknown,
)
from cimi_cim.wbem.tracing import count_message, counted_bytes

CIM_ERR_NOT_SUPPORTED = 7
CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 10.0
# What a broken server, or a proxy that lost one, answers: the call may have been carried out.
_UNDECIDED = (500, 502, 504)
DEFAULT_PORTS = {"http": 5988, "https": 5989}


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where a WBEM server is and how to prove who we are."""

    url: str
    user: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    verify: bool = True
    max_concurrency: int = 8
    reply_cap_bytes: int = 256 * 2**20


class Posts(Protocol):
    """What carries CIM-XML to a server and back; see `Transport`."""

    def post(
        self, body: bytes, headers: dict[str, str], deadline: Deadline, *, is_change: bool
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Give the chunks of the reply to `body`."""

    def close(self) -> None:
        """Close every connection."""


class Transport:
    """Posts CIM-XML and yields the reply as it comes."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        try:
            port = parts.port
        except ValueError as exc:
            raise ConfigError(f"{settings.url}: the port is no number") from exc
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ConfigError(
                f"{settings.url}: a WBEM server's URL is http://HOST[:PORT] or https://HOST[:PORT]"
            )
        self._path = parts.path if parts.path not in ("", "/") else "/cimom"
        common: dict[str, Any] = {"maxsize": settings.max_concurrency, "block": True}
        port = port or DEFAULT_PORTS[parts.scheme]
        self._pool: urllib3.HTTPConnectionPool
        if parts.scheme == "https":
            context = _tls_context(settings)
            self._pool = urllib3.HTTPSConnectionPool(
                parts.hostname, port, ssl_context=context, **common
            )
        else:
            self._pool = urllib3.HTTPConnectionPool(parts.hostname, port, **common)
        is_tls = parts.scheme == "https"
        self._pool.ConnectionCls = BoundedTlsConnection if is_tls else BoundedConnection
        self._headers = {"Content-Type": 'application/xml; charset="utf-8"'}
        if settings.user is not None:
            password = settings.password.reveal() if settings.password else ""
            self._headers |= urllib3.make_headers(basic_auth=f"{settings.user}:{password}")
        self.software = ""  # what the server calls itself in its last answer

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def post(
        self, body: bytes, headers: dict[str, str], deadline: Deadline, *, is_change: bool
    ) -> Iterator[Iterator[bytes]]:
        """Yield the chunks of the reply to `body`.

        A read whose kept-alive connection turns out to be dead is sent once more; a
        change (`is_change`) is never resent. Raises the errors of `wbem.errors`.
        """
        counted = count_message(headers["CIMMethod"], len(body))
        response = self._send(body, headers, deadline, is_change=is_change)
        is_complete = False
        try:
            self._check_answer(response, is_change=is_change)
            chunks = self._chunks(response, deadline, is_change=is_change)
            yield chunks if counted is None else counted_bytes(chunks, counted)
            is_complete = True
        finally:
            # What is announced beyond the end of the document may never come.
            if is_complete and (response.chunked or response.length_remaining == 0):
                response.drain_conn()
            else:
                response.close()
            response.release_conn()  # a closed one, too: else its place in the pool is lost

    def pass_on(
        self, body: bytes, headers: dict[str, str], deadline: Deadline
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of whatever is answered; sent once.

        Raises the errors of `wbem.errors` where there is no whole answer.
        """
        response = self._send(body, headers, deadline, is_change=True)
        try:
            content = b"".join(self._chunks(response, deadline, is_change=True))
            return response.status, response.headers, content
        finally:
            if response.length_remaining not in (0, None):
                response.close()
            response.release_conn()

    def _send(
        self, body: bytes, headers: dict[str, str], deadline: Deadline, *, is_change: bool
    ) -> Any:
        for attempt in (1, 2):
            try:
                with bounded_by(deadline):
                    return self._pool.urlopen(
                        "POST",
                        self._path,
                        body=body,
                        headers=self._headers | headers,
                        retries=False,
                        redirect=False,
                        preload_content=False,
                        timeout=self._timeout(deadline),
                        # the annotation says int; seconds in fractions are what it takes
                        pool_timeout=max(0.001, deadline.remaining_s()),  # type: ignore[arg-type]
                    )
            except ProtocolError as exc:
                if is_change or attempt == 2 or deadline.is_over:
                    raise self._lost(exc, is_change=is_change) from exc
            except (HTTPError, OSError) as exc:
                raise self._failure(exc, is_change=is_change) from exc
        raise AssertionError("unreachable")

    def _timeout(self, deadline: Deadline) -> urllib3.Timeout:
        left = deadline.remaining_s()
        if left <= 0:
            raise self._too_late()
        return urllib3.Timeout(connect=min(left, CONNECT_TIMEOUT_S), read=left)

    def _too_late(self) -> WbemTimeout:
        return WbemTimeout(
            "the WBEM server did not answer in time; try again, or raise the target's deadline_s",
            target_url=self._settings.url,
        )

    def _failure(self, exc: Exception, *, is_change: bool) -> CimiCimError:
        """The one place that knows urllib3's errors."""
        url = self._settings.url
        if isinstance(exc, SSLError | ssl.SSLError):
            return WbemTlsFailed(
                f"TLS with the WBEM server failed: {tls_trouble(exc)}", target_url=url
            )
        if isinstance(exc, NewConnectionError | ConnectTimeoutError):
            return WbemUnreachable(
                "the WBEM server cannot be reached; check the target's host and port,"
                " and that the server runs",
                target_url=url,
            )
        if is_change and not isinstance(exc, EmptyPoolError):
            return self._lost(exc, is_change=True)
        if isinstance(exc, ReadTimeoutError | EmptyPoolError | TimeoutError):
            return self._too_late()
        return self._lost(exc, is_change=is_change)

    def _lost(self, exc: Exception, *, is_change: bool) -> CimiCimError:
        if is_change:
            return outcome_unknown(self._settings.url)
        return WbemBadReply(
            f"the WBEM server closed the connection in mid-answer ({_brief(exc)}); try again",
            target_url=self._settings.url,
        )

    def _check_answer(self, response: Any, *, is_change: bool) -> None:
        self.software = response.headers.get("Server", self.software)
        if response.status == 401 and self._settings.user is None:
            raise WbemAuthFailed(
                "the WBEM server wants a user and a password; say `user` and `password_file`"
                " of the target",
                target_url=self._settings.url,
            )
        if response.status in (401, 403):
            raise WbemAuthFailed(
                "the WBEM server refuses the target's user or password; check `user` and"
                " `password_file` of the target",
                target_url=self._settings.url,
            )
        if is_change and response.status in _UNDECIDED:
            raise outcome_unknown(self._settings.url)
        if response.status == 503:
            raise WbemBusy(
                "the WBEM server cannot answer at the moment; try again, and lower the"
                " target's max_concurrency if it happens often",
                target_url=self._settings.url,
            )
        cause = response.headers.get("CIMError")
        if cause is not None:
            raise self._refused(response, cause)
        if response.status != 200:
            raise not_cim_xml(f"it answers HTTP {response.status}", http_status=response.status)
        media = response.headers.get("Content-Type", "")
        if "html" in media or "json" in media:
            raise not_cim_xml(f"it answers in {media.split(';')[0]}")

    def _refused(self, response: Any, cause: str) -> CimiCimError:
        """A server that does not even take the request for one (DSP0200 7.3.3)."""
        detail = unquote(response.headers.get("PGErrorDetail", "")).strip()
        said = f"HTTP {response.status}, {cause[:80]}{f' ({detail[:200]})' if detail else ''}"
        if response.status == 501:
            return WbemNotSupported(CIM_ERR_NOT_SUPPORTED, said)
        return WbemBadReply(
            f"the WBEM server refuses the request itself: {said}; say another `server` for the"
            " target, and look at the server's log",
            target_url=self._settings.url,
            http_status=response.status,
        )

    def _chunks(self, response: Any, deadline: Deadline, *, is_change: bool) -> Iterator[bytes]:
        size = 0
        while True:
            if deadline.is_over:
                raise self._lost(TimeoutError(), is_change=True) if is_change else self._too_late()
            try:
                chunk = response.read1(CHUNK_BYTES)
            except (HTTPError, OSError) as exc:
                raise self._failure(exc, is_change=is_change) from exc
            if not chunk:
                return
            size += len(chunk)
            if size > self._settings.reply_cap_bytes:
                raise WbemReplyTooLarge(
                    f"the WBEM server's reply exceeds {self._settings.reply_cap_bytes >> 20} MiB",
                    target_url=self._settings.url,
                )
            yield chunk


def _brief(exc: Exception) -> str:
    return type(exc).__name__


def tls_trouble(exc: Exception) -> str:
    """Return what is wrong with a TLS connection, and what to do; it names no host."""
    found = [e for e in (exc, *exc.args, exc.__cause__) if isinstance(e, ssl.SSLError)]
    if not found:
        return "check the target's `ca`, `client_cert` and `url`"
    trouble = found[0]
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return _CERTIFICATE_TROUBLE.get(
            trouble.verify_code,
            f"its certificate is not valid (OpenSSL's error {trouble.verify_code})",
        )
    reason = trouble.reason or type(trouble).__name__
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "no TLS is spoken there; check https and the port of the target's `url`"
    if reason.endswith(("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE")):
        return f"it may want another certificate ({reason}); check the target's `client_cert`"
    return f"check the target's `ca`, `client_cert` and `url` ({reason})"


_STRANGER = (
    "nobody whom the bridge trusts vouches for its certificate; say whom to trust with the"
    " target's `ca`"
)
_OTHER_NAME = "its certificate is for another name; check the host in the target's `url`"
# By OpenSSL's X509_V_ERR codes.
_CERTIFICATE_TROUBLE = {
    9: "its certificate is not valid yet; check the clocks",
    10: "its certificate has expired; have it renewed",
    **dict.fromkeys((18, 19, 20, 21), _STRANGER),
    **dict.fromkeys((62, 64), _OTHER_NAME),
}


def _tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """The context of a target; targets that say the same share one, as each takes a megabyte."""
    files = (settings.ca, settings.client_cert, settings.client_key)
    try:
        written = tuple(file and file.stat().st_mtime_ns for file in files)
        return _shared_context(files, written, verify=settings.verify)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"{settings.url}: ca or client certificate cannot be used: {exc}"
        ) from exc


@lru_cache(maxsize=32)
def _shared_context(
    files: tuple[Path | None, ...], written: tuple[int | None, ...], *, verify: bool
) -> ssl.SSLContext:
    """The context of these files, as they were written last."""
    ca, client_cert, client_key = files
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if client_cert is not None:
        context.load_cert_chain(client_cert, client_key)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
