"""Open enumerations: what Open... leaves to be pulled (DSP0200 5.3.2.24)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pywbem import (
    CIM_ERR_INVALID_ENUMERATION_CONTEXT,
    CIM_ERR_INVALID_OPERATION_TIMEOUT,
    CIM_ERR_INVALID_PARAMETER,
    CIM_ERR_SERVER_LIMITS_EXCEEDED,
)

from cimi_cim.lab.backend import CimError, Reply
from cimi_cim.lab.instance_xml import parameter_xml

LONGEST_TIMEOUT_S = 600
DEFAULT_TIMEOUT_S = 60
MOST_OPEN = 1000


@dataclass(slots=True)
class OpenEnumeration:
    """Rendered results that a client has not fetched yet."""

    pull: str
    fragments: Sequence[bytes]
    timeout_s: int
    expires: float
    position: int = 0


class OpenEnumerations:
    """All open enumerations of a server; one that nobody pulls expires."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, OpenEnumeration] = {}
        self._numbers = itertools.count(1)

    def open(self, pull: str, fragments: Sequence[bytes], timeout: object, most: object) -> Reply:
        """Return the first objects; `pull` is the operation that may fetch the others.

        An OperationTimeout of 0 asks for no expiry, which no server has to grant
        (DSP0200 5.3.2.24.1): it gets the longest.
        """
        seconds = DEFAULT_TIMEOUT_S if timeout is None else _number(timeout, "OperationTimeout")
        if seconds > LONGEST_TIMEOUT_S:
            raise CimError(
                CIM_ERR_INVALID_OPERATION_TIMEOUT,
                f"an OperationTimeout is {LONGEST_TIMEOUT_S} seconds at most",
            )
        seconds = seconds or LONGEST_TIMEOUT_S
        enumeration = OpenEnumeration(pull, fragments, seconds, self._clock() + seconds)
        first = enumeration.fragments[: 0 if most is None else _number(most, "MaxObjectCount")]
        enumeration.position = len(first)
        if enumeration.position >= len(fragments):
            return _reply(first, None)
        with self._lock:
            self._forget_expired()
            if len(self._open) >= MOST_OPEN:
                raise CimError(CIM_ERR_SERVER_LIMITS_EXCEEDED, "too many open enumerations")
            context = f"enumeration-{next(self._numbers)}"
            self._open[context] = enumeration
        return _reply(first, context)

    def pull(self, operation: str, context: str, most: object) -> Reply:
        """Return the next objects, at most `most` of them."""
        count = _number(most, "MaxObjectCount")
        with self._lock:
            self._forget_expired()
            enumeration = self._open.get(context)
            if enumeration is None or enumeration.pull not in ("", operation):
                raise _invalid(context)
            start = enumeration.position
            found = enumeration.fragments[start : start + count]
            enumeration.position += len(found)
            enumeration.expires = self._clock() + enumeration.timeout_s
            if enumeration.position < len(enumeration.fragments):
                return _reply(found, context)
            del self._open[context]
        return _reply(found, None)

    def close(self, context: str) -> Reply:
        """End an enumeration before all of it was pulled."""
        with self._lock:
            self._forget_expired()
            if self._open.pop(context, None) is None:
                raise _invalid(context)
        return Reply()

    def _forget_expired(self) -> None:
        now = self._clock()
        for context in [c for c, e in self._open.items() if e.expires <= now]:
            del self._open[context]


def _reply(fragments: Sequence[bytes], context: str | None) -> Reply:
    return Reply(
        fragments,
        (
            parameter_xml("EndOfSequence", "boolean", context is None),
            parameter_xml("EnumerationContext", "string", context or ""),
        ),
    )


def _invalid(context: str) -> CimError:
    return CimError(
        CIM_ERR_INVALID_ENUMERATION_CONTEXT, f"no open enumeration is called {context[:80]!r}"
    )


def _number(value: object, name: str) -> int:
    text = str(value).strip()
    if not text.isdigit():
        raise CimError(CIM_ERR_INVALID_PARAMETER, f"{name} must be a number")
    return int(text)
