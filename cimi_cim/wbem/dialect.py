"""The dialect of a WBEM server's software, from `mappings/servers/*.yaml`.

Independent of the provider's mapping: the same libvirt-cim speaks differently through
SFCB and through OpenPegasus.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimi_cim.errors import ConfigError
from cimi_cim.resources import mappings_folder
from cimi_cim.yaml_source import Node, load_file, nearest, nearest_of


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to speak to one kind of WBEM server.

    Args:
        name: Of the dialect.
        embed: `instance` sends embedded instances as the standard says
            (EmbeddedObject="instance"), `text` as CIM-XML in a plain string.
        pull: Whether Open... and Pull... operations work.
        property_list: Whether property lists are honoured; if not, the whole instance
            comes, and only the wanted properties are decoded.
        max_objects: Instances per pull.
    """

    name: str
    embed: str = "instance"
    pull: bool = False
    property_list: bool = True
    max_objects: int = 1000


_KEYS: dict[str, tuple[type, tuple[Any, ...]]] = {
    "name": (str, ()),
    "embed": (str, ("instance", "text")),
    "pull": (bool, ()),
    "property_list": (bool, ()),
    "max_objects": (int, ()),
}


def load_dialect(name: str, beside: Path | None = None) -> Dialect:
    """Return a dialect by shipped name, or by path (ending in .yaml, relative to `beside`).

    Raises `ConfigError` with file, line and the nearest name.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if beside is None else beside / name
    else:
        folder = mappings_folder() / "servers"
        known = sorted(found.stem for found in folder.glob("*.yaml"))
        if name not in known:
            raise ConfigError(
                f"no server dialect is called {name!r}{nearest_of(name, known, 'shipped are')};"
                " a file of your own is said by its path (ending in .yaml)"
            )
        path = folder / f"{name}.yaml"
    return _read(load_file(path))


def _read(root: Node) -> Dialect:
    values: dict[str, Any] = {}
    for key, node in root.items():
        place = (root.key_places or {}).get(key, node.where)
        if key not in _KEYS:
            raise ConfigError(f"{place}: unknown key {key!r}{nearest(key, list(_KEYS))}")
        kind, allowed = _KEYS[key]
        if type(node.value) is not kind or (allowed and node.value not in allowed):
            wanted = " or ".join(allowed) if allowed else kind.__name__
            raise ConfigError(f"{node.where}: {key} must be {wanted}, not {node.value!r}")
        values[key] = node.value
    if "name" not in values:
        raise ConfigError(f"{root.where}: a dialect has a `name`")
    return Dialect(**values)
