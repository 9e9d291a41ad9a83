"""Expressions of the mapping language: read once, then run as closures.

`alias.Property`, `'text'`, `$variable`, `a + b`, `function(a, b)`. A bare name is a
property of the class being joined (only inside `match` and `where` of a join).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeAlias, cast

from lark import Lark, Token, Transformer, UnexpectedInput

from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.wbem.values import CimValue, InstancePath, Row

Binding: TypeAlias = Mapping[str, "Row | tuple[Row, ...] | None"]
"""The rows of one resource, by alias; a tuple for a relation of many."""

Evaluator: TypeAlias = Callable[[Binding], Any]

LOCAL = ""
"""The alias under which the row being joined stands while `match` is evaluated."""


@dataclass(frozen=True, slots=True)
class Text:
    """A literal."""

    text: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an alias; of the row being joined when `alias` is LOCAL."""

    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`$config.cpu`: something of the request or the configuration."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Texts one after another, or numbers added."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the closed registry."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = "Text | Property | Variable | Sum | Call"


class ExpressionError(ValueError):
    """A text that is no expression."""


class _Builder(Transformer[Token, Expression]):
    def start(self, children: list[Expression]) -> Expression:
        return children[0]

    def sum(self, children: list[Expression]) -> Expression:
        return children[0] if len(children) == 1 else Sum(tuple(children))

    def call(self, children: list[Any]) -> Expression:
        return Call(str(children[0]), tuple(c for c in children[1:] if c is not None))

    def path(self, children: list[Token]) -> Expression:
        return Property(str(children[0]), str(children[1]))

    def local(self, children: list[Token]) -> Expression:
        return Property(LOCAL, str(children[0]))

    def variable(self, children: list[Token]) -> Expression:
        return Variable(tuple(str(c) for c in children))

    def text(self, children: list[Token]) -> Expression:
        return Text(str(children[0])[1:-1])


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (files("cimi_cim.mapping") / "expressions.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Builder())


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Return the tree of an expression. Raises `ExpressionError` with the position."""
    try:
        return cast(Expression, _parser().parse(text))
    except UnexpectedInput as exc:
        at = f" at character {exc.column}" if isinstance(exc.column, int) and exc.column > 0 else ""
        raise ExpressionError(
            f"{text!r} is no expression{at}: an expression is alias.Property, 'text', $variable,"
            " a sum with +, or function(...)"
        ) from exc


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and everything in it."""
    yield expression
    if isinstance(expression, Sum):
        for term in expression.terms:
            yield from walk(term)
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            yield from walk(argument)


def properties_of(expression: Expression) -> tuple[Property, ...]:
    """Return the property paths an expression reads."""
    return tuple(part for part in walk(expression) if isinstance(part, Property))


def evaluator(expression: Expression, constants: Mapping[str, Any] | None = None) -> Evaluator:
    """Return a closure that computes the expression for a binding.

    A property of an alias of many gives a list of the values there are. `constants`
    gives `$variables` known at load (`target.vstype` for `$target.vstype`).
    """
    if isinstance(expression, Text):
        text = expression.text
        return lambda binding: text
    if isinstance(expression, Property):
        return _property(expression.alias, expression.name)
    if isinstance(expression, Variable):
        value = (constants or {}).get(".".join(expression.parts))
        return lambda binding: value
    if isinstance(expression, Sum):
        return _sum([evaluator(term, constants) for term in expression.terms])
    function = FUNCTIONS[expression.function].run
    arguments = [evaluator(argument, constants) for argument in expression.arguments]
    return lambda binding: function(*(argument(binding) for argument in arguments))


def _property(alias: str, name: str) -> Evaluator:
    def read(binding: Binding) -> CimValue | list[CimValue]:
        bound = binding.get(alias)
        if bound is None:
            return None
        if isinstance(bound, tuple):
            values = (row.values.get(name) for row in bound)
            return [value for value in values if value is not None]
        return bound.values.get(name)

    return read


def _sum(terms: list[Evaluator]) -> Evaluator:
    def add(binding: Binding) -> Any:
        values = [term(binding) for term in terms]
        if any(value is None for value in values):
            return None
        if all(isinstance(value, int | float) for value in values):
            return sum(values)
        return "".join(as_text(value) for value in values)

    return add


def as_text(value: Any) -> str:
    """Return a CIM value as text: paths canonical, numbers in decimal."""
    return value.canonical if isinstance(value, InstancePath) else str(value)
