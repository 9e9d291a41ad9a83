"""A draft of an overlay: what it says, the comments beside it, and its class declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

Path: TypeAlias = "tuple[str, ...]"
_BLOCK = {"resources": 2, "rules": 1, "services": 1}  # how deep the words of a key are tables
_TABLES = frozenset({"join", "attributes", "operations", "writers"})
_WIDE = 10_000


@dataclass
class Draft:
    """An overlay in the making. `tree` is its YAML; `comments` go behind their entries.

    `mof` is the class declarations, by file name; `notes` is what a person has to decide.
    """

    name: str
    tree: dict[str, Any]
    comments: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    mof: Mapping[str, str] = field(default_factory=dict)

    def put(self, path: Path, value: Any, comment: str = "") -> None:
        """Say something at a path; what was said below it goes."""
        entry = self.tree
        for key in path[:-1]:
            below = entry.get(key)
            if not isinstance(below, dict):
                below = entry[key] = {}
            entry = below
        entry[path[-1]] = value
        if comment:
            line = " ".join(comment.split())  # it may be a server's own words
            self.comments[path] = "".join(c if c.isprintable() else "?" for c in line)

    def get(self, path: Path) -> Any:
        """Return what is said at a path, None for nothing."""
        entry: Any = self.tree
        for key in path:
            entry = entry.get(key) if isinstance(entry, dict) else None
        return entry

    def text(self) -> str:
        """Return the overlay as YAML."""
        head = [f"# {note}" for note in self.notes]
        return "\n".join([*head, *self._lines(self.tree, ())]) + "\n"

    def _lines(self, table: Mapping[str, Any], path: Path) -> Iterator[str]:
        indent = "  " * len(path)
        for key, value in table.items():
            here = (*path, key)
            comment = self.comments.get(here, "")
            mark = f"  # {comment}" if comment else ""
            if isinstance(value, dict) and value and _is_table(here) and "drop" not in value:
                yield f"{indent}{_scalar(key)}:{mark}"
                yield from self._lines(value, here)
            elif here[0] == "rules" and isinstance(value, list):
                yield f"{indent}{_scalar(key)}:{mark}"
                yield from (f"{indent}  - {_flow(line)}" for line in value)
            else:
                yield f"{indent}{_scalar(key)}: {_flow(value)}{mark}"


def _is_table(here: Path) -> bool:
    return len(here) <= _BLOCK.get(here[0], 0) or (len(here) == 3 and here[2] in _TABLES)


def _flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, str):
        return _scalar(value)
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=_WIDE, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _scalar(value: str) -> str:
    text: str = yaml.safe_dump(value, width=_WIDE, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
