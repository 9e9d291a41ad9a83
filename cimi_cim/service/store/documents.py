"""Attribute values as JSON text, and back; see `model.resources` for their shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.store.secrets import Sealed

_REF = "$ref"
_URL = "$url"
_VALUES = "$values"
_SEALED = "$sealed"


def write_document(values: Mapping[str, Value]) -> str:
    """Return the JSON of attribute values; what is None is left out."""
    kept = {name: _out(value) for name, value in values.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def read_document(text: str) -> dict[str, Value]:
    """Return the attribute values that `write_document` wrote."""
    return {name: _in(value) for name, value in json.loads(text).items()}


def may_refer(text: str) -> bool:
    """Whether there may be references to paths in what `write_document` wrote."""
    return f'"{_REF}"' in text


def with_sealed(value: Value, change: Callable[[Sealed], Value]) -> Value:
    """Return the value with every sealed secret in it changed, however deep."""
    if isinstance(value, Sealed):
        return change(value)
    if isinstance(value, Ref):
        return Ref(value.path, value.url, with_sealed(dict(value.values), change))
    if isinstance(value, dict):
        return {name: with_sealed(inside, change) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [with_sealed(inside, change) for inside in value]
    return value


def _out(value: Value) -> Value:
    if isinstance(value, Sealed):
        return {_SEALED: value.token}
    if isinstance(value, Ref):
        said: dict[str, Value] = {_REF: value.path} if value.url is None else {_URL: value.url}
        if value.values:
            said[_VALUES] = _out(dict(value.values))
        return said
    if isinstance(value, dict):
        return {_escaped(name): _out(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_out(inside) for inside in value]
    return value


def _in(value: Value) -> Value:
    if isinstance(value, list):
        return [_in(inside) for inside in value]
    if not isinstance(value, dict):
        return value
    if _SEALED in value:
        return Sealed(value[_SEALED])
    if _REF in value or _URL in value:
        return Ref(value.get(_REF, ""), value.get(_URL), _in(value.get(_VALUES, {})))
    return {_plain(name): _in(inside) for name, inside in value.items()}


def _escaped(name: str) -> str:
    return f"${name}" if name.startswith("$") else name


def _plain(name: str) -> str:
    return name[1:] if name.startswith("$") else name
