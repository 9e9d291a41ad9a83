"""Holds a mapping file against `language.schema.json`, with places and nearest names.

The JSON Schema is the one statement of the language's grammar: editors complete from
it, and this module checks with it. What needs the class declarations is the
compiler's affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cimi_cim.mapping.problems import Problems
from cimi_cim.yaml_source import Node, Place, nearest


@lru_cache(maxsize=1)
def language_schema() -> dict[str, Any]:
    """Return the published JSON Schema of the mapping language."""
    text = (files("cimi_cim.mapping") / "language.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(language_schema())


def check_structure(root: Node, problems: Problems) -> None:
    """Add a problem for every place where the file is not of the language."""
    if not isinstance(root.value, dict):
        problems.add(root.where, "a mapping file is a table of keys (language, name, ...)")
        return
    for error in _validator().iter_errors(root.plain()):
        _report(root, error, problems)


def _report(root: Node, error: ValidationError, problems: Problems) -> None:
    error = _most_telling(error)
    node = _descend(root, error.absolute_path)
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                where = _key_place(node, key)
                problems.add(where, f"unknown key {key!r}{_hint(key, known)}")
        return
    problems.add(node.where, _message(error, schema))


def _hint(key: str, known: list[str]) -> str:
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
        return f"must be {' or '.join(t for t in wanted if t != 'null')}, not {shown}"
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
