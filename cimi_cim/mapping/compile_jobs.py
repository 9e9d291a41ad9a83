"""Compiles `jobs`: how the provider's jobs speak, checked against their class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cimi_cim.mapping.compile_operations import OperationCompiler
from cimi_cim.mapping.compiled import JobDialect, Service
from cimi_cim.mapping.conditions import parse_test
from cimi_cim.mapping.jobs import state_word
from cimi_cim.mapping.scope import AliasInfo, Scope, child, entries
from cimi_cim.yaml_source import Node, nearest

_JOB, _CONCRETE_JOB = "CIM_Job", "CIM_ConcreteJob"  # what method calls hand out as a Job
_STATE, _PROGRESS = "JobState", "PercentComplete"
_MESSAGES = ("ErrorDescription", "JobStatus", "Description")


def compile_jobs(node: Node | None, scope: Scope, services: Mapping[str, Service]) -> JobDialect:
    """Return the dialect that a mapping gives its jobs; what it leaves out is CIM's own."""
    named = child(node, "class")
    found = None if named is None else scope.classname(named)
    classname = _CONCRETE_JOB if named is None else found
    plain: dict[str, Any] = node.plain() if node is not None else {}
    if classname is not None and scope.schema.find(classname) is not None:
        _check(node, scope, classname)
    lineage = {cls.name for cls in scope.schema.lineage(classname or "")}
    declared = scope.schema.properties(classname) if classname and found else {}

    def default(name: str) -> bool:
        return found is None or name in declared

    progress = _PROGRESS if default(_PROGRESS) else None
    return JobDialect(
        plain.get("accept", "any-rc") == "any-rc",
        plain.get("state", _STATE),
        _words(plain.get("done", (7,))),
        _words(plain.get("stopped", (8, 9))),
        _words(plain.get("failed_states", (10,))),
        {name: parse_test(value) for name, value in plain.get("failed", {}).items()},
        tuple(plain.get("message", filter(default, _MESSAGES))),
        plain.get("progress", progress),
        parent=_JOB if found is None else found,
        parameter=plain.get("parameter"),
        made=plain.get("made"),
        cancel=_cancel(child(node, "cancel"), scope, services, classname or ""),
        is_standard=found is None or _CONCRETE_JOB in lineage,
        is_kept=plain.get("keep") == "source",
    )


def _words(values: Iterable[int | str]) -> frozenset[int | str]:
    return frozenset(state_word(value) for value in values)


def _check(node: Node | None, scope: Scope, classname: str) -> None:
    """Complain of properties that jobs do not have."""
    message = child(node, "message")
    items = message.value if message is not None and isinstance(message.value, list) else []
    named = [(str(item.value), item.where) for item in items]
    named += [(key, place) for key, _, place in entries(child(node, "failed"))]
    for key in ("state", "progress", "made"):
        said = child(node, key)
        named += [] if said is None else [(str(said.value), said.where)]
    own = child(node, "class")
    if own is not None and child(node, "state") is None:
        named.append((_STATE, own.where))
    for name, where in named:
        scope.property_of(classname, name, where)
    _check_states(node, scope, classname)
    _check_parameter(child(node, "parameter"), scope)


def _check_states(node: Node | None, scope: Scope, classname: str) -> None:
    """Complain of states that the property cannot have."""
    said = child(node, "state")
    declared = scope.schema.property(classname, _STATE if said is None else str(said.value))
    for key in ("done", "stopped", "failed_states"):
        states = child(node, key)
        for item in states.value if states is not None and isinstance(states.value, list) else []:
            if declared is not None:
                scope.check_value(declared, declared.name, item.value, item.where)


def _check_parameter(node: Node | None, scope: Scope) -> None:
    """Complain of an out parameter that no method has."""
    methods = [method for cls in scope.schema.classes.values() for method in cls.methods]
    known = {p.name.lower(): p.name for m in methods for p in m.parameters if p.is_out}
    if node is not None and str(node.value).lower() not in known and scope.is_complete:
        hint = nearest(str(node.value), sorted(known.values()))
        scope.problems.add(node.where, f"no method has an out parameter {node.value!r}{hint}")


def _cancel(
    node: Node | None, scope: Scope, services: Mapping[str, Service], classname: str
) -> Any:
    if node is None:
        return None
    inner = scope.for_resource({"job": AliasInfo(classname)})
    return OperationCompiler(inner, services).method_use(node)
