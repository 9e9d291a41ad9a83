"""Holds a mapping file against `language.schema.json`, with places and nearest names.

The JSON Schema is the one statement of the language's grammar: editors complete from
it, and this module checks with it. What needs the class declarations is the
compiler's affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cimi_cim.mapping.problems import Problems
from cimi_cim.yaml_source import Node, Place, nearest

# How people call what JSON Schema calls otherwise.
_TYPES = {
    "object": "a table of keys",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}
_Path: TypeAlias = "tuple[str | int, ...]"


@lru_cache(maxsize=1)
def language_schema() -> dict[str, Any]:
    """Return the published JSON Schema of the mapping language."""
    schema: dict[str, Any] = json.loads(language_text())
    return schema


def language_text() -> str:
    """Return the JSON Schema as the text that is published."""
    return (files("cimi_cim.mapping") / "language.schema.json").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(language_schema())


def check_structure(root: Node, problems: Problems) -> Node:
    """Add a problem for every place where the file is not of the language.

    Returns the tree without what is wrong, so that the rest can be checked in the same run.
    """
    if not isinstance(root.value, dict):
        problems.add(root.where, "a mapping file is a table of keys (language, name, ...)")
        return Node({}, root.where, {})
    errors = _errors(root)
    for error in errors:
        _report(root, error, problems)
    while wrong := {path for error in errors for path in _wrong_paths(error)}:
        problems.broken |= {str(path[-1]) for path in wrong}
        root = _without(root, wrong, ())
        errors = _errors(root)
    return root


def _errors(root: Node) -> list[ValidationError]:
    return [_most_telling(error) for error in _validator().iter_errors(root.plain())]


def _wrong_paths(error: ValidationError) -> Iterator[_Path]:
    """Where to cut a mistake out; the whole file cannot be."""
    path = tuple(error.absolute_path)
    keys = [str(error.instance)] if _is_of_key(error) else _unknown_keys(error)
    if keys:
        yield from ((*path, key) for key in keys)
    elif path:
        yield path


def _without(node: Node, wrong: set[_Path], path: _Path) -> Node:
    if isinstance(node.value, list):
        items = enumerate(node.value)
        kept = [_without(n, wrong, (*path, i)) for i, n in items if (*path, i) not in wrong]
        return Node(kept, node.where)
    if not isinstance(node.value, dict):
        return node
    entries = {
        key: _without(child, wrong, (*path, key))
        for key, child in node.value.items()
        if (*path, key) not in wrong
    }
    return Node(entries, node.where, node.key_places)


def _report(root: Node, error: ValidationError, problems: Problems) -> None:
    node = _descend(root, error.absolute_path)
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    unknown = _unknown_keys(error)
    known = list(schema.get("properties", {}))
    instance: Any = error.instance
    for key in unknown:
        hint = _hint(key, instance[key], known)
        problems.add(_key_place(node, key), f"unknown key {key!r}{hint}")
    if not unknown:
        where = _key_place(node, str(instance)) if _is_of_key(error) else node.where
        problems.add(where, _message(error, schema))


def _is_of_key(error: ValidationError) -> bool:
    """Whether the mistake is in the name of a key, not in its value."""
    return "propertyNames" in error.absolute_schema_path


def _unknown_keys(error: ValidationError) -> list[str]:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return []
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    return [key for key in error.instance if key not in schema.get("properties", {})]


def _hint(key: str, value: object, known: list[str]) -> str:
    if value is None and ("." in key or ")" in key):
        return '; in {...} a value with a comma wants quotes, such as "product(a.X, a.Y)"'
    return nearest(key, known) or f"; known here: {', '.join(known)}"


def _message(error: ValidationError, schema: dict[str, Any]) -> str:
    shown = repr(error.instance)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    if error.validator == "required":
        return f"{error.message.split(' is ')[0]} is missing"
    if error.validator == "enum":
        known = [str(value) for value in schema["enum"] if value is not None]
        return f"{shown} is none of: {', '.join(known)}{nearest(str(error.instance), known)}"
    if error.validator == "const":
        return f"must be {schema['const']!r}, not {shown}"
    if error.validator == "pattern":
        return f"{shown} does not have the form {schema['pattern']}"
    if error.validator == "type":
        wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        words = [_TYPES.get(word, str(word)) for word in wanted if word != "null"]
        return f"must be {' or '.join(words)}, not {shown}"
    text = schema.get("description")
    return f"{shown} does not fit here" + (f": {text}" if text else f" ({error.message})")


def _most_telling(error: ValidationError) -> ValidationError:
    """Of the branches of an anyOf, take the one that got furthest into the value."""
    while error.validator in ("anyOf", "oneOf") and error.context:
        best = max(error.context, key=lambda e: (len(e.absolute_path), e.validator != "type"))
        same_depth = [e for e in error.context if e.validator != "type"]
        if len(best.absolute_path) == len(error.absolute_path) and not same_depth:
            return error
        error = best
    return error


def _descend(node: Node, path: Iterable[str | int]) -> Node:
    for step in path:
        children: Any = node.value  # a dict or a list, as the path itself says
        node = children[step]
    return node


def _key_place(node: Node, key: str) -> Place:
    return (node.key_places or {}).get(key, node.where)
