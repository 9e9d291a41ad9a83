"""Compiles folders of MOF files with pywbem's compiler, in whatever order the files stand.

Only this module and `extract.py` see pywbem's class objects of the declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pywbem import Error, MOFCompiler
from pywbem._mof_compiler import MOFCompileError, MOFWBEMConnection

from cimi_cim.errors import ConfigError

NAMESPACE = "root/cimv2"

_CLASS = re.compile(r"^\s*class\s+(\w+)\s*(?::\s*(\w+))?\s*\{", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MofFile:
    """A MOF file, the classes it declares, and the superclasses it needs from elsewhere."""

    path: Path
    declares: frozenset[str]
    needs: frozenset[str]


def mof_files(folders: Sequence[Path]) -> list[Path]:
    """Return the MOF files of the folders, sorted within each. Raises `ConfigError`."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of class declarations")
        found += sorted(folder.rglob("*.mof"))
    return found


def compile_folders(folders: Sequence[Path]) -> tuple[list[Any], list[Any]]:
    """Return pywbem's (classes with their own members, qualifier declarations).

    Raises `ConfigError` with the file and line of a mistake.
    """
    connection = MOFWBEMConnection()
    paths = sorted({str(path.parent) for path in mof_files(folders)})
    compiler = MOFCompiler(connection, search_paths=paths, verbose=False, log_func=None)
    for path in _ordered(mof_files(folders)):
        _compile(compiler, path)
    classes = connection.classes.get(NAMESPACE, {})
    qualifiers = connection.qualifiers.get(NAMESPACE, {})
    return [own_members(cls) for cls in classes.values()], list(qualifiers.values())


def own_members(cls: Any) -> Any:
    """Return the class with the members it declares itself, in place.

    pywbem's compiler writes what a class inherits into it as soon as another class derives
    from it; overridden members have the overriding class as their origin.
    """
    for members in (cls.properties, cls.methods):
        for name in [n for n, m in members.items() if m.class_origin != cls.classname]:
            del members[name]
    return cls


def _compile(compiler: Any, path: Path) -> None:
    try:
        compiler.compile_file(str(path), NAMESPACE)
    except MOFCompileError as exc:
        line = f":{exc.lineno}" if exc.lineno else ""
        raise ConfigError(f"{path}{line}: MOF cannot be compiled: {exc.msg}") from exc
    except (Error, OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: MOF cannot be compiled: {exc}") from exc


def _scan(path: Path) -> MofFile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}") from exc
    found = _CLASS.findall(text)
    declares = frozenset(name.lower() for name, _ in found)
    needs = frozenset(parent.lower() for _, parent in found if parent) - declares
    return MofFile(path, declares, needs)


def _ordered(paths: Iterable[Path]) -> list[Path]:
    """Qualifier declarations first, then every file after those of its superclasses."""
    scanned = [_scan(path) for path in paths]
    ordered = [file.path for file in scanned if not file.declares]
    waiting = [file for file in scanned if file.declares]
    while waiting:
        missing = frozenset[str]().union(*(file.declares for file in waiting))
        ready = [file for file in waiting if not file.needs & missing]
        if not ready:
            raise ConfigError(f"{waiting[0].path}: its classes and other files' need one another")
        ordered += [file.path for file in ready]
        done = set(ready)
        waiting = [file for file in waiting if file not in done]
    return ordered
