"""Every way this program fails, as one tree.

    CimiCimError                 root: a status, a stable reason, a message for a person
    +-- ConfigError              the operator, before or at start
    +-- ClientError              the caller must change the request
    |   +-- BadRequest           400
    |   +-- Unauthorized         401
    |   +-- Forbidden            403
    |   +-- NotFound             404
    |   +-- MethodNotAllowed     405
    |   +-- NotAcceptable        406
    |   +-- PreconditionFailed   412
    |   +-- PayloadTooLarge      413
    |   +-- UriTooLong           414
    |   +-- UnsupportedMedia     415
    |   +-- HeadersTooLarge      431
    +-- ConflictError            409: the caller, after reading again
    +-- ProviderError            the WBEM server or its operator
    |   +-- ProviderFailed       502: it answered, and the answer is no use
    |   +-- ProviderUnavailable  503: it cannot be reached, or refuses us
    |   +-- ProviderTimeout      504: no answer in time
    |   +-- ProviderUnsupported  501: it cannot do this at all
    +-- StoreUnavailable         503: our own database, for its operator
    +-- OutcomeUnknown           504: sent, and nothing came back; never sent again

Branches follow who can act. A class owns its HTTP status; `reason` is the stable
code programs may rely on; the message names the next step. `http/` alone renders.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CimiCimError(Exception):
    """Root of all errors of this program.

    Args:
        message: One or two sentences for a person: what is wrong, what to do next.
            Never a stack trace, a secret or (where it reaches a client) a host.
        reason: A stable kebab-case code; the class default if left out.
        fields: Facts for logs and tests, as data.
    """

    status: ClassVar[int] = 500
    default_reason: ClassVar[str] = "internal-error"

    def __init__(self, message: str, *, reason: str | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.fields = fields


class ConfigError(CimiCimError):
    """A configuration, mapping or declaration that cannot be used; found at start."""

    default_reason = "bad-configuration"


class ClientError(CimiCimError):
    """The request is wrong; sending it again unchanged will fail again."""

    status = 400
    default_reason = "bad-request"


class BadRequest(ClientError):
    """The request is malformed, or names something that cannot be (400)."""


class Unauthorized(ClientError):
    """Credentials are missing or wrong (401); `challenge` says how to log in (RFC 9110 11.6.1)."""

    status = 401
    default_reason = "unauthorized"

    def __init__(self, message: str, *, challenge: str, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.challenge = challenge


class Forbidden(ClientError):
    """The caller may not do this (403)."""

    status = 403
    default_reason = "forbidden"


class NotFound(ClientError):
    """No such resource (404)."""

    status = 404
    default_reason = "not-found"


class MethodNotAllowed(ClientError):
    """The resource does not take this HTTP method (405); `allowed` lists those it takes."""

    status = 405
    default_reason = "method-not-allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...], **fields: Any) -> None:
        super().__init__(message, **fields)
        self.allowed = allowed


class NotAcceptable(ClientError):
    """None of the forms the caller accepts can be made (406)."""

    status = 406
    default_reason = "not-acceptable"


class PayloadTooLarge(ClientError):
    """The body exceeds the limit (413)."""

    status = 413
    default_reason = "payload-too-large"


class UriTooLong(ClientError):
    """The URI exceeds the limit (414)."""

    status = 414
    default_reason = "uri-too-long"


class UnsupportedMedia(ClientError):
    """The body is in a form this program does not read (415)."""

    status = 415
    default_reason = "unsupported-media"


class PreconditionFailed(ClientError):
    """The resource is not the one that If-Match or If-None-Match means (412)."""

    status = 412
    default_reason = "precondition-failed"


class HeadersTooLarge(ClientError):
    """The headers exceed the limit (431)."""

    status = 431
    default_reason = "headers-too-large"


class ConflictError(CimiCimError):
    """The state of the resource forbids it (409); read it again, then decide."""

    status = 409
    default_reason = "conflict"


class ProviderError(CimiCimError):
    """The WBEM server could not do its part."""

    status = 502
    default_reason = "provider-failed"


class ProviderFailed(ProviderError):
    """The server answered with a failure, or with something that is no answer (502)."""


class ProviderUnavailable(ProviderError):
    """The server cannot be reached or refuses our account (503)."""

    status = 503
    default_reason = "provider-unavailable"


class ProviderTimeout(ProviderError):
    """The server did not answer in time (504)."""

    status = 504
    default_reason = "provider-timeout"


class ProviderUnsupported(ProviderError):
    """The server has no such feature (501)."""

    status = 501
    default_reason = "not-supported"


class OutcomeUnknown(CimiCimError):
    """A change was sent and no answer came (504): it may or may not have happened."""

    status = 504
    default_reason = "outcome-unknown"


class StoreUnavailable(CimiCimError):
    """The bridge's own database cannot be used (503); nothing was changed."""

    status = 503
    default_reason = "store-unavailable"
