"""What was asked of WBEM servers, as a trace tells it, in words that tests compare."""

from __future__ import annotations

from cimi_cim.wbem.tracing import Trace, TracedOperation


def names(trace: Trace) -> list[str]:
    """The name of each operation."""
    return [operation.name for operation in trace.operations]


def class_of(operation: TracedOperation) -> str:
    """The class that an operation asks for: of the association, where it follows one."""
    followed = operation.filters.get("AssocClass") or operation.filters.get("ResultClass")
    if isinstance(operation.on, str):
        return operation.on.partition(":")[2]
    return followed or operation.on.classname


def classes(trace: Trace, name: str) -> list[str]:
    """The class that each operation of a name asks for."""
    return [class_of(each) for each in trace.operations if each.name == name]


def properties(trace: Trace) -> dict[str, list[str]]:
    """The properties that were asked for of each class."""
    return {class_of(each): list(each.properties or ()) for each in trace.operations}
