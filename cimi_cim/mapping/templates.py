"""Parameter templates of method calls: compiled against the declarations, then evaluated.

A template is a scalar, an expression, a list, or an object: `{path: alias}`, `{ref: $x}`,
`{embed: Class, set: {...}}`, `{copy: alias, with: changes}`, `{link: alias}`; with
`each: $list` an object stands once per item, which is `$item` then, its number `$index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from cimi_cim.errors import BadRequest
from cimi_cim.mapping.expressions import (
    Binding,
    Expression,
    Property,
    Variable,
    evaluator,
    properties_of,
    walk,
)
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that stands for itself."""

    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over the rows and the request."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class PathOf:
    """The path of a relation's row, or of a service."""

    alias: str


@dataclass(frozen=True, slots=True)
class Referred:
    """The path of the resource that a variable refers to."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Embedded:
    """A new embedded instance; `properties` are name -> (CIM type, template)."""

    classname: str
    properties: Mapping[str, tuple[str, Template]]


@dataclass(frozen=True, slots=True)
class Copied:
    """The whole instance of a relation with the changes of a write.

    `alias` None stands for one such instance of each relation that has changes.
    """

    alias: str | None


@dataclass(frozen=True, slots=True)
class Linked:
    """The instance of a relation, or the association instance behind its `link`.

    Of several it is the one that is, or leads to, the resource that `to` refers to.
    """

    alias: str
    to: Expression | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """A template once per item of a list in the request."""

    items: Expression
    template: Template


@dataclass(frozen=True, slots=True)
class Several:
    """A list; what is repeated in it stands item by item."""

    templates: tuple[Template, ...]


Template: TypeAlias = (
    "Plain | Formula | PathOf | Referred | Embedded | Copied | Linked | Repeated | Several"
)


@dataclass(frozen=True, slots=True)
class Argument:
    """A method argument: its CIM type (`uint16`, `string[]`, `instance`, ...) and template."""

    type: str
    template: Template


class Variables(Mapping[str, Any]):
    """`$name` and `$config.cpu`: what a request says, nested values by their dotted names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        found: Any = self._values
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise KeyError(name)
            found = found[part]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class CallContext:
    """What templates are evaluated against.

    Args:
        binding: The rows of the resource, by alias.
        variables: What the request says, references as instance paths; `target.NAME`.
        path_of: Gives the path of an alias or of a service, None where it is to be left out.
        copies: Gives the changed whole instances of an alias, None for all that changed.
    """

    binding: Binding
    variables: Mapping[str, Any]
    path_of: Callable[[str], InstancePath | None]
    copies: Callable[[str | None], tuple[EmbeddedInstance, ...]] = lambda alias: ()


def arguments(said: Mapping[str, Argument], context: CallContext) -> dict[str, TypedValue]:
    """Return the arguments of a call with their declared types; one without a value is left out."""
    found = {}
    for name, argument in said.items():
        value = _evaluate(argument.template, context)
        if value not in (None, (), ""):
            found[name] = TypedValue(argument.type, typed(value, argument.type))
    return found


def needs_of(said: Mapping[str, Argument]) -> tuple[frozenset[Property], frozenset[str]]:
    """Return the properties that templates read, and the aliases whose rows they take."""
    properties: set[Property] = set()
    aliases: set[str] = set()
    waiting = [argument.template for argument in said.values()]
    while waiting:
        template = waiting.pop()
        if isinstance(template, Several):
            waiting += template.templates
        elif isinstance(template, Repeated):
            waiting.append(template.template)
        elif isinstance(template, Embedded):
            waiting += [inner for _, inner in template.properties.values()]
        elif isinstance(template, Formula):
            properties |= set(properties_of(template.expression))
        elif isinstance(template, PathOf | Linked) or (
            isinstance(template, Copied) and template.alias is not None
        ):
            aliases.add(str(template.alias))
    return frozenset(properties), frozenset(aliases)


def variables_of(said: Mapping[str, Argument]) -> frozenset[str]:
    """Return the names of the `$variables` that templates take, without what is in them."""
    found: set[str] = set()
    waiting = [argument.template for argument in said.values()]
    while waiting:
        template = waiting.pop()
        if isinstance(template, Several):
            waiting += template.templates
        elif isinstance(template, Embedded):
            waiting += [inner for _, inner in template.properties.values()]
        elif isinstance(template, Repeated):
            waiting += [template.template, Formula(template.items)]
        elif isinstance(template, Formula | Referred):
            parts = walk(template.expression)
            found |= {part.parts[0] for part in parts if isinstance(part, Variable)}
        elif isinstance(template, Linked) and template.to is not None:
            waiting.append(Formula(template.to))
    return frozenset(found)


def _evaluate(template: Template, context: CallContext) -> Any:
    if isinstance(template, Plain):
        return template.value
    if isinstance(template, Formula | Referred):
        return evaluator(template.expression, context.variables)(context.binding)
    if isinstance(template, PathOf):
        return context.path_of(template.alias)
    if isinstance(template, Linked):
        return _linked(template, context)
    if isinstance(template, Embedded):
        return _embedded(template, context)
    if isinstance(template, Copied):
        made = context.copies(template.alias)
        return made[0] if template.alias is not None and made else made or None
    if isinstance(template, Repeated):
        return _repeated(template, context)
    return _several(template, context)


def _several(template: Several, context: CallContext) -> tuple[Any, ...] | None:
    """A list, without the items that have no value; None where nothing is left of it."""
    found: list[Any] = []
    for inner in template.templates:
        value = _evaluate(inner, context)
        if isinstance(inner, Repeated) or (isinstance(inner, Copied) and inner.alias is None):
            found += value or ()
        elif value is not None:
            found.append(value)
    return tuple(found) or None


def _repeated(template: Repeated, context: CallContext) -> tuple[Any, ...]:
    items = evaluator(template.items, context.variables)(context.binding) or ()
    made = []
    for index, item in enumerate(items):
        inner = Variables({**context.variables, "item": item, "index": index})
        made.append(
            _evaluate(
                template.template,
                CallContext(context.binding, inner, context.path_of, context.copies),
            )
        )
    return tuple(value for value in made if value is not None)


def _linked(template: Linked, context: CallContext) -> InstancePath | None:
    bound = context.binding.get(template.alias)
    rows = bound if isinstance(bound, tuple) else (bound,) if bound is not None else ()
    if template.to is None:
        return rows[0].path if rows else None
    other = evaluator(template.to, context.variables)(context.binding)
    for row in rows:
        if other == row.path or other in dict(row.path.keys).values():
            return row.path
    raise BadRequest(
        "what the request refers to belongs to another resource; list those of this one",
        reason="bad-reference",
    )


def _embedded(template: Embedded, context: CallContext) -> EmbeddedInstance:
    values: dict[str, CimValue] = {}
    types = {}
    for name, (kind, inner) in template.properties.items():
        value = _evaluate(inner, context)
        if value not in (None, (), ""):
            values[name], types[name] = typed(value, kind), kind
    return EmbeddedInstance(template.classname, values, types)


def typed(value: Any, kind: str) -> CimValue:
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
    return _integer(value, kind) if kind.lstrip("us").startswith("int") else value


def _integer(value: Any, kind: str) -> int:
    """A number that the type can hold; what is cut off would be another number."""
    number, bits = int(value), int(kind.partition("int")[2])
    low, high = (0, 2**bits) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not low <= number < high:
        raise BadRequest(
            f"{number} is more than the provider can be told here ({kind}); ask for less",
            reason="out-of-range",
        )
    return number
