"""What is in sight while a mapping is compiled: classes, aliases, rules, and where to complain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from cimi_cim.mapping.compiled import Reading
from cimi_cim.mapping.conditions import VALUELESS, Test, all_hold, parse_test
from cimi_cim.mapping.expressions import (
    LOCAL,
    Call,
    Evaluator,
    Expression,
    ExpressionError,
    Property,
    Text,
    Variable,
    evaluator,
    parse_expression,
    properties_of,
    walk,
)
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.mapping.problems import Problems
from cimi_cim.schema.declarations import ParameterDeclaration, PropertyDeclaration, Schema
from cimi_cim.units import UnitError, conversion, parse_unit
from cimi_cim.yaml_source import Node, Place, nearest, nearest_of

UNKNOWN = ""
"""The class behind an alias whose class is not declared; that was complained of where it stands."""


@dataclass(frozen=True, slots=True)
class AliasInfo:
    """The class behind an alias (or UNKNOWN), a subclass to look at too, how many rows.

    Rows that are made of arrays have `items` instead of a class: their properties.
    """

    classname: str
    also: str | None = None
    is_many: bool = False
    items: Mapping[str, PropertyDeclaration] | None = None


@dataclass
class Scope:
    """The compiler's view of one mapping (and, with `aliases`, of one resource of it).

    A mistake is complained of once: what hangs on something UNKNOWN, on a name that is
    `broken`, or on classes that are not all there, passes without a word.
    """

    schema: Schema
    problems: Problems
    prefixes: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Node] = field(default_factory=dict)
    maps: Mapping[str, Node] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    is_complete: bool = True
    units: Mapping[str, str] = field(default_factory=dict)
    aliases: dict[str, AliasInfo] = field(default_factory=dict)

    def for_resource(self, aliases: Mapping[str, AliasInfo]) -> Scope:
        """Return a scope with the aliases of one resource in sight."""
        return replace(self, aliases=dict(aliases))

    @property
    def constants(self) -> dict[str, Any]:
        """The `$target.NAME` variables, known at load."""
        return {f"target.{name}": value for name, value in self.settings.items()}

    def classname(self, node: Node, *, substitute: bool = True) -> str | None:
        """Return the class a node names, prefixes substituted; None after a complaint."""
        name = str(node.value)
        if substitute:
            for prefix, other in self.prefixes.items():
                if name.startswith(prefix) and self.schema.find(other + name[len(prefix) :]):
                    name = other + name[len(prefix) :]
                    break
        found = self.schema.find(name)
        if found is None and not self.is_complete:
            return None
        if found is None:
            guess = self.schema.nearest_class(name)
            hint = f"; did you mean {guess!r}?" if guess else ""
            return self.problems.add(node.where, f"no class {name!r} is declared{hint}")
        return found.name

    def namespace(self, node: Node | None, where: Place) -> str:
        """Return the logical namespace a node names (`impl` when left out)."""
        name = "impl" if node is None else str(node.value)
        if name not in self.namespaces and name not in self.problems.broken:
            known = sorted(self.namespaces)
            self.problems.add(
                node.where if node else where,
                f"no namespace is called {name!r}{nearest_of(name, known, 'known are')}",
            )
        return name

    def property_of(
        self, classname: str, name: str, where: Place, also: str | None = None
    ) -> PropertyDeclaration | None:
        """Return a property of a class; None after a complaint, and for an UNKNOWN class."""
        if classname == UNKNOWN:
            return None
        found = self.schema.property(classname, name)
        if found is None and also is not None:
            found = self.schema.property(also, name)
        if found is None:
            known = list(self.schema.properties(also or classname))
            return self.problems.add(
                where, f"{classname} has no property {name!r}{nearest(name, known)}"
            )
        return found

    def property(self, alias: str, name: str, where: Place) -> PropertyDeclaration | None:
        """Return the property `alias.name`; None after a complaint."""
        if alias == LOCAL and LOCAL not in self.aliases:
            return self.problems.add(
                where, f"{name!r} stands alone; say which relation's property it is (alias.{name})"
            )
        info = self.alias(alias, where)
        if info is not None and info.items is not None:
            return self._item(alias, info.items, name, where)
        return None if info is None else self.property_of(info.classname, name, where, info.also)

    def _item(
        self, alias: str, items: Mapping[str, PropertyDeclaration], name: str, where: Place
    ) -> PropertyDeclaration | None:
        if name not in items:
            known = list(items)
            return self.problems.add(
                where, f"the items of {alias} have no property {name!r}{nearest(name, known)}"
            )
        return items[name]

    def declares(self, text: str) -> bool:
        """Whether the declarations have every property that an expression reads; no complaint."""
        try:
            parts = properties_of(parse_expression(text))
        except ExpressionError:
            return True  # whoever compiles it complains
        for part in parts:
            info = self.aliases.get(part.alias)
            if info is None or info.classname == UNKNOWN:
                continue
            names = [name for name in (info.classname, info.also) if name is not None]
            if not any(self.schema.property(name, part.name) for name in names):
                return False
        return True

    def alias(self, name: str, where: Place) -> AliasInfo | None:
        """Return what is known of a relation; None after a complaint."""
        info = self.aliases.get(name)
        if info is None and name not in self.problems.broken:
            known = [alias for alias in self.aliases if alias]
            self.problems.add(where, f"no relation is called {name!r}{nearest(name, known)}")
        return info

    def expression(self, node: Node, *, outgoing: bool = False) -> Expression | None:
        """Return the checked tree of an expression; None after a complaint."""
        if not isinstance(node.value, str):
            return self.problems.add(node.where, f"{node.value!r} is no expression")
        try:
            expression = parse_expression(node.value)
        except ExpressionError as exc:
            return self.problems.add(node.where, str(exc))
        before = len(self.problems.found)
        for part in walk(expression):
            if isinstance(part, Property):
                self.property(part.alias, part.name, node.where)
            elif isinstance(part, Call):
                self._check_call(part, node.where, outgoing=outgoing)
            elif isinstance(part, Variable):
                self._check_variable(part, node.where, outgoing=outgoing)
        return expression if len(self.problems.found) == before else None

    def _check_call(self, call: Call, where: Place, *, outgoing: bool) -> None:
        function = FUNCTIONS.get(call.function)
        if function is None:
            self.problems.add(
                where, f"no function {call.function!r}{nearest(call.function, list(FUNCTIONS))}"
            )
            return
        low, high = function.arity
        if not low <= len(call.arguments) <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            self.problems.add(
                where, f"{call.function} takes {wanted} arguments, not {len(call.arguments)}"
            )
        if function.is_outgoing and not outgoing:
            self.problems.add(where, f"{call.function} can be used only in method parameters")
        named = [call.arguments[at] for at in function.units if at < len(call.arguments)]
        self.check_units([unit.text for unit in named if isinstance(unit, Text)], where)

    def check_units(self, texts: Sequence[str], where: Place) -> None:
        """Complain of texts that name no unit, and of units that count different things."""
        try:
            units = [parse_unit(text) for text in texts]
            for unit in units[1:]:
                conversion(units[0], unit)
        except UnitError as exc:
            self.problems.add(where, str(exc))

    def _check_variable(self, variable: Variable, where: Place, *, outgoing: bool) -> None:
        if variable.parts[0] == "target":
            if len(variable.parts) != 2 or variable.parts[1] not in self.settings:
                known = [f"target.{name}" for name in self.settings]
                word = ".".join(variable.parts)
                self.problems.add(
                    where,
                    f"${word} is not among the mapping's `settings`{nearest(word, known)}",
                )
        elif not outgoing and variable.parts != ("key",):
            name = ".".join(variable.parts)
            self.problems.add(where, f"${name} is known only in method parameters")

    def evaluator(self, expression: Expression) -> Evaluator:
        """Return the closure of a checked expression."""
        return evaluator(expression, self.constants)

    def reading(self, node: Node) -> Reading | None:
        """Return the closure and the needs of the expression at a node."""
        expression = self.expression(node)
        if expression is None:
            return None
        needs = frozenset(properties_of(expression))
        return Reading(self.evaluator(expression), needs, said=str(node.value))

    def tests(self, node: Node, *, alias: str | None = None) -> Reading | None:
        """Return the conjunction of the tests of a node: property path to expected value.

        With `alias` the keys are bare property names of that relation's class, tested
        on the row that stands under LOCAL.
        """
        conditions: list[tuple[Evaluator, Test]] = []
        needs: set[Property] = set()
        for key, value in node.items():
            place = (node.key_places or {}).get(key, node.where)
            name = key if alias is None or "." in key else f"{alias}.{key}"
            left = self._tested(Node(name, place))
            test = parse_test(value.plain())
            if left is None:
                continue
            self._check_test(left, test, value.where)
            needs.add(left)
            asked = left if alias is None else Property(LOCAL, left.name)
            conditions.append((evaluator(asked), test))
        return Reading(all_hold(conditions), frozenset(needs)) if conditions else None

    def _tested(self, node: Node) -> Property | None:
        expression = self.expression(node)
        if expression is None or isinstance(expression, Property):
            return expression
        return self.problems.add(node.where, f"{node.value!r} must be a property path here")

    def _check_test(self, left: Property, test: Test, where: Place) -> None:
        declared = self.property(left.alias, left.name, where)
        if declared is None or test.kind == "given":
            return
        name = f"{declared.owner or ''}.{declared.name}".lstrip(".")
        if declared.is_array != (test.kind == "has"):
            self.problems.add(
                where,
                f"{name} is an array: test it with {{has: [...]}}"
                if declared.is_array
                else f"{name} is no array: `has` does not apply",
            )
        self._check_form(declared, name, test, where)
        for value in () if test.kind in VALUELESS else test.values:
            self.check_value(declared, name, value, where)

    def _check_form(
        self, declared: PropertyDeclaration, name: str, test: Test, where: Place
    ) -> None:
        """Complain of a test that no value of the declared type can pass."""
        is_text = declared.type in ("string", "char16")
        is_other = declared.type in ("boolean", "datetime", "reference")
        if test.kind == "like" and not is_text:
            self.problems.add(where, f"{name} is {declared.type}: `like` is for texts")
        elif test.kind in ("bits", "between") and is_other:
            self.problems.add(where, f"{name} is {declared.type}: `{test.kind}` is for numbers")

    def check_value(
        self,
        declared: PropertyDeclaration | ParameterDeclaration,
        name: str,
        value: Any,
        where: Place,
    ) -> None:
        """Complain of a value that the declared type or value map does not have."""
        is_number = declared.type not in ("string", "char16", "boolean", "datetime", "reference")
        if is_number and (not isinstance(value, int) or isinstance(value, bool)):
            self.problems.add(where, f"{name} is {declared.type}: {value!r} is no such value")
        elif declared.type == "boolean" and not isinstance(value, bool):
            self.problems.add(where, f"{name} is boolean: {value!r} is neither true nor false")
        elif declared.type == "string" and not isinstance(value, str):
            self.problems.add(where, f"{name} is a string: write '{value}' in quotes")
        elif declared.values is not None and _is_unassigned(declared.values.label(value)):
            known = "; ".join(f"{key} {label}" for key, label in declared.values.entries[:40])
            self.problems.add(where, f"{name} has no value {value!r}; it has {known}")


def _is_unassigned(label: str | None) -> bool:
    """Whether a value has no meaning: none at all, or kept by DMTF for later."""
    return label is None or label.lower() in ("dmtf reserved", "reserved")


def entries(node: Node | None) -> Iterator[tuple[str, Node, Place]]:
    """Yield key, value and the key's place of a dict node; nothing for None."""
    if node is not None:
        for key, value in node.items():
            yield key, value, (node.key_places or {}).get(key, node.where)


def required(node: Node, key: str) -> Node:
    """Return the entry `key` of a dict node that is known to have it."""
    if not isinstance(node.value, dict):
        raise TypeError(f"{node.where}: no table of keys")
    return node.value[key]


def child(node: Node | None, key: str) -> Node | None:
    """Return the entry `key` of a dict node, None if there is none."""
    if node is None or not isinstance(node.value, dict):
        return None
    return node.value.get(key)


def place_of(place: Place) -> str:
    """Return a place in a mapping as people look it up: the file's name and the line."""
    return f"{PurePath(place.file).name}:{place.line}"


def as_said(value: Any) -> str:
    """Return a plain value of a mapping as it may stand there, in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_inner(inner)}" for key, inner in value.items())
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{as_said(value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inner, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
