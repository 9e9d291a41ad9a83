"""What a method's answer means, whoever gave it: return codes by label, CIM errors, faults.

Return codes of CIM methods are not uniform (5 is "Invalid State" in one service and
"Invalid Parameter" in another), so no number is known here: the declared value map says
the label, and the label the meaning (reference mapping, 2.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from cimi_cim.errors import (
    BadRequest,
    CimiCimError,
    ConflictError,
    Forbidden,
    NotFound,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnsupported,
)
from cimi_cim.mapping.compiled import Fault
from cimi_cim.schema.declarations import MethodDeclaration
from cimi_cim.wbem.errors import (
    WbemAccessDenied,
    WbemAlreadyExists,
    WbemInvalidParameter,
    WbemNotFound,
    WbemNotSupported,
    WbemStatus,
)

METHOD_CODES, STATUS_CODES = 20_000, 12_000
"""What is added to return codes of methods, and to CIM status codes, to make a `returnCode`
of CIMI: 0 to 9999 belong to the standard (DSP0263 5.17.1)."""

_RETRY_AFTER_S = 5
_NO_ERROR = re.compile(r"\b(?:no|without(?: an?y?)?) (?:error|failure)s?\b")
_BAD = re.compile(
    r"fail|error|unknown|unspecified|invalid|denied|refuse|reject|abort|unsupported|busy|time ?out"
    r"|\bnot?\b|n't\b"
)
_SUCCESS, _JOB_STARTED = 0, 4096  # what undeclared return values mean everywhere in the schema


class Meaning(Enum):
    """What came of a call. The values that a mapping's `faults` may name are written alike."""

    DONE = "done"
    STARTED = "started"
    UNSUPPORTED = "unsupported"
    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    BUSY = "busy"
    CAPACITY = "capacity"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    TIMEOUT = "timeout"
    NO_TIMEOUT_PARAMETER = "no-timeout-parameter"
    FAILED = "failed"


_LABELS: dict[str, Meaning] = {
    "completed with no error": Meaning.DONE,
    "job completed with no error": Meaning.DONE,
    "success": Meaning.DONE,
    "method completed ok": Meaning.DONE,
    "partially completed operation": Meaning.DONE,
    "method parameters checked - job started": Meaning.STARTED,
    "method parameters checked - transition started": Meaning.STARTED,
    "job started": Meaning.STARTED,
    "not supported": Meaning.UNSUPPORTED,
    "method not supported": Meaning.UNSUPPORTED,
    "invalid parameter": Meaning.BAD_REQUEST,
    "incompatible parameters": Meaning.BAD_REQUEST,
    "invalid type": Meaning.BAD_REQUEST,
    "invalid reference": Meaning.BAD_REQUEST,
    "size not supported": Meaning.BAD_REQUEST,
    "incorrect resourcetype for the pool": Meaning.BAD_REQUEST,
    "invalid state": Meaning.CONFLICT,
    "invalid state transition": Meaning.CONFLICT,
    "in use": Meaning.CONFLICT,
    "device number conflict": Meaning.CONFLICT,
    "requested logical unit number in use": Meaning.CONFLICT,
    "target/initiator combination already exposed": Meaning.CONFLICT,
    "busy": Meaning.BUSY,
    "insufficient resources": Meaning.CAPACITY,
    "maximum map count exceeded": Meaning.CAPACITY,
    "access denied": Meaning.FORBIDDEN,
    "not authorized": Meaning.FORBIDDEN,
    "not found": Meaning.GONE,
    "timeout": Meaning.TIMEOUT,
    "cannot complete within timeout period": Meaning.TIMEOUT,
    "can not complete within timeout period": Meaning.TIMEOUT,
    "use of timeout parameter not supported": Meaning.NO_TIMEOUT_PARAMETER,
}

