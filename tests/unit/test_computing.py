"""What is told of a value is what serves it: the same parts, on the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from cimi_cim.mapping.computing import (
    Constant,
    Converted,
    DecisionList,
    FirstOf,
    Step,
    steps_of,
)
from cimi_cim.mapping.conditions import all_hold, parse_test
from cimi_cim.mapping.converters import Quantity, boolean, value_table
from cimi_cim.mapping.explaining import HIDDEN, plain
from cimi_cim.mapping.expressions import Binding, Evaluator, evaluator, parse_expression
from cimi_cim.wbem.values import CimDateTime, EmbeddedInstance, InstancePath, Row

PATH = InstancePath("root/x", "X_Thing", (("ID", "1"),))


def row(**values: Any) -> Row:
    return Row(PATH, values)


def read(text: str) -> Evaluator:
    return evaluator(parse_expression(text))


def told(evaluate: Evaluator, binding: Binding, said: str = "") -> list[Step]:
    """The steps of an evaluator; the last has the value that a call gives."""
    steps = steps_of(evaluate, said, binding)
    assert steps[-1].value == evaluate(binding)
    return steps


RULES = DecisionList(
    "state",
    ((all_hold([(read("a.S"), parse_test(2))]), "STARTED"), (None, "ERROR")),
    ("x.yaml:3: a.S: 2", "x.yaml:4: else"),
)


def test_rules_tell_the_line_that_decides() -> None:
    assert told(RULES, {"a": row(S=2)}) == [Step("rule", "state, x.yaml:3: a.S: 2", "STARTED")]
    assert told(RULES, {"a": row(S=9)})[0].said == "state, x.yaml:4: else"
    open_ended = DecisionList("state", RULES.lines[:1], RULES.said[:1])
    assert told(open_ended, {"a": row()}) == [Step("rule", "state: no line holds", None)]


def test_of_several_sources_those_without_a_value_are_told_too() -> None:
    first = FirstOf((read("a.N"), read("b.N"), read("c.N")), ("a.N", "b.N", "c.N"))
    found = told(first, {"a": row(N=""), "b": row(N="x"), "c": row(N="y")})
    assert [(step.said, step.value) for step in found] == [("a.N", ""), ("b.N", "x")]
    assert told(first, {"a": row(), "b": None, "c": row()})[-1].said == "no source has a value"


def test_a_conversion_and_a_map_tell_before_and_after() -> None:
    converted = Converted(read("a.B"), "a.B", boolean, "convert", "boolean")
    table = value_table({"true": "yes"}, "words")
    mapped = Converted(converted, "", table, "map", "words")
    assert told(mapped, {"a": row(B="True")}) == [
        Step("read", "a.B", "True"), Step("convert", "boolean", True), Step("map", "words", "yes"),
    ]  # fmt: skip
    assert told(mapped, {"a": row(B="False")})[-1].value is None


@pytest.mark.parametrize(
    ("values", "said", "value"),
    [
        ({"V": 4, "U": "byte*2^20"}, "in 'byte*2^20', to 'byte*2^10'", 4096),
        ({"V": 4096}, "in 'byte', the default, to 'byte*2^10'", 4),
        ({"V": 4, "U": "furlong"}, "in 'furlong', to 'byte*2^10'", None),
        ({}, "in 'byte', the default, to 'byte*2^10'", None),
    ],
)
def test_a_quantity_tells_its_unit(values: dict[str, Any], said: str, value: int | None) -> None:
    quantity = Quantity((parse_expression("a.U"),), frozenset(), "byte", "byte*2^10")
    whole = quantity.reader(parse_expression("a.V"), "a.V")
    assert told(whole, {"a": row(**values)}) == [
        Step("read", "a.V", values.get("V")), Step("quantity", said, value),
    ]  # fmt: skip


def test_a_sum_over_rows_tells_each_unit_once() -> None:
    quantity = Quantity((parse_expression("a.U"),), frozenset(), "byte", "byte*2^10")
    total = quantity.reader(parse_expression("sum(a.V)"), "sum(a.V)")
    rows = (row(V=1, U="byte*2^20"), row(V=2, U="byte*2^20"), row(V=2048))
    assert told(total, {"a": rows}) == [
        Step("read", "sum(a.V)", 2051),
        Step("quantity",
             "in 'byte*2^20', to 'byte*2^10'; in 'byte', the default, to 'byte*2^10'", 3074),
    ]  # fmt: skip
    assert told(total, {"a": None})[-1].value is None


def test_a_constant_is_told() -> None:
    assert told(Constant("x"), {})[0].kind == "const"


def test_raw_values_are_plain_and_secrets_hidden() -> None:
    inner = EmbeddedInstance("X_Setting", {"Name": "n", "AdminPassword": "p", "At": (PATH, None)})
    assert plain((1, True, "x", CimDateTime("2025"), PATH, inner)) == [
        1, True, "x", "2025", '/root/x:X_Thing.ID="1"',
        {"class": "X_Setting", "Name": "n", "AdminPassword": HIDDEN,
         "At": ['/root/x:X_Thing.ID="1"', None]},
    ]  # fmt: skip
    for name in ("Password", "passphrase", "SharedSecret", "userData", "a.PrivateKey"):
        assert plain("s3cret", name) == HIDDEN
        assert plain(None, name) is None
    assert plain("x", "PassThrough") == "x"
