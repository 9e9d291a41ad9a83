"""References as servers hold them: a reference value, or a WBEM URI in a string (DSP0207)."""

from __future__ import annotations

import re
from typing import Any

from cimi_cim.wbem.values import InstancePath, KeyValue

_URI = re.compile(
    r"(?:(?:[a-z][a-z0-9+.-]*:)?(?://[^/]*)?/?(?P<ns>[A-Za-z0-9_/.-]*)(?:\([^)]*\))?[:/])?"
    r"(?P<cls>[A-Za-z]\w*)\.(?P<keys>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r'\s*(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*(?:,|\Z)')


def as_path(value: Any, namespace: str) -> InstancePath | None:
    """Return the path a value means; None for what is no reference.

    `namespace` is taken where the value names none.
    """
    if isinstance(value, InstancePath):
        return value
    match = _URI.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    keys: list[tuple[str, KeyValue]] = []
    position, text = 0, match["keys"]
    while position < len(text):
        key = _KEY.match(text, position)
        if key is None:
            return None
        keys.append((key[1], _value(key[2], key[3])))
        position = key.end()
    return InstancePath((match["ns"] or "").strip("/") or namespace, match["cls"], tuple(keys))


def uri_of(path: InstancePath) -> str:
    """Return the WBEM URI of a path, without a host: `/root/virt:Class.Key="value"`."""
    keys = ",".join(f"{name}={_written(value)}" for name, value in path.keys)
    return f"/{path.namespace.strip('/')}:{path.classname}.{keys}"


def _written(value: KeyValue) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value)
    text = uri_of(value) if isinstance(value, InstancePath) else str(getattr(value, "text", value))
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value(quoted: str | None, bare: str | None) -> KeyValue:
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted)
    text = (bare or "").strip()
    if text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else text
