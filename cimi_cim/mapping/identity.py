"""From a row to a token that is fit for a URL and stays, and back (cim-mapping 2.3)."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Mapping
from typing import Any

from cimi_cim.mapping.compiled import NaturalKey, ResourceMapping
from cimi_cim.mapping.computing import has_value
from cimi_cim.mapping.expressions import Binding, as_text
from cimi_cim.mapping.tokens import hashed
from cimi_cim.wbem.values import InstancePath

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def token_of(
    resource: ResourceMapping, binding: Binding, path: InstancePath, target: str
) -> str | None:
    """Return the token of a resource: its first natural key that has a value.

    A global key stands alone, in lower case; one that is unique only on the target gets
    the target's alias in front. A key with other characters is replaced by a hash of the
    path, a child's by one of its key.
    """
    found = natural_of(resource, binding)
    if found is None:
        return None
    natural, key = found[0], as_text(found[1])
    if natural.scope == "global":
        lowered = key.lower()
        return lowered if _PLAIN.match(lowered) else hashed(lowered)
    if natural.scope == "child":
        return key if _PLAIN.match(key) else hashed(key)
    return f"{target}.{key if _PLAIN.match(key) else hashed(path.canonical)}"


def natural_of(resource: ResourceMapping, binding: Binding) -> tuple[NaturalKey, Any] | None:
    """Return the first natural key that has a value, with it; None if none has."""
    for natural in resource.natural:
        value = natural.reading.evaluate(binding)
        if has_value(value):
            return natural, value
    return None


def rebuilt_path(
    resource: ResourceMapping, token: str, target: str, namespace: str
) -> InstancePath | None:
    """Return the path a token stands for, where the mapping can form all keys from it."""
    rebuild = resource.rebuild
    if rebuild is None:
        return None
    prefix = f"{target}."
    key = token[len(prefix) :] if token.startswith(prefix) else token
    binding: dict[str, object] = {"$key": key}
    values = [(name, evaluate(binding)) for name, evaluate in rebuild.keys]  # type: ignore[arg-type]
    if any(value is None for _, value in values):
        return None
    return InstancePath(namespace, rebuild.classname, tuple(values))


class IdentityMap:
    """Which path a token stands for, on which target; in memory, learned from every read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, tuple[str, InstancePath]]] = {}

    def learn(self, type_name: str, token: str, target: str, path: InstancePath) -> None:
        """Remember where a resource is."""
        with self._lock:
            self._known.setdefault(type_name, {})[token] = (target, path)

    def find(self, type_name: str, token: str) -> tuple[str, InstancePath] | None:
        """Return the target's alias and the path, None if the token is not known."""
        with self._lock:
            return self._known.get(type_name, {}).get(token)

    def forget(self, type_name: str, token: str) -> None:
        """Drop a path that is stale."""
        with self._lock:
            self._known.get(type_name, {}).pop(token, None)

    def keep_only(self, type_name: str, tokens: Mapping[str, Collection[str]]) -> None:
        """Drop what targets that told all they have, by alias, did not tell."""
        with self._lock:
            known = self._known.get(type_name, {})
            gone = [t for t, (at, _) in known.items() if at in tokens and t not in tokens[at]]
            for token in gone:
                del known[token]
