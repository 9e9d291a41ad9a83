"""The dialect of a WBEM server's software, from `mappings/servers/*.yaml`.

Independent of the provider's mapping: the same libvirt-cim speaks differently through
SFCB and through OpenPegasus.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimi_cim.errors import ConfigError
from cimi_cim.resources import mappings_folder
from cimi_cim.wbem.errors import WbemStatus
from cimi_cim.yaml_source import Node, Place, load_file, nearest_of


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to speak to one kind of WBEM server.

    Args:
        name: Of the dialect.
        embed: `instance` sends embedded instances as the standard says
            (EmbeddedObject="instance"), `text` as CIM-XML in a plain string.
        pull: Whether Open... and Pull... operations work.
        property_list: Whether property lists are sent; if not, the whole instance
            comes, and only the wanted properties are decoded.
        max_objects: Instances per pull.
        recognise: Regular expression, any case, that finds this software in what a server
            says of itself: in its CIM_ObjectManager, in HTTP's Server header, in the
            prefixes of its classes. Only `probe` asks.
        not_supported: Patterns of the words by which the server says with another status
            than CIM_ERR_NOT_SUPPORTED that it lacks an operation, a provider or a class.
    """

    name: str
    embed: str = "instance"
    pull: bool = False
    property_list: bool = True
    max_objects: int = 1000
    recognise: str = ""
    not_supported: tuple[re.Pattern[str], ...] = ()

    def means_not_supported(self, error: WbemStatus) -> bool:
        """Whether an error says that the server has no such thing."""
        return any(pattern.search(error.description) for pattern in self.not_supported)


_KEYS: dict[str, tuple[type, tuple[Any, ...]]] = {
    "name": (str, ()),
    "embed": (str, ("instance", "text")),
    "pull": (bool, ()),
    "property_list": (bool, ()),
    "max_objects": (int, ()),
    "recognise": (str, ()),
    "not_supported": (list, ()),
}


def shipped_dialects() -> tuple[str, ...]:
    """Return the names of the dialects that come with the program."""
    return tuple(sorted(path.stem for path in (mappings_folder() / "servers").glob("*.yaml")))


def load_dialect(name: str, beside: Path | None = None) -> Dialect:
    """Return a dialect by shipped name, or by path (ending in .yaml, relative to `beside`).

    Raises `ConfigError` with file, line and the nearest name.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if beside is None else beside / name
    else:
        known = shipped_dialects()
        if name not in known:
            raise ConfigError(
                f"no server dialect is called {name!r}{nearest_of(name, known, 'shipped are')};"
                " a file of your own is said by its path (ending in .yaml)"
            )
        path = mappings_folder() / "servers" / f"{name}.yaml"
    dialect, mistakes = _read(path)
    if dialect is None:
        raise ConfigError("\n".join(mistakes))
    return dialect


def is_dialect(path: Path) -> bool:
    """Whether a file says what only a dialect says, and not the language of a mapping."""
    try:
        said = {key for key, _ in load_file(path, lambda *_: None).items()}
    except ConfigError:
        return False
    return "language" not in said and bool(said & (_KEYS.keys() - {"name"}))


def check_dialect(path: Path) -> tuple[str, ...]:
    """Return every mistake of a dialect's file, a line each; empty if there is none."""
    return tuple(_read(path)[1])


def _read(path: Path) -> tuple[Dialect | None, list[str]]:
    """Return the dialect, None if there are mistakes; and those, each with its place."""
    mistakes: list[str] = []

    def tell(where: Place, message: str) -> None:
        mistakes.append(f"{where}: {message}")

    root = load_file(path, tell)
    values: dict[str, Any] = {}
    for key, node in root.items():
        if key not in _KEYS:
            place = (root.key_places or {}).get(key, node.where)
            tell(place, f"unknown key {key!r}{nearest_of(key, list(_KEYS), 'known are')}")
            continue
        kind, allowed = _KEYS[key]
        if type(node.value) is not kind or (allowed and node.value not in allowed):
            wanted = " or ".join(allowed) if allowed else _WORDS[kind]
            tell(node.where, f"{key} must be {wanted}, not {node.plain()!r}")
        values[key] = _patterns(node, tell) if kind is list else node.value
    if "name" not in values:
        tell(root.where, "a dialect has a `name`")
    if values.get("max_objects", 1) == 0:
        tell(root.where, "max_objects must be 1 or more")
    if not _compiles(str(values.get("recognise", ""))):
        tell(root.where, "recognise must be a regular expression")
    return (None if mistakes else Dialect(**values)), mistakes


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _patterns(node: Node, tell: Callable[[Place, str], None]) -> tuple[re.Pattern[str], ...]:
    """The regular expressions of a list, which ignore case."""
    found = []
    for item in node.value if isinstance(node.value, list) else ():
        try:
            found.append(re.compile(str(item.value), re.IGNORECASE))
        except re.error as exc:
            tell(item.where, f"{item.value!r} is no regular expression: {exc}")
    return tuple(found)


_WORDS = {list: "a list of texts", str: "text", bool: "true or false", int: "a whole number"}
