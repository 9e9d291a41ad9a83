"""What stands behind our CIM-XML front: a simulated host, or a tape.

The front (`front.py`) reads the HTTP request, parses the CIM-XML, finds the
operation, and wraps the reply. A backend answers in already rendered CIM-XML, so
that instances kept pre-rendered are never parsed and rendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cimi_cim.wbem.values import InstancePath


@dataclass(frozen=True, slots=True)
class IntrinsicCall:
    """An intrinsic operation: `EnumerateInstances`, ... `parameters` by name as sent.

    A class name is text, an instance name an `InstancePath`, a property list a tuple of
    text, a boolean bool, a count int; a new instance an `EmbeddedInstance`, a modified
    one with its path before it. A parameter that was not sent is missing.
    """

    operation: str
    namespace: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MethodCall:
    """An extrinsic method on the instance `path`; parameters as CIM values."""

    method: str
    path: InstancePath
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, rendered.

    `fragments` are the children of IRETURNVALUE (or RETURNVALUE for a method, one at
    most) in order; None leaves the element out. `out` are rendered PARAMVALUE elements
    (EndOfSequence and EnumerationContext of a pull, out parameters of a method).
    `return_type` is the CIM type of a method's return value.
    """

    fragments: Iterable[bytes] | None = None
    out: tuple[bytes, ...] = field(default=())
    return_type: str = "uint32"


class CimError(Exception):
    """A CIM error (DSP0200 5.2): what the front answers with an ERROR element."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class Unanswered(Exception):
    """A request that gets no answer: the connection is cut, or just stays silent."""

    def __init__(self, *, is_cut: bool) -> None:
        super().__init__("cut" if is_cut else "silent")
        self.is_cut = is_cut


class Backend(Protocol):
    """Answers WBEM operations.

    Raises `CimError` for a CIM error reply, `Unanswered` for none at all.
    """

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""

    def method(self, call: MethodCall) -> Reply:
        """Answer an extrinsic method call; the return value is `fragments`."""