_ERRORS: dict[Meaning, tuple[type[CimiCimError], str, str]] = {
    Meaning.UNSUPPORTED: (
        ProviderUnsupported, "provider-unsupported", "the provider cannot do this"),
    Meaning.BAD_REQUEST: (
        BadRequest, "provider-rejected", "the provider does not accept the request"),
    Meaning.CONFLICT: (
        ConflictError, "provider-refused",
        "the provider refuses this in the present state; read the resource and try again"),
    Meaning.BUSY: (
        ProviderUnavailable, "provider-busy", "the provider is busy; try again in a moment"),
    Meaning.CAPACITY: (
        ConflictError, "no-capacity", "the provider has not enough resources left"),
    Meaning.FORBIDDEN: (Forbidden, "provider-forbids", "the provider does not allow this"),
    Meaning.GONE: (NotFound, "not-found", "the provider does not find the resource"),
    Meaning.TIMEOUT: (
        ProviderTimeout, "provider-timeout",
        "the provider could not complete this in time; read the resource before you try again"),
}  # fmt: skip
_FAILED = (ProviderFailed, "provider-failed", "the provider failed to do this")


def meaning_of_return(
    method: MethodDeclaration, value: int | str | None
) -> tuple[Meaning, int | None, str]:
    """Return what a return value means, the value as a number, and its label ("" for none).

    A method without a declared value map speaks as the schema does throughout: 0 is done
    and 4096 a job; so does one whose label for them is a vendor's own and tells no failure.
    No return value at all is done: there was no error either.
    """
    code = int(value) if isinstance(value, str) and value.strip().isdigit() else value
    if code is None or code == "":
        return Meaning.DONE, None, ""
    if isinstance(code, str):
        return Meaning.FAILED, None, code
    spoken = {_SUCCESS: Meaning.DONE, _JOB_STARTED: Meaning.STARTED}
    if method.values is None:
        return spoken.get(code, Meaning.FAILED), code, ""
    label = method.values.label(code) or ""
    words = " ".join(label.replace("_", " ").lower().split())
    usual = Meaning.FAILED if _sounds_bad(words) else spoken.get(code, Meaning.FAILED)
    return _LABELS.get(words, usual), code, label


def _sounds_bad(words: str) -> bool:
    return bool(_BAD.search(_NO_ERROR.sub("", words)))


def meaning_of_answer(
    faults: Iterable[Fault], method: MethodDeclaration, value: int | str | None
) -> tuple[Meaning, int | None, str]:
    """As `meaning_of_return`, where the mapping's faults do not know better.

    They name the return value, or its label.
    """
    meaning, code, label = meaning_of_return(method, value)
    said = {str(value).strip().lower(), label.lower()} - {""}
    for fault in faults:
        if fault.returned in said and _is_about(fault, method.name):
            return Meaning(fault.meaning), code, label
    return meaning, code, label


def _is_about(fault: Fault, method: str) -> bool:
    return fault.method is None or fault.method.rpartition(".")[2] == method


def meaning_of_status(error: WbemStatus) -> Meaning:
    """Return what a CIM error means where the mapping's faults do not know better."""
    known: dict[type[WbemStatus], Meaning] = {
        WbemInvalidParameter: Meaning.BAD_REQUEST,
        WbemNotFound: Meaning.GONE,
        WbemNotSupported: Meaning.UNSUPPORTED,
        WbemAlreadyExists: Meaning.CONFLICT,
        # Ours is one account for all callers: its rights are the operator's affair.
        WbemAccessDenied: Meaning.FAILED,
    }
    return known.get(type(error), Meaning.FAILED)


def meaning_of_fault(
    faults: Iterable[Fault], method: str, status: int | None, text: str
) -> Meaning | None:
    """Return the meaning that the mapping gives an error of `method`, None if it gives none.

    A fault names a method as `Method` or `alias.Method`; what it leaves out fits anything.
    """
    for fault in faults:
        if fault.returned is not None or not _is_about(fault, method):
            continue
        if fault.status is not None and fault.status != status:
            continue
        if fault.pattern is None or fault.pattern.search(text):
            return Meaning(fault.meaning)
    return None


def error_of(meaning: Meaning, said: str, return_code: int | None) -> CimiCimError:
    """Return the error for a meaning other than done and started.

    `said` are the provider's own words; `return_code` is what the Job body shows.
    """
    kind, reason, message = _ERRORS.get(meaning, _FAILED)
    text = f"{message}: {said}" if said else message
    again = {"retry_after_s": _RETRY_AFTER_S} if meaning is Meaning.BUSY else {}
    return kind(text, reason=reason, return_code=return_code, **again)
