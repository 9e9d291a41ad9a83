"""Compiles `pools`: what one is chosen of for whatever is made."""

from __future__ import annotations

from cimi_cim.mapping.compiled import Pool
from cimi_cim.mapping.expressions import LOCAL, Property, properties_of
from cimi_cim.mapping.scope import UNKNOWN, AliasInfo, Scope, child, entries
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.yaml_source import Node, Place


def compile_pool(scope: Scope, alias: str, node: Node, place: Place) -> Pool | None:
    """Return one pool; None after a complaint."""
    named_class = child(node, "class")
    if named_class is None:
        return scope.problems.add(place, f"the pool {alias!r} names no `class`")
    classname = scope.classname(named_class) or UNKNOWN
    namespace = scope.namespace(child(node, "ns"), place)
    inner = scope.for_resource({alias: AliasInfo(classname), LOCAL: AliasInfo(classname)})
    where, free = child(node, "where"), child(node, "free")
    tests = None if where is None else inner.tests(where, alias=alias)
    left = None if free is None else inner.expression(free)
    named = _named(inner, classname, child(node, "named"))
    needs: set[Property] = set() if tests is None else set(tests.needs)
    units, default = child(node, "units"), _unit(scope, child(node, "default"))
    if units is not None:
        scope.property_of(classname, str(units.value), units.where)
    needs |= set() if left is None else set(properties_of(left))
    names = {need.name for need in needs} | {name for name, _ in named}
    names |= set() if units is None else {str(units.value)}
    return Pool(
        alias,
        classname,
        namespace,
        None if tests is None else tests.evaluate,
        None if left is None else scope.evaluator(left),
        named,
        frozenset(names),
        None if units is None else str(units.value),
        default,
    )


def _unit(scope: Scope, node: Node | None) -> str:
    """The unit of what is left, where a pool does not say it."""
    said = "count" if node is None else str(node.value)
    try:
        parse_unit(said)
    except UnitError as exc:
        if node is not None:
            scope.problems.add(node.where, str(exc))
    return said


def _named(scope: Scope, classname: str, node: Node | None) -> tuple[tuple[str, str], ...]:
    """The properties, with values, by which the target's settings choose; none if they do not."""
    found = []
    for name, value, place in entries(node):
        declared = scope.property_of(classname, name, place)
        expression = scope.expression(value)
        said = None if expression is None else scope.evaluator(expression)({})
        if declared is not None and said not in (None, ""):
            found.append((declared.name, str(said)))
    return tuple(found)
