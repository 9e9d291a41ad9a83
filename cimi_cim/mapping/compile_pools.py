"""Compiles `pools`: what one is chosen of for whatever is made."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.mapping.compiled import Pool, Taking
from cimi_cim.mapping.expressions import LOCAL, Property, properties_of
from cimi_cim.mapping.scope import UNKNOWN, AliasInfo, Scope, child, entries
from cimi_cim.model.types import Model, ResourceType
from cimi_cim.units import UnitError, conversion, parse_cimi_unit, parse_unit
from cimi_cim.yaml_source import Node, Place, nearest


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


def compile_room(scope: Scope, node: Node | None, pools: Mapping[str, Pool]) -> str | None:
    """The pool that tells how much room there is for more."""
    return None if node is None else _pool(scope, str(node.value), node.where, pools)


def _pool(scope: Scope, name: str, where: Place, pools: Mapping[str, Pool]) -> str:
    if name not in pools and name not in scope.problems.broken:
        scope.problems.add(where, f"no pool {name!r} is declared{nearest(name, list(pools))}")
    return name


def compile_takes(
    scope: Scope, node: Node | None, pools: Mapping[str, Pool], cimi: ResourceType, model: Model
) -> tuple[Taking, ...]:
    """What a new resource takes of each pool."""
    found = []
    for name, value, where in entries(node):
        said = str(value.value)
        unit = _unit_of(scope, said, value.where, cimi, model)
        if _pool(scope, name, where, pools) in pools and unit is not None:
            parsed, pool = parse_cimi_unit(unit), pools[name]
            try:
                conversion(parsed, parse_unit(pool.default))
            except UnitError as exc:
                scope.problems.add(value.where, f"{said} counts in {unit}, and the pool: {exc}")
            found.append(Taking(name, said, unit, parsed.factor))
    return tuple(found)


def _unit_of(scope: Scope, said: str, where: Place, cimi: ResourceType, model: Model) -> str | None:
    """The unit of an attribute, or of one of the items of a list; None after a complaint."""
    first, _, rest = said.partition(".")
    row = cimi.attributes.get(first)
    if row is None:
        known = list(cimi.attributes)
        return scope.problems.add(
            where, f"{cimi.name} has no attribute {first!r}{nearest(first, known)}"
        )
    items = model.types.get(row.target or "") if rest else None
    if items is not None:
        row = items.attributes.get(rest)
        if row is None:
            hint = nearest(rest, list(items.attributes))
            return scope.problems.add(where, f"{items.name} has no attribute {rest!r}{hint}")
    if row.unit is None or (rest and items is None):
        return scope.problems.add(where, f"{said} is no quantity: CIMI gives it no unit")
    return row.unit


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
