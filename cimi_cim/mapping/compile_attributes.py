"""Compiles `attributes`, `id`, `where` and `advertise` of a resource."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from typing import Any

from cimi_cim.mapping.compiled import (
    AttributeMapping,
    Reading,
    Write,
)
from cimi_cim.mapping.computing import Constant, Converted, DecisionList, FirstOf
from cimi_cim.mapping.conditions import Predicate, exists
from cimi_cim.mapping.converters import SIMPLE, Quantity, value_table
from cimi_cim.mapping.expressions import (
    Call,
    Expression,
    Property,
    evaluator,
    properties_of,
    walk,
)
from cimi_cim.mapping.functions import FUNCTIONS
from cimi_cim.mapping.scope import Scope, as_said, child, entries, place_of, required
from cimi_cim.model.types import Attribute
from cimi_cim.units import Unit, UnitError, parse_unit
from cimi_cim.wbem.values import Row
from cimi_cim.yaml_source import Node, Place, nearest

# The units of the CIMI tables as DSP0004 writes them, where both are sure to be the same.
_PROGRAMMATIC = {
    "bit per second": "bit/second",
    "byte": "byte",
    "count": "count",
    "kibibyte": "byte*2^10",
    "kilobyte": "byte*10^3",
    "megahertz": "hertz*10^6",
    "minute": "second*60",
    "percent": "percent",
    "second": "second",
}


class AttributeCompiler:
    """Compiles what is read of one resource.

    `attributes` are the rows the CIMI model gives the type; `types` are the names of those
    the model knows at all.
    """

    def __init__(
        self, scope: Scope, attributes: Mapping[str, Attribute], types: Collection[str]
    ) -> None:
        self._scope = scope
        self._attributes = attributes
        self._types = types

    def attribute(self, name: str, node: Node, place: Place) -> AttributeMapping | None:
        """Return one attribute; None after a complaint."""
        if name not in self._attributes:
            return self._scope.problems.add(
                place, f"CIMI has no attribute {name!r} here{nearest(name, list(self._attributes))}"
            )
        lazy, store = child(node, "lazy"), child(node, "store")
        is_lazy = lazy is not None and lazy.value is True
        is_stored = (store is not None and store.value is True) or child(node, "else") is not None
        children, ref = child(node, "children"), child(node, "ref")
        if children is not None:
            of = child(node, "of")
            self._check_link(children, of)
            related = None if of is None else str(of.value)
            return AttributeMapping(
                name, children=str(children.value), is_lazy=is_lazy, related=related
            )
        if ref is not None:
            to = child(node, "to")
            aliases = to.value if to is not None and isinstance(to.value, list) else [to]
            for alias in aliases:
                self._check_link(ref, alias)
            named = tuple(str(alias.value) for alias in aliases if alias is not None)
            link = (str(ref.value), named) if named else None
            return AttributeMapping(name, reference=link, is_lazy=is_lazy, is_stored=is_stored)
        cimi = self._attributes[name]
        fixed = child(node, "readonly")
        is_fixed = fixed is not None and fixed.value is True
        return AttributeMapping(
            name,
            self._reading(node, cimi),
            is_lazy=is_lazy,
            is_stored=is_stored,
            write=None if is_fixed else self._write(node, child(node, "write"), cimi),
            is_fixed=is_fixed,
        )

    def check_writers(self, attributes: Node | None, writers: Container[str]) -> None:
        """Complain of attributes whose `by` names no writer."""
        for _, node, _ in entries(attributes):
            by = child(child(node, "write"), "by")
            if by is not None and by.value not in writers:
                self._scope.problems.add(by.where, f"no writer is called {by.value!r}")

    def _write(self, attribute: Node, node: Node | None, cimi: Attribute) -> Write | None:
        by, target = child(node, "by"), child(node, "set")
        if node is None or by is None:
            return None
        if target is None:
            return Write(str(by.value))
        expression = self._scope.expression(target)
        if not isinstance(expression, Property):
            return self._scope.problems.add(target.where, f"{target.value!r} is no property path")
        declared = self._scope.property(expression.alias, expression.name, target.where)
        if declared is None:
            return None
        kind = declared.type + ("[]" if declared.is_array else "")
        origin = attribute if child(node, "convert") is None else node
        convert = self._computed(node, cimi.name, expression.alias, self._unconverted(origin, cimi))
        return Write(str(by.value), expression.alias, declared.name, kind, convert)

    def _computed(
        self, node: Node, name: str, alias: str, convert: Callable[[Any, Row], Any]
    ) -> Callable[[Any, Row], Any]:
        """From the CIMI value to the CIM value: by the expression of the `write`, if it has one.

        Where that has no value, as the row lacks what it reads, the conversion counts.
        """
        said = child(node, "value")
        expression = None if said is None else self._scope.expression(said, outgoing=True)
        if expression is None:
            return convert

        def compute(value: Any, row: Row) -> Any:
            found = evaluator(expression, {name: value})({alias: row})
            return convert(value, row) if found is None else found

        return compute

    def _unconverted(self, attribute: Node, cimi: Attribute) -> Callable[[Any, Row], Any]:
        """From the CIMI value to the CIM value: the conversions of the attribute, backwards."""
        convert, table = child(attribute, "convert"), child(attribute, "map")
        if convert is not None and isinstance(convert.value, dict):
            quantity = self._quantity(convert.value["quantity"], cimi)
            return (lambda value, row: None) if quantity is None else quantity.writer()
        if table is not None:
            said = self._scope.maps.get(str(table.value))
            back = {v: k for k, v in (said.plain() if said is not None else {}).items()
                    if not k.endswith("*")}  # fmt: skip
            return lambda value, row: back.get(value)
        return lambda value, row: value

    def _check_link(self, type_node: Node, alias: Node | None) -> None:
        if type_node.value not in self._types:
            name = str(type_node.value)
            self._scope.problems.add(
                type_node.where, f"CIMI has no resource {name!r}{nearest(name, list(self._types))}"
            )
        if alias is not None:
            self._scope.alias(str(alias.value), alias.where)

    def _reading(self, node: Node, cimi: Attribute) -> Reading | None:
        const, rules, read = (child(node, key) for key in ("const", "rules", "read"))
        if const is not None:
            self._check_result(const, cimi)
            return Reading(Constant(const.value))
        if rules is not None:
            return self._rules(rules, cimi)
        if read is None:
            return None
        sources = read.value if isinstance(read.value, list) else [read]
        optional = child(node, "optional")
        if optional is not None and optional.value is True:
            sources = [s for s in sources if self._scope.declares(_text(s))]
        readings = [self._source(source, node, cimi) for source in sources]
        return _first_of([reading for reading in readings if reading is not None])

    def _source(self, source: Node, attribute: Node, cimi: Attribute) -> Reading | None:
        own = source if isinstance(source.value, dict) else None
        convert = child(own, "convert") or child(attribute, "convert")
        named = child(own, "map") or child(attribute, "map")
        source = required(own, "value") if own is not None else source
        said = str(source.value)
        rule = child(convert, "quantity")
        quantity = None if rule is None else self._quantity(rule, cimi)
        table = None if named is None else self._table(named, cimi)
        expression = self._scope.expression(source)
        if expression is None:
            return None
        self._check_cardinality(expression, source.where)
        needs = frozenset(properties_of(expression))
        evaluate = self._scope.evaluator(expression)
        if quantity is not None:
            needs |= {part for unit in quantity.units for part in properties_of(unit)}
            evaluate = quantity.reader(expression, said)
        elif convert is not None and rule is None:
            name = str(convert.value)
            evaluate = Converted(evaluate, said, SIMPLE[name], "convert", name)
        if table is not None and named is not None:
            evaluate = Converted(evaluate, said, table, "map", str(named.value))
        return Reading(evaluate, needs, said=said)

    def _check_result(self, node: Node, cimi: Attribute) -> None:
        """Complain of a value that the standard does not give an attribute."""
        if cimi.values and not cimi.is_open and node.value not in cimi.values:
            word = str(node.value)
            hint = nearest(word, cimi.values) or f"; it has {', '.join(cimi.values)}"
            self._scope.problems.add(node.where, f"CIMI has no {cimi.name} {word!r}{hint}")

    def _check_cardinality(self, expression: Expression, where: Place) -> None:
        """A relation of many needs an aggregate to give one value."""
        reduced = {
            part
            for call in walk(expression)
            if isinstance(call, Call) and FUNCTIONS.get(call.function, None)
            and FUNCTIONS[call.function].is_aggregate
            for argument in call.arguments
            for part in properties_of(argument)
        }  # fmt: skip
        for part in properties_of(expression):
            info = self._scope.aliases.get(part.alias)
            if info is not None and info.is_many and part not in reduced:
                self._scope.problems.add(
                    where,
                    f"{part.alias} has many rows: reduce them with sum, max, min, first or count",
                )

    def _quantity(self, node: Node, cimi: Attribute) -> Quantity | None:
        units = child(node, "units")
        unit_nodes = units.value if units is not None and isinstance(units.value, list) else []
        expressions = [self._scope.expression(unit) for unit in unit_nodes]
        to, default = child(node, "to"), child(node, "default")
        if to is None:
            return self._scope.problems.add(node.where, "a quantity says its unit: `to`")
        target = self._unit(to)
        source = target if default is None else self._unit(default)
        if source is None or target is None:
            return None
        if default is not None and source.base != target.base:
            self._scope.problems.add(
                default.where, f"{default.value!r} cannot be turned into {to.value!r}"
            )
        wanted = _PROGRAMMATIC.get(cimi.unit or "")
        if wanted is not None and target != parse_unit(wanted):
            self._scope.problems.add(
                to.where, f"CIMI counts {cimi.name} in {wanted!r}, not in {to.value!r}"
            )
        plain: dict[str, Any] = node.plain()
        return Quantity(
            tuple(e for e in expressions if e is not None),
            frozenset(plain.get("ignore", ())),
            plain.get("default", plain["to"]),
            plain["to"],
            plain.get("round", "floor"),
            plain.get("binary", False),
        )

    def _unit(self, node: Node) -> Unit | None:
        try:
            return parse_unit(str(node.value))
        except UnitError as exc:
            return self._scope.problems.add(node.where, str(exc))

    def _table(self, node: Node, cimi: Attribute) -> Callable[[Any], Any] | None:
        found = self._scope.maps.get(str(node.value))
        if str(node.value) in self._scope.problems.broken:
            return None
        if found is None:
            known = list(self._scope.maps)
            return self._scope.problems.add(
                node.where, f"no map is called {node.value!r}{nearest(str(node.value), known)}"
            )
        for _, result, _ in entries(found):
            self._check_result(result, cimi)
        return value_table(found.plain(), str(node.value))

    def _rules(self, node: Node, cimi: Attribute) -> Reading | None:
        """Return the reading of a named decision list."""
        found = self._scope.rules.get(str(node.value))
        if str(node.value) in self._scope.problems.broken:
            return None
        if found is None or not isinstance(found.value, list):
            known = list(self._scope.rules)
            return self._scope.problems.add(
                node.where, f"no rules are called {node.value!r}{nearest(str(node.value), known)}"
            )
        lines: list[tuple[Predicate | None, str]] = []
        texts: list[str] = []
        needs: frozenset[Property] = frozenset()
        for line in found.value:
            otherwise, condition, result = (child(line, key) for key in ("else", "if", "is"))
            said = otherwise or result
            if said is not None:
                self._check_result(said, cimi)
            if otherwise is not None:
                lines.append((None, str(otherwise.value)))
                texts.append(f"{place_of(line.where)}: else")
            elif condition is not None and result is not None:
                reading = self._scope.tests(condition)
                if reading is not None:
                    needs |= reading.needs
                    lines.append((reading.evaluate, str(result.value)))
                    texts.append(f"{place_of(line.where)}: {as_said(condition.plain())}")
        return Reading(DecisionList(str(node.value), tuple(lines), tuple(texts)), needs)

    def where(self, node: Node | None) -> Reading | None:
        """Return the resource's filter; None if it has none."""
        if node is None:
            return None
        parts = node.value if isinstance(node.value, list) else [node]
        readings: list[Reading] = []
        for part in parts:
            if isinstance(part.value, str):
                readings += self._existence(part)
            else:
                found = self._scope.tests(part)
                readings += [] if found is None else [found]
        if not readings:
            return None
        evaluators = [reading.evaluate for reading in readings]
        return Reading(
            lambda binding: all(evaluate(binding) for evaluate in evaluators),
            frozenset[Property]().union(*(reading.needs for reading in readings)),
            frozenset[str]().union(*(reading.exists for reading in readings)),
        )

    def _existence(self, node: Node) -> list[Reading]:
        readings = []
        for part in str(node.value).split(" and "):
            words = part.strip()
            wanted = not words.startswith("not ")
            words = words.removeprefix("not ").strip()
            alias = words[len("exists(") : -1].strip()
            if not (words.startswith("exists(") and words.endswith(")")):
                self._scope.problems.add(
                    node.where,
                    f"{part.strip()!r} is no condition: write exists(relation),"
                    " not exists(relation), or {relation.Property: value}",
                )
            elif self._scope.alias(alias, node.where) is not None:
                readings.append(Reading(exists(alias, wanted=wanted), exists=frozenset({alias})))
        return readings


def _text(source: Node) -> str:
    return str((child(source, "value") or source).value)


def _first_of(readings: list[Reading]) -> Reading | None:
    if len(readings) < 2:
        return readings[0] if readings else None
    first = FirstOf(tuple(r.evaluate for r in readings), tuple(r.said for r in readings))
    return Reading(first, frozenset[Property]().union(*(r.needs for r in readings)))
