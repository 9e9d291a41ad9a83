"""Conditions on the rows of a resource: of rules, of filters, of views.

A missing property never matches, whatever the test but `given: false`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from cimi_cim.mapping.expressions import Binding, Evaluator
from cimi_cim.mapping.numbers import number

Predicate: TypeAlias = Callable[[Binding], bool]


@dataclass(frozen=True, slots=True)
class Test:
    """One test of one value.

    `in`, `has`, `not` and `given` by the values; `bits` holds for a number that has all the
    bits of the value set, `between` for one from the first to the second, both included,
    `like` for a text of a form with `*` and `?`, in any case.
    """

    kind: str
    values: tuple[Any, ...] = ()

    def holds(self, value: Any) -> bool:
        """Whether `value` (a scalar, a tuple or list for an array, or None) passes."""
        if self.kind == "given":
            is_given = value is not None and value != () and value != []
            return is_given is bool(self.values[0])
        if value is None:
            return False
        if self.kind == "has":
            return any(item in self.values for item in value)
        if self.kind in _FORMS:
            return _FORMS[self.kind](value, self.values)
        return (value in self.values) == (self.kind == "in")


def _has_bits(value: Any, wanted: tuple[Any, ...]) -> bool:
    found = number(value)
    return isinstance(found, int) and found & wanted[0] == wanted[0]


def _is_between(value: Any, limits: tuple[Any, ...]) -> bool:
    found = number(value)
    return found is not None and limits[0] <= found <= limits[1]


def _is_like(value: Any, form: tuple[Any, ...]) -> bool:
    return isinstance(value, str) and fnmatchcase(value.lower(), form[0].lower())


_FORMS: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "bits": _has_bits, "between": _is_between, "like": _is_like,
}  # fmt: skip
VALUELESS = frozenset({"given", *_FORMS})
"""Tests whose values are none of those that the property may have."""


def parse_test(value: Any) -> Test:
    """Return the test that a YAML value stands for (see `test` in the language schema).

    `not 0` as a text is the short form of `{not: 0}`.
    """
    if isinstance(value, list):
        return Test("in", tuple(value))
    if isinstance(value, dict):
        kind, operand = next(iter(value.items()))
        return Test(kind, tuple(operand) if isinstance(operand, list) else (operand,))
    if isinstance(value, str) and value.startswith("not "):
        word = value[4:].strip()
        return Test("not", (int(word) if word.lstrip("-").isdigit() else word,))
    return Test("in", (value,))


def tests_hold(tests: Mapping[str, Test], values: Mapping[str, Any]) -> bool:
    """Whether all tests hold for the plain values of one instance."""
    return all(test.holds(values.get(name)) for name, test in tests.items())


def all_hold(conditions: list[tuple[Evaluator, Test]]) -> Predicate:
    """Return the predicate that all the conditions hold."""
    if len(conditions) == 1:
        evaluate, test = conditions[0]
        return lambda binding: test.holds(evaluate(binding))
    return lambda binding: all(test.holds(evaluate(binding)) for evaluate, test in conditions)


def exists(alias: str, *, wanted: bool) -> Predicate:
    """Return the predicate that a relation has (or has not) a row."""
    return lambda binding: bool(binding.get(alias)) == wanted


def both(predicates: list[Predicate]) -> Predicate:
    """Return the predicate that all of them hold."""
    if len(predicates) == 1:
        return predicates[0]
    return lambda binding: all(predicate(binding) for predicate in predicates)
