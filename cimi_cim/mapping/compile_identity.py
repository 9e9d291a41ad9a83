"""Compiles `id` and `advertise` of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimi_cim.mapping.compiled import Advertisement, NaturalKey, Rebuild
from cimi_cim.mapping.expressions import Evaluator, Expression, evaluator
from cimi_cim.mapping.scope import Scope, child, entries
from cimi_cim.yaml_source import Node


class IdentityCompiler:
    """Compiles what tells the resources of a type from each other."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def natural_keys(self, node: Node | None) -> tuple[NaturalKey, ...]:
        """Return the natural keys, in order of preference."""
        natural = child(node, "natural")
        keys = []
        for item in natural.value if natural and isinstance(natural.value, list) else []:
            for scope, expression, _ in entries(item):
                reading = self._scope.reading(expression)
                if reading is not None:
                    keys.append(NaturalKey(scope, reading))
        return tuple(keys)

    def rebuild(self, node: Node | None, classname: str, namespace: str) -> Rebuild | None:
        """Return how a path is formed from a token; None if it is not said."""
        rule = child(node, "rebuild")
        if rule is None:
            return None
        named = child(rule, "class")
        found = self._scope.classname(named) if named is not None else classname
        if not found:
            return None
        declared = {key.name.lower() for key in self._scope.schema.keys(found)}
        keys = []
        said = child(rule, "keys")
        for name, value, place in entries(said):
            if name.lower() not in declared:
                self._scope.problems.add(place, f"{found} has no key {name!r}")
            expression = self._scope.expression(value)
            if expression is not None:
                keys.append((name, _with_key(expression, self._scope)))
        missing = declared - {name.lower() for name, _ in keys}
        if missing and said is not None:
            self._scope.problems.add(said.where, f"{found} has more keys: {', '.join(missing)}")
        return Rebuild(found, namespace, tuple(keys))

    def advertisement(self, node: Node | None) -> Advertisement | None:
        """Return which operations the provider says it can do now; None if it does not say."""
        if node is None:
            return None
        parameter, values = child(node, "parameter"), child(node, "values")
        name = str(parameter.value) if parameter is not None else ""
        if values is None:
            return None
        if isinstance(values.value, list):
            return Advertisement(name, frozenset(values.plain()))
        reading = self._scope.reading(values)
        return None if reading is None else Advertisement(name, None, reading)


def _with_key(expression: Expression, scope: Scope) -> Evaluator:
    """A closure over the natural key, which the engine passes as `$key` in the binding."""

    def compute(binding: Mapping[str, Any]) -> Any:
        return evaluator(expression, {**scope.constants, "key": binding["$key"]})({})

    return compute
