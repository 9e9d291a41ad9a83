"""Compiles parameter templates: classes, properties and their types from the declarations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from cimi_cim.mapping.expressions import ExpressionError, Variable, parse_expression
from cimi_cim.mapping.scope import UNKNOWN, Scope, child, entries
from cimi_cim.mapping.templates import (
    Copied,
    Embedded,
    Formula,
    Linked,
    PathOf,
    Plain,
    Referred,
    Repeated,
    Several,
    Template,
)
from cimi_cim.schema.declarations import ParameterDeclaration, PropertyDeclaration
from cimi_cim.yaml_source import Node, nearest

_KINDS = ("path", "ref", "embed", "copy", "link")
_KEYS = {
    "path": {"path"},
    "ref": {"ref", "optional"},
    "embed": {"embed", "set", "each"},
    "copy": {"copy", "with"},
    "link": {"link", "to"},
}
_PATH = re.compile(r"([a-z]\w*)\.[A-Za-z]\w*\Z")
EACH_CHANGED = "each-changed"
Declared: TypeAlias = "ParameterDeclaration | PropertyDeclaration | None"


class TemplateCompiler:
    """Compiles the templates of one resource's calls.

    `class_of` returns the class of an alias or a service, None after a complaint.
    """

    def __init__(self, scope: Scope, class_of: Callable[[Node], str | None]) -> None:
        self._scope = scope
        self._class_of = class_of

    def template(self, node: Node, declared: Declared) -> Template:
        """Return the template at a node, for what is `declared`; mistakes go to the problems."""
        if isinstance(node.value, list):
            return Several(tuple(self.template(item, declared) for item in node.value))
        if isinstance(node.value, dict):
            return self._object(node)
        if isinstance(node.value, str) and self._is_formula(node.value):
            return self._formula(node) or Plain(None)
        value = node.value
        if isinstance(value, str):
            value = self._scope.units.get(value, value)
        if value is not None and declared is not None and declared.type != "string":
            # What a string takes is text whatever it looks like.
            self._scope.check_value(declared, declared.name, value, node.where)
        return Plain(value if value is None or isinstance(value, str | int) else str(value))

    def _is_formula(self, text: str) -> bool:
        """Whether a text is computed: it has a variable or a call, or is a property path."""
        path = _PATH.match(text)
        return "$" in text or "(" in text or (path is not None and path[1] in self._scope.aliases)

    def _formula(self, node: Node) -> Formula | None:
        try:
            parse_expression(str(node.value))
        except ExpressionError as exc:
            return self._scope.problems.add(node.where, str(exc))
        expression = self._scope.expression(node, outgoing=True)
        return None if expression is None else Formula(expression)

    def _object(self, node: Node) -> Template:
        kind = next((kind for kind in _KINDS if child(node, kind) is not None), None)
        if kind is None:
            self._scope.problems.add(
                node.where, f"an object in a parameter says one of {', '.join(_KINDS)}"
            )
            return Plain(None)
        for key, _, place in entries(node):
            if key not in _KEYS[kind]:
                known = sorted(_KEYS[kind])
                self._scope.problems.add(
                    place, f"{key!r} does not go with `{kind}`{nearest(key, known)}"
                )
        made: Template | None = getattr(self, f"_{kind}")(node)
        return made or Plain(None)

    def _path(self, node: Node) -> Template | None:
        alias = child(node, "path")
        return None if alias is None or self._class_of(alias) is None else PathOf(str(alias.value))

    def _ref(self, node: Node) -> Template | None:
        said = child(node, "ref")
        formula = self._variable(said) if said is not None else None
        return None if formula is None else Referred(formula.expression)

    def _copy(self, node: Node) -> Template | None:
        alias = child(node, "copy")
        if alias is None or alias.value == EACH_CHANGED:
            return Copied(None)
        return None if self._class_of(alias) is None else Copied(str(alias.value))

    def _link(self, node: Node) -> Template | None:
        alias, to = child(node, "link"), child(node, "to")
        if alias is None or self._class_of(alias) is None:
            return None
        formula = self._variable(to) if to is not None else None
        return Linked(str(alias.value), None if formula is None else formula.expression)

    def _variable(self, node: Node) -> Formula | None:
        formula = self._formula(node)
        if formula is not None and not isinstance(formula.expression, Variable):
            return self._scope.problems.add(node.where, f"{node.value!r} must be a $variable here")
        return formula

    def _embed(self, node: Node) -> Template | None:
        named, each = child(node, "embed"), child(node, "each")
        if named is None:
            return None
        classname = self._scope.classname(named) or UNKNOWN
        properties = {}
        for name, value, place in entries(child(node, "set")):
            declared = self._scope.property_of(classname, name, place)
            template = self.template(value, declared)
            if declared is not None:
                properties[declared.name] = (_type_of(declared), template)
        made = Embedded(classname, properties)
        if each is None:
            return made
        items = self._variable(each)
        return made if items is None else Repeated(items.expression, made)


def _type_of(declared: PropertyDeclaration) -> str:
    kind = "instance" if declared.embedded is not None else declared.type
    return kind + ("[]" if declared.is_array else "")
