"""YAML read strictly, with the file and line of every value.

YAML 1.2 core words only: `true`, `false`, `null`, numbers; `on`, `off`, `yes` and `no`
are text. A key that stands twice is an error. Values come as a tree of `Node`, so
that every later complaint can say where (`Node.where`); `plain` drops the places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from cimi_cim.errors import ConfigError

MAX_DEPTH = 64
MAX_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place. `value` is a scalar, a list of Node, or a dict of str to Node.

    `key_places` gives, for a dict, where each key stands.
    """

    value: NodeValue
    where: Place
    key_places: dict[str, Place] | None = None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yield the entries of a dict node; nothing for any other."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


NodeValue: TypeAlias = "str | int | float | bool | list[Node] | dict[str, Node] | None"


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader with the implicit types of the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
):
    for _character in _first:
        _CoreLoader.add_implicit_resolver(_tag, re.compile(_pattern), [_character])
_CoreLoader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile(r"^$"))
)


Tell: TypeAlias = "Callable[[Place, str], None]"


def load_file(path: Path, tell: Tell | None = None) -> Node:
    """Read one YAML document. Raises `ConfigError` naming file and line.

    With `tell`, what is wrong with single keys and values goes there, and the rest is
    read all the same.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: no such file; check the path") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 text (byte {exc.start})") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    return load_text(text, str(path), tell)


def load_text(text: str, name: str, tell: Tell | None = None) -> Node:
    """Read one YAML document from text; `name` stands for the file in messages."""
    try:
        loader = _CoreLoader(text)
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise ConfigError(
            f"{name}:{line}: not valid YAML: the character U+{exc.character:04X} is not allowed"
        ) from exc
    try:
        root = loader.get_single_node()
        if root is None:
            return Node({}, Place(name, 1, 1), {})
        return _Conversion(loader, name, tell or _refuse).node(root, 0)
    except RecursionError as exc:
        raise ConfigError(f"{name}: nested deeper than {MAX_DEPTH} levels") from exc
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else name
        raise ConfigError(f"{place}: not valid YAML: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{name}: not valid YAML: {exc}") from exc
    finally:
        loader.dispose()


def _refuse(where: Place, message: str) -> None:
    raise ConfigError(f"{where}: {message}")


_SCALARS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "int", "float", "null")
)


@dataclass(frozen=True, slots=True)
class _Conversion:
    """Turns PyYAML's nodes into ours; `tell` hears what is wrong with one of them."""

    loader: _CoreLoader
    name: str
    tell: Tell

    def node(self, node: yaml.Node, depth: int) -> Node:
        where = self._place(node)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth, where)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.node(item, depth + 1) for item in node.value], where)
        if node.tag not in _SCALARS:
            self.tell(where, f"YAML tags are not used here ({node.tag})")
            return Node(str(node.value), where)
        if node.tag == "tag:yaml.org,2002:int":
            if len(node.value) > MAX_DIGITS:
                self.tell(where, f"a number of more than {MAX_DIGITS} digits")
                return Node(0, where)
            return Node(int(node.value, 16 if node.value.startswith("0x") else 10), where)
        return Node(self.loader.construct_object(node), where)

    def _mapping(self, node: yaml.MappingNode, depth: int, where: Place) -> Node:
        """Convert a mapping; of a key that stands twice the first one counts."""
        values: dict[str, Node] = {}
        places: dict[str, Place] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            value = self.node(value_node, depth + 1)
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.tell(place, "a key must be plain text")
            elif key in values:
                self.tell(place, f"the key {key!r} stands twice; first on {places[key]}")
            else:
                values[key], places[key] = value, place
        return Node(values, where, places)

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.name, node.start_mark.line + 1, node.start_mark.column + 1)


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return `; did you mean 'x'?` for the most similar known word, or an empty text."""
    matches = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def nearest_of(word: str, known: list[str] | tuple[str, ...], listed: str) -> str:
    """As `nearest`, with all known words behind it; `listed` introduces them."""
    hint = nearest(word, known)
    said = f"{listed} {', '.join(known) or 'none'}"
    return f"{hint} {said[0].upper()}{said[1:]}" if hint else f"; {said}"
