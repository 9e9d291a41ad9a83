"""The words of `probing.yaml`: where probing looks, and by which names it knows what it sees."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any

from cimi_cim.yaml_source import load_file


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """Return them as plain data, by key."""
    with as_file(files("cimi_cim.mapping.probing") / "probing.yaml") as path:
        plain: dict[str, Any] = load_file(path).plain()
    return plain
