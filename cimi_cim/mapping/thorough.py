"""Reads once, on one target, everything that its mapping can ever ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cimi_cim.mapping.compiled import CompiledMapping, Way
from cimi_cim.mapping.execution import Execution
from cimi_cim.mapping.plan import plan_whole
from cimi_cim.mapping.target import Target
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemStatus


def read_thoroughly(target: Target, deadline: Deadline, tell: Callable[[str], None]) -> None:
    """Find every row of every relation of every resource; `tell` gets a line for each type.

    A CIM error leaves one type out, as it does where the bridge reads; what the server said is
    part of what it is like. Raises the other errors of the gateway. Nothing is changed.
    """
    mapping = target.mapping
    target.greet(deadline)
    for logical in mapping.namespaces:
        if logical != "interop":
            target.namespace(logical, deadline)
    for alias in mapping.services:
        _service(target, alias, deadline)
    for resource in mapping.resources.values():
        try:
            found = Execution(plan_whole(mapping, resource), target, deadline).batch()
        except WbemStatus as exc:
            tell(f"{resource.type}: cannot be read: {exc.message}")
        else:
            tell(f"{resource.type}: {len(found)} objects")


def _service(target: Target, alias: str, deadline: Deadline) -> None:
    try:
        target.service(alias, deadline)
    except WbemStatus:
        return  # nothing can be called, all else may be there


def classes_of(mapping: CompiledMapping) -> Iterator[tuple[str, str]]:
    """Yield the classes that a mapping names, each with the logical name of its namespace."""
    for service in mapping.services.values():
        yield service.namespace, service.classname
    for resource in mapping.resources.values():
        for relation in resource.relations.values():
            yield relation.namespace, relation.classname
            if relation.way is Way.VIA:
                yield relation.namespace, relation.association


def walks_of(mapping: CompiledMapping) -> frozenset[str]:
    """Return the association classes that a mapping goes through."""
    return frozenset(
        relation.association
        for resource in mapping.resources.values()
        for relation in resource.relations.values()
        if relation.way is Way.VIA
    )
