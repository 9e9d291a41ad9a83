"""From the templates of a call to typed method arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from cimi_cim.errors import ProviderUnsupported
from cimi_cim.mapping.compiled import MethodUse
from cimi_cim.mapping.expressions import (
    Binding,
    Call,
    Expression,
    Property,
    evaluator,
    parse_expression,
    properties_of,
    walk,
)
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath


@dataclass(frozen=True, slots=True)
class CallContext:
    """What templates are evaluated against.

    Args:
        binding: The rows of the resource, by alias.
        variables: `$name` -> value: the request's parameters, and `target.NAME`.
        path_of: Gives the path of an alias or of a service.
    """

    binding: Binding
    variables: Mapping[str, Any]
    path_of: Callable[[str], InstancePath]


def arguments(use: MethodUse, context: CallContext) -> dict[str, TypedValue]:
    """Return the arguments of a call with their declared types; one without a value is left out.

    Raises `ProviderUnsupported` for a template that takes more than one request knows.
    """
    found = {}
    for name, argument in use.arguments.items():
        value = _evaluate(argument.template, context)
        if value is not None:
            found[name] = TypedValue(argument.type, _typed(value, argument.type))
    return found


def needs_of(use: MethodUse) -> tuple[frozenset[Property], frozenset[str]]:
    """Return the properties that the templates read, and the aliases whose path they take."""
    properties: set[Property] = set()
    aliases: set[str] = {use.alias}
    waiting = [argument.template for argument in use.arguments.values()]
    while waiting:
        template = waiting.pop()
        if isinstance(template, dict):
            aliases |= {str(template["path"])} if "path" in template else set()
        elif isinstance(template, list):
            waiting += template
        elif (expression := _expression(template)) is not None:
            properties |= set(properties_of(expression))
    return frozenset(properties), frozenset(aliases)


def _expression(template: Any) -> Expression | None:
    """The expression that a template is; a text without $ and ( stands for itself."""
    if isinstance(template, str) and ("$" in template or "(" in template):
        return parse_expression(template)
    return None


def _evaluate(template: Any, context: CallContext) -> Any:
    if isinstance(template, list):
        return tuple(_evaluate(item, context) for item in template)
    if isinstance(template, dict):
        return _object(template, context)
    expression = _expression(template)
    if expression is None:
        return template
    for part in walk(expression):
        if isinstance(part, Call) and FUNCTIONS[part.function].is_outgoing:
            raise _unsupported(part.function)
    return evaluator(expression, context.variables)(context.binding)


def _object(template: Mapping[str, Any], context: CallContext) -> Any:
    if set(template) == {"path"}:
        return context.path_of(str(template["path"]))
    raise _unsupported(", ".join(sorted(template)))


def _typed(value: Any, kind: str) -> CimValue:
    """Return a value as the declared CIM type has it."""
    if kind.endswith("[]"):
        items = value if isinstance(value, tuple | list) else (value,)
        return tuple(_scalar(item, kind.removesuffix("[]")) for item in items)
    return cast(CimValue, _scalar(value, kind))


def _scalar(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, InstancePath | EmbeddedInstance | CimDateTime):
        return value
    if kind == "datetime":
        return CimDateTime(str(value))
    if kind in ("string", "char16"):
        return str(value)
    if kind.startswith("real"):
        return float(value)
    return int(value) if kind[1:].startswith("int") else value


def _unsupported(what: str) -> ProviderUnsupported:
    return ProviderUnsupported(f"the mapping's {what} cannot be carried out in one request")
