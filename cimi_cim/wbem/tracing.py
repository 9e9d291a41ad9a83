"""What one request asks of WBEM servers, operation by operation; and asking without changing.

A trace holds for the context it is begun in (`traced`), threads included that carry contexts
on (`mapping.threads`). Where there is none, an operation costs one look at a context variable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cimi_cim.errors import CimiCimError
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.gateway import Gateway, MethodOutcome, TypedValue
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row

T = TypeVar("T")


@dataclass(slots=True)
class TracedOperation:
    """One operation on one server; a whole pull sequence is one.

    Args:
        server: Alias of the target.
        name: Of the operation (DSP0200), or `InvokeMethod`.
        on: What it asks for: `namespace:Class`, or the path of an instance.
        properties: The PropertyList; None where there is none.
        filters: Association class, roles, result class, the method's name.
        began_s: When it began, counted from the beginning of the trace.
        elapsed_s: How long it took.
        messages: The CIM-XML messages that were sent for it, by name.
        sent_bytes, received_bytes: Of their bodies, as they travelled.
        rows: How many instances, paths or names came back; None where none are asked for.
        error: Why it failed, None if it did not.
        parameters, returned: Of a method call, or of an instance that is modified.
        is_sent: False in a rehearsal for what would change something.
    """

    server: str
    name: str
    on: str | InstancePath
    began_s: float
    properties: tuple[str, ...] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    elapsed_s: float = 0.0
    messages: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    received_bytes: int = 0
    rows: int | None = None
    error: CimiCimError | None = None
    parameters: Mapping[str, TypedValue] = field(default_factory=dict)
    returned: MethodOutcome | None = None
    is_sent: bool = True


class Trace:
    """The operations of one request, in the order in which they began.

    In a rehearsal whatever would change something on a server is noted and not sent; it
    counts as done, with nothing returned.
    """

    def __init__(
        self, *, is_rehearsal: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_rehearsal = is_rehearsal
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._operations: list[TracedOperation] = []

    @property
    def operations(self) -> tuple[TracedOperation, ...]:
        """What was asked for so far."""
        with self._lock:
            return tuple(self._operations)

    @property
    def elapsed_s(self) -> float:
        """How long ago the trace began."""
        return self._clock() - self._began

    def begin(self, operation: TracedOperation) -> None:
        """Note an operation that begins now."""
        with self._lock:
            operation.began_s = self.elapsed_s
            self._operations.append(operation)

    def end(self, operation: TracedOperation) -> None:
        """Note how long it took."""
        operation.elapsed_s = self.elapsed_s - operation.began_s


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_under_way: ContextVar[TracedOperation | None] = ContextVar("under_way", default=None)


def current_trace() -> Trace | None:
    """Return the trace of the request that this code works for, None for none."""
    return _trace.get()


@contextmanager
def traced(trace: Trace) -> Iterator[Trace]:
    """Trace what is asked in this context."""
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def count_message(name: str, size: int) -> TracedOperation | None:
    """Count a CIM-XML message that is sent; returns where the bytes of its reply count."""
    operation = _under_way.get()
    if operation is not None:
        operation.messages.append(name)
        operation.sent_bytes += size
    return operation


def counted_bytes(chunks: Iterator[bytes], operation: TracedOperation) -> Iterator[bytes]:
    """Yield the chunks of a reply, and count them."""
    for chunk in chunks:
        operation.received_bytes += len(chunk)
        yield chunk


class TracingGateway:
    """Passes everything on to `inner`, the gateway to `server`, and tells the trace."""

    def __init__(self, inner: Gateway, server: str) -> None:
        self._inner = inner
        self._server = server

    def _told(self, name: str, on: str | InstancePath, send: Callable[[], T], **facts: Any) -> T:
        """Send, and tell the trace where there is one."""
        trace = _trace.get()
        if trace is None:
            return send()
        operation = TracedOperation(self._server, name, on, 0.0, **facts)
        token = _under_way.set(operation)
        trace.begin(operation)
        try:
            found = send()
        except CimiCimError as exc:
            operation.error = exc
            raise
        else:
            if isinstance(found, MethodOutcome):
                operation.returned = found
            elif found is not None:
                operation.rows = len(found) if isinstance(found, Sized) else 1
            return found
        finally:
            trace.end(operation)
            _under_way.reset(token)

    def _changed(
        self, name: str, on: str | InstancePath, send: Callable[[], T], instead: T, **facts: Any
    ) -> T:
        """Send what changes something, and tell; in a rehearsal, tell, and return `instead`."""
        trace = _trace.get()
        if trace is None or not trace.is_rehearsal:
            return self._told(name, on, send, **facts)
        trace.begin(TracedOperation(self._server, name, on, 0.0, is_sent=False, **facts))
        return instead

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Tell and pass on."""
        return self._told(
            "EnumerateInstances",
            f"{namespace}:{classname}",
            lambda: self._inner.enumerate_instances(
                classname, namespace, properties, deadline=deadline
            ),
            properties=tuple(properties),
        )

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Tell and pass on."""
        return self._told(
            "GetInstance",
            path,
            lambda: self._inner.get_instance(path, properties, deadline=deadline),
            properties=tuple(properties),
        )

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Tell and pass on."""
        return self._told(
            "GetInstance", path, lambda: self._inner.get_whole(path, deadline=deadline)
        )

    def associators(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Tell and pass on."""
        return self._told(
            "Associators",
            path,
            lambda: self._inner.associators(path, properties, deadline=deadline, **filters),
            properties=tuple(properties),
            filters=_ends(filters),
        )

    def associator_names(
        self, path: InstancePath, *, deadline: Deadline, **filters: Any
    ) -> list[InstancePath]:
        """Tell and pass on."""
        return self._told(
            "AssociatorNames",
            path,
            lambda: self._inner.associator_names(path, deadline=deadline, **filters),
            filters=_ends(filters),
        )

    def references(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Tell and pass on."""
        return self._told(
            "References",
            path,
            lambda: self._inner.references(path, properties, deadline=deadline, **filters),
            properties=tuple(properties),
            filters=_ends(filters),
        )

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Tell and pass on."""
        return self._told(
            "EnumerateClassNames",
            f"{namespace}:{classname or ''}",
            lambda: self._inner.class_names(classname, namespace, deadline=deadline),
        )

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Tell and pass on; in a rehearsal, tell."""
        return self._changed(
            "InvokeMethod",
            path,
            lambda: self._inner.invoke_method(path, method, parameters, deadline=deadline),
            MethodOutcome(None, {}),
            filters={"Method": method},
            parameters=parameters,
        )

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Tell and pass on; in a rehearsal, tell."""
        self._changed(
            "ModifyInstance",
            path,
            lambda: self._inner.modify_instance(path, values, deadline=deadline),
            None,
            parameters=values,
        )

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Tell and pass on; in a rehearsal, tell, and return a path without keys."""
        return self._changed(
            "CreateInstance",
            f"{namespace}:{classname}",
            lambda: self._inner.create_instance(classname, namespace, values, deadline=deadline),
            InstancePath(namespace, classname, ()),
            parameters=values,
        )

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Tell and pass on; in a rehearsal, tell."""
        self._changed(
            "DeleteInstance",
            path,
            lambda: self._inner.delete_instance(path, deadline=deadline),
            None,
        )

    def close(self) -> None:
        """Close the inner gateway."""
        self._inner.close()


_NAMES = {
    "assoc_class": "AssocClass", "result_class": "ResultClass", "role": "Role",
    "result_role": "ResultRole",
}  # fmt: skip


def _ends(filters: Mapping[str, Any]) -> dict[str, str]:
    return {_NAMES[name]: value for name, value in filters.items() if value}
