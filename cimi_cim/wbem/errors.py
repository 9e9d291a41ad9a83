"""Every way a WBEM operation fails, as one tree under the program's own errors.

    ProviderUnavailable
      WbemUnreachable      nothing was sent: refused, no route, no such host
      WbemTlsFailed        the secure connection could not be made
      WbemAuthFailed       the server refuses the account
      WbemBusy             the server says that it cannot answer now
      WbemServerDown       it was found to be down, and is not asked; `retry_after_s`
    ProviderTimeout
      WbemTimeout          the deadline passed
    ProviderFailed
      WbemNotCimXml        something answered, but no WBEM server
      WbemReplyTooLarge    the reply exceeds the cap
      WbemBadReply         cut short, or not well-formed
      WbemStatus           a CIM error (DSP0200); `code` and `description`
        WbemFailed 1, WbemAccessDenied 2, WbemInvalidNamespace 3, WbemInvalidParameter 4,
        WbemInvalidClass 5, WbemNotFound 6, WbemNotSupported 7, WbemAlreadyExists 11, ...
    OutcomeUnknown
      WbemOutcomeUnknown   a method call was sent and no answer came

Messages carry no host, as they reach clients; `fields["target_url"]` does, for operators.
"""

from __future__ import annotations

from typing import Any, ClassVar

from cimi_cim.errors import (
    OutcomeUnknown,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnavailable,
)


class WbemUnreachable(ProviderUnavailable):
    """The server cannot be reached; nothing was sent."""

    default_reason = "wbem-unreachable"


class WbemTlsFailed(ProviderUnavailable):
    """TLS with the server failed: certificate, name or version."""

    default_reason = "wbem-tls-failed"


class WbemAuthFailed(ProviderUnavailable):
    """The server refuses user or password (HTTP 401 or 403)."""

    default_reason = "wbem-authentication-failed"


class WbemBusy(ProviderUnavailable):
    """The server cannot answer at the moment (HTTP 503)."""

    default_reason = "wbem-busy"


class WbemServerDown(ProviderUnavailable):
    """The server was found to be down, and this operation was not sent.

    The reason is that of its failure; `fields["retry_after_s"]` is when it is asked again.
    """

    default_reason = "wbem-server-down"


class WbemTimeout(ProviderTimeout):
    """No complete answer before the deadline."""

    default_reason = "wbem-timeout"


class WbemNotCimXml(ProviderFailed):
    """What answers is no WBEM server: HTML, JSON, another HTTP status."""

    default_reason = "not-a-wbem-server"


class WbemReplyTooLarge(ProviderFailed):
    """The reply is larger than the cap."""

    default_reason = "wbem-reply-too-large"


class WbemBadReply(ProviderFailed):
    """The reply ends early, is not well-formed, or lacks what it must have."""

    default_reason = "wbem-bad-reply"


class WbemStatus(ProviderFailed):
    """The server answered with a CIM error. `code` is the CIM status code of DSP0200.

    `next_step` is what its operator can do about it.
    """

    default_reason = "wbem-error"
    next_step: ClassVar[str] = "look at the server's log"

    def __init__(self, code: int, description: str, **fields: Any) -> None:
        said = f"the WBEM server answers with CIM error {code}: {description.rstrip('. ')}"
        super().__init__(f"{said}; {self.next_step}", **fields)
        self.code = code
        self.description = description


class WbemFailed(WbemStatus):
    """CIM_ERR_FAILED, or a code without a class of its own."""


class WbemAccessDenied(WbemStatus):
    """The account may not do this."""

    next_step = "give the target's account the right, or say another `user`"


class WbemInvalidNamespace(WbemStatus):
    """There is no such namespace."""

    next_step = "check the target's `namespaces`"


class WbemInvalidParameter(WbemStatus):
    """A parameter, property or type is wrong."""


class WbemInvalidClass(WbemStatus):
    """There is no such class."""

    next_step = "check the target's `mapping`, and its `namespaces`"


class WbemNotFound(WbemStatus):
    """The instance is gone."""


class WbemNotSupported(WbemStatus):
    """The server or provider has no such operation or method."""

    next_step = "check the target's `mapping` and `server`"


class WbemAlreadyExists(WbemStatus):
    """There is such an instance already."""


class WbemOutcomeUnknown(OutcomeUnknown):
    """A method call was sent and no answer came; it is never sent again."""

    default_reason = "wbem-outcome-unknown"


_BY_CODE: dict[int, type[WbemStatus]] = {
    2: WbemAccessDenied,
    3: WbemInvalidNamespace,
    4: WbemInvalidParameter,
    5: WbemInvalidClass,
    6: WbemNotFound,
    7: WbemNotSupported,
    11: WbemAlreadyExists,
    12: WbemInvalidParameter,
    13: WbemInvalidParameter,
    16: WbemNotSupported,
    17: WbemNotSupported,
}


def status_error(code: int, description: str, **fields: Any) -> WbemStatus:
    """Return the error for a CIM status code."""
    return _BY_CODE.get(code, WbemFailed)(code, description, **fields)


def outcome_unknown(target_url: str = "") -> WbemOutcomeUnknown:
    """Return the error for a method call that was sent and whose answer cannot be had."""
    return WbemOutcomeUnknown(
        "a method call was sent and its answer was lost; it may have taken effect:"
        " read the resource before you ask again",
        target_url=target_url,
    )
