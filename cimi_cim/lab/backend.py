"""What stands behind our CIM-XML front: a simulated host, or a tape.

The front (`front.py`) reads the HTTP request, parses the CIM-XML, finds the
operation, and wraps the reply. A backend answers in already rendered CIM-XML, so
that instances kept pre-rendered are never parsed and rendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class IntrinsicCall:
    """An intrinsic operation: `EnumerateInstances`, ... `parameters` by name as sent.

    Values are pywbem objects or plain Python (a class name is text, InstanceName a
    `pywbem.CIMInstanceName`, PropertyList a list of text or None, booleans bool).
    """

    operation: str
    namespace: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MethodCall:
    """An extrinsic method on an instance (`path` with namespace) or on a class name."""

    method: str
    namespace: str
    path: Any | None
    classname: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, rendered.

    `fragments` are the children of IRETURNVALUE (or RETURNVALUE for a method, one at
    most) in order; None leaves the element out. `out` are rendered PARAMVALUE elements
    (EndOfSequence and EnumerationContext of a pull, out parameters of a method).
    """

    fragments: Iterable[bytes] | None = None
    out: tuple[bytes, ...] = field(default=())


class Backend(Protocol):
    """Answers WBEM operations. Raises `pywbem.CIMError` for a CIM error reply."""

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""

    def method(self, call: MethodCall) -> Reply:
        """Answer an extrinsic method call; the return value is `fragments`."""
