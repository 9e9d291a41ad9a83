"""How values are computed from the rows of a resource, in parts that can be told.

Each part is what serves: called with a binding it gives the value. And each can tell its
steps on the same rows, by the very parts and choices that a call goes through, so that an
explanation cannot differ from what is served (`explaining`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from cimi_cim.mapping.conditions import Predicate
from cimi_cim.mapping.expressions import Binding, Evaluator


@dataclass(frozen=True, slots=True)
class Step:
    """One step to a value.

    Args:
        kind: read, const, convert, quantity, map or rule.
        said: What was done, as the mapping says it.
        value: What came of it.
    """

    kind: str
    said: str
    value: Any


@runtime_checkable
class Telling(Protocol):
    """An evaluator that can tell its steps; the last one's value is that of a call."""

    def __call__(self, binding: Binding) -> Any:
        """Return the value."""

    def steps(self, binding: Binding) -> list[Step]:
        """Tell how the value comes about on these rows."""


def steps_of(evaluate: Evaluator, said: str, binding: Binding) -> list[Step]:
    """Return the steps of an evaluator; one that has no parts reads what `said` says."""
    if isinstance(evaluate, Telling):
        return evaluate.steps(binding)
    return [Step("read", said, evaluate(binding))]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that every resource has."""

    value: Any

    def __call__(self, binding: Binding) -> Any:
        """Return the value."""
        return self.value

    def steps(self, binding: Binding) -> list[Step]:
        """Tell the value."""
        return [Step("const", "as the mapping says", self.value)]


@dataclass(frozen=True, slots=True)
class Converted:
    """What `read` gives, converted; `said` names the converter or the map, by its `kind`."""

    read: Evaluator
    read_said: str
    convert: Callable[[Any], Any]
    kind: str
    said: str

    def __call__(self, binding: Binding) -> Any:
        """Return the converted value."""
        return self.convert(self.read(binding))

    def steps(self, binding: Binding) -> list[Step]:
        """Tell the value that was read, and what becomes of it."""
        before = steps_of(self.read, self.read_said, binding)
        return [*before, Step(self.kind, self.said, self.convert(before[-1].value))]


@dataclass(frozen=True, slots=True)
class DecisionList:
    """The first line whose predicate holds gives the value; a line without one always does.

    With no line left the value is absent. `said` has the text of each line.
    """

    name: str
    lines: tuple[tuple[Predicate | None, str], ...]
    said: tuple[str, ...]

    def chosen(self, binding: Binding) -> int | None:
        """Return which line decides, None if none does."""
        for number, (predicate, _) in enumerate(self.lines):
            if predicate is None or predicate(binding):
                return number
        return None

    def __call__(self, binding: Binding) -> str | None:
        """Return the value of the line that decides."""
        number = self.chosen(binding)
        return None if number is None else self.lines[number][1]

    def steps(self, binding: Binding) -> list[Step]:
        """Tell which line decides."""
        number = self.chosen(binding)
        if number is None:
            return [Step("rule", f"{self.name}: no line holds", None)]
        said = f"{self.name}, {self.said[number]}"
        return [Step("rule", said, self.lines[number][1])]


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The first of several sources that has a value; `said` has the text of each."""

    sources: tuple[Evaluator, ...]
    said: tuple[str, ...]

    def __call__(self, binding: Binding) -> Any:
        """Return the first value there is."""
        for evaluate in self.sources:
            value = evaluate(binding)
            if has_value(value):
                return value
        return None

    def steps(self, binding: Binding) -> list[Step]:
        """Tell the steps of the source that is taken, and those without a value before it."""
        told: list[Step] = []
        for evaluate, said in zip(self.sources, self.said, strict=True):
            told += steps_of(evaluate, said, binding)
            if has_value(told[-1].value):
                return told
        return [*told, Step("read", "no source has a value", None)]


def has_value(value: Any) -> bool:
    """Whether a source has a value: an empty text is none."""
    return value is not None and value != ""
