"""Mistakes in a mapping: collected with their places, reported all at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from cimi_cim.errors import ConfigError
from cimi_cim.yaml_source import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and where it stands."""

    where: Place
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass
class Problems:
    """Collects mistakes; `add` returns None so that a reader can say `return problems.add(...)`.

    `broken` are the names of what was left out for a mistake of its own: what refers to them is
    no second mistake.
    """

    found: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def add(self, where: Place, message: str) -> None:
        """Record a mistake, and answer None; the same one at the same place counts once."""
        problem = Problem(where, message)
        if problem not in self.found:
            self.found.append(problem)

    def in_order(self) -> tuple[Problem, ...]:
        """Return everything found, in the order of files and lines."""
        return tuple(sorted(self.found, key=lambda p: (p.where.file, p.where.line, p.where.column)))

    def raise_if_any(self) -> None:
        """Raise `MappingError` with everything found."""
        if self.found:
            raise MappingError(self.in_order())


class MappingError(ConfigError):
    """A mapping with mistakes; `problems` holds them all, in file order."""

    default_reason = "bad-mapping"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in self.problems))
