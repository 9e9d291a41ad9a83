"""Reads a mapping with everything it extends, and merges it into one tree.

Maps merge key by key; scalars and lists replace; null removes; `drop: true` removes
an entry and `drop: false` brings it back. An overlay operation that names `call` or
`choose` replaces everything but `when` and `during`, so that parameters of another
method cannot leak in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cimi_cim.errors import ConfigError
from cimi_cim.mapping.problems import Problem, Problems
from cimi_cim.mapping.structure import check_structure
from cimi_cim.resources import mappings_folder, mof_folder
from cimi_cim.yaml_source import Node, Place, load_file, nearest_of

MAX_INHERITANCE = 16


@dataclass(frozen=True, slots=True)
class Source:
    """A merged mapping: its name, its tree, the files it came from (base first), its MOF.

    `is_complete` unless a folder of class declarations that it names is not there.
    """

    name: str
    root: Node
    files: tuple[Path, ...]
    mof_folders: tuple[Path, ...]
    is_complete: bool = True


def find_mapping(name: str, beside: Path | None = None) -> Path:
    """Return the file of a mapping said by shipped name or by path (relative to `beside`).

    Raises `ConfigError` with the names there are.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name) if beside is None else beside / name
    shipped = sorted(path.stem for path in mappings_folder().glob("*.yaml"))
    if name in shipped:
        return mappings_folder() / f"{name}.yaml"
    hint = nearest_of(name, shipped, "shipped are")
    raise ConfigError(
        f"no mapping is called {name!r}{hint}; a file of your own is said by its path"
        " (ending in .yaml)"
    )


def read_source(path: Path, problems: Problems) -> Source | None:
    """Read and merge the mapping at `path`, without what is not of the language.

    None where what it extends cannot be read; problems tell all that is wrong.
    """
    chain = _chain(path, problems)
    if not chain:
        return None
    merged = chain[0][1]
    for _, overlay in chain[1:]:
        merged = _merge(merged, overlay, ())
    root = _finish(merged, ())
    files = tuple(file for file, _ in chain)
    folders, is_complete = _mof_folders(chain, problems)
    name = root.value.get("name") if isinstance(root.value, dict) else None
    return Source(path.stem if name is None else str(name.value), root, files, folders, is_complete)


def _chain(path: Path, problems: Problems) -> list[tuple[Path, Node]]:
    chain: list[tuple[Path, Node]] = []
    origin: Place | None = None
    while True:
        if any(path.resolve() == seen.resolve() for seen, _ in chain):
            problems.add(origin or Place(str(path), 1, 1), f"{path.name} extends itself")
            return []
        try:
            said = load_file(path, problems.add)
        except ConfigError as exc:
            problems.add(*_located(exc, origin, path))
            return []
        root = check_structure(said, problems)
        chain.insert(0, (path, root))
        base = root.value.get("extends") if isinstance(root.value, dict) else None
        if base is None:
            is_cut = isinstance(said.value, dict) and "extends" in said.value
            return [] if is_cut else chain
        if len(chain) > MAX_INHERITANCE:
            problems.add(base.where, f"more than {MAX_INHERITANCE} mappings extend one another")
            return []
        origin = base.where
        try:
            path = find_mapping(str(base.value), path.parent)
        except ConfigError as exc:
            problems.add(base.where, exc.message)
            return []


def _located(exc: ConfigError, origin: Place | None, path: Path) -> tuple[Place, str]:
    """A loader's message already names its place; do not say it twice."""
    head, _, rest = exc.message.partition(": ")
    parts = head.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return Place(parts[0], int(parts[1]), int(parts[2])), rest
    if origin is None:
        return Place(str(path), 1, 1), exc.message.removeprefix(f"{path}: ")
    return origin, exc.message


def _mof_folders(
    chain: list[tuple[Path, Node]], problems: Problems
) -> tuple[tuple[Path, ...], bool]:
    """DMTF's declarations, then each mapping's own, base to overlay; and whether all are there."""
    folders, is_complete = [mof_folder() / "dmtf"], True
    for path, root in chain:
        node = root.value.get("mof") if isinstance(root.value, dict) else None
        if node is None:
            continue
        for item in node.value if isinstance(node.value, list) else [node]:
            folder = _mof_folder(str(item.value), path.parent)
            if folder is None:
                is_complete = False
                known = sorted(p.name for p in mof_folder().iterdir() if p.is_dir())
                hint = nearest_of(str(item.value), known, "shipped are")
                problems.add(
                    item.where,
                    f"no folder of class declarations {item.value!r}{hint}, and a path is"
                    " relative to this file",
                )
            elif folder not in folders:
                folders.append(folder)
    return tuple(folders), is_complete


def _mof_folder(name: str, beside: Path) -> Path | None:
    for folder in (mof_folder() / name, beside / name):
        if folder.is_dir():
            return folder
    return None


def _merge(base: Node, overlay: Node, path: tuple[str, ...]) -> Node:
    if not isinstance(base.value, dict) or not isinstance(overlay.value, dict):
        return overlay
    values, places = dict(base.value), dict(base.key_places or {})
    if _is_operation(path) and {"call", "choose"} & overlay.value.keys():
        values = {k: v for k, v in values.items() if k in ("when", "during")}
    for key, node in overlay.value.items():
        places[key] = (overlay.key_places or {}).get(key, node.where)
        if node.value is None:
            values.pop(key, None)
        elif key in values:
            values[key] = _merge(values[key], node, (*path, key))
        else:
            values[key] = node
    return Node(values, overlay.where, places)


def _is_operation(path: tuple[str, ...]) -> bool:
    return len(path) == 4 and path[0] == "resources" and path[2] == "operations"


def _finish(node: Node, path: tuple[str, ...]) -> Node:
    """Remove what is null or dropped."""
    if not isinstance(node.value, dict):
        return node
    kept: dict[str, Node] = {}
    for key, child in node.value.items():
        if child.value is None:
            continue
        if isinstance(child.value, dict) and "drop" in child.value:
            flag = child.value["drop"].value
            if flag is True:
                continue
            rest = {k: v for k, v in child.value.items() if k != "drop"}
            child = Node(rest, child.where, child.key_places)
        kept[key] = _finish(child, (*path, key))
    return Node(kept, node.where, node.key_places)


def shipped_mappings() -> tuple[str, ...]:
    """Return the names of the mappings that come with the program."""
    return tuple(sorted(path.stem for path in mappings_folder().glob("*.yaml")))


__all__ = ["Problem", "Source", "find_mapping", "read_source", "shipped_mappings"]
