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

    def _told(
        self,
        trace: Trace,
        name: str,
        on: str | InstancePath,
        send: Callable[[], T],
        **facts: Any,
    ) -> T:
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

    def _rehearsed(
        self, trace: Trace, name: str, path: InstancePath, method: str,
        parameters: Mapping[str, TypedValue],
    ) -> None:  # fmt: skip
        operation = TracedOperation(self._server, name, path, 0.0, filters=_said(Method=method))
        operation.parameters, operation.is_sent = dict(parameters), False
        trace.begin(operation)

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Tell and pass on."""

        def send() -> list[Row]:
            return self._inner.enumerate_instances(
                classname, namespace, properties, deadline=deadline
            )

        trace = _trace.get()
        if trace is None:
            return send()
        on = f"{namespace}:{classname}"
        return self._told(trace, "EnumerateInstances", on, send, properties=tuple(properties))

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Tell and pass on."""

        def send() -> Row:
            return self._inner.get_instance(path, properties, deadline=deadline)

        trace = _trace.get()
        if trace is None:
            return send()
        return self._told(trace, "GetInstance", path, send, properties=tuple(properties))

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Tell and pass on."""

        def send() -> EmbeddedInstance:
            return self._inner.get_whole(path, deadline=deadline)

        trace = _trace.get()
        return send() if trace is None else self._told(trace, "GetInstance", path, send)

    def associators(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Tell and pass on."""

        def send() -> list[Row]:
            return self._inner.associators(path, properties, deadline=deadline, **filters)

        trace = _trace.get()
        if trace is None:
            return send()
        wanted = tuple(properties)
        return self._told(
            trace, "Associators", path, send, properties=wanted, filters=_ends(filters)
        )

    def associator_names(
        self, path: InstancePath, *, deadline: Deadline, **filters: Any
    ) -> list[InstancePath]:
        """Tell and pass on."""

        def send() -> list[InstancePath]:
            return self._inner.associator_names(path, deadline=deadline, **filters)

        trace = _trace.get()
        if trace is None:
            return send()
        return self._told(trace, "AssociatorNames", path, send, filters=_ends(filters))

    def references(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Tell and pass on."""

        def send() -> list[Row]:
            return self._inner.references(path, properties, deadline=deadline, **filters)

        trace = _trace.get()
        if trace is None:
            return send()
        wanted = tuple(properties)
        return self._told(
            trace, "References", path, send, properties=wanted, filters=_ends(filters)
        )

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Tell and pass on."""

        def send() -> list[str]:
            return self._inner.class_names(classname, namespace, deadline=deadline)

        trace = _trace.get()
        if trace is None:
            return send()
        return self._told(trace, "EnumerateClassNames", f"{namespace}:{classname or ''}", send)

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Tell and pass on; in a rehearsal, tell."""

        def send() -> MethodOutcome:
            return self._inner.invoke_method(path, method, parameters, deadline=deadline)

        trace = _trace.get()
        if trace is None:
            return send()
        if trace.is_rehearsal:
            self._rehearsed(trace, "InvokeMethod", path, method, parameters)
            return MethodOutcome(None, {})
        return self._told(
            trace, "InvokeMethod", path, send, filters=_said(Method=method), parameters=parameters
        )

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Tell and pass on; in a rehearsal, tell."""

        def send() -> None:
            self._inner.modify_instance(path, values, deadline=deadline)

        trace = _trace.get()
        if trace is None:
            send()
        elif trace.is_rehearsal:
            self._rehearsed(trace, "ModifyInstance", path, "", values)
        else:
            self._told(trace, "ModifyInstance", path, send, parameters=values)

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Tell and pass on; in a rehearsal, tell, and return a path without keys."""

        def send() -> InstancePath:
            return self._inner.create_instance(classname, namespace, values, deadline=deadline)

        trace, path = _trace.get(), InstancePath(namespace, classname, ())
        if trace is None:
            return send()
        if trace.is_rehearsal:
            self._rehearsed(trace, "CreateInstance", path, "", values)
            return path
        return self._told(trace, "CreateInstance", path, send, parameters=values)

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Tell and pass on; in a rehearsal, tell."""

        def send() -> None:
            self._inner.delete_instance(path, deadline=deadline)

        trace = _trace.get()
        if trace is None:
            send()
        elif trace.is_rehearsal:
            self._rehearsed(trace, "DeleteInstance", path, "", {})
        else:
            self._told(trace, "DeleteInstance", path, send)

    def close(self) -> None:
        """Close the inner gateway."""
        self._inner.close()


_NAMES = {
    "assoc_class": "AssocClass", "result_class": "ResultClass", "role": "Role",
    "result_role": "ResultRole",
}  # fmt: skip


def _ends(filters: Mapping[str, Any]) -> dict[str, str]:
    return _said(**{_NAMES[name]: value for name, value in filters.items()})


def _said(**facts: str | None) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}
