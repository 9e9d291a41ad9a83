"""From MOF folders to a frozen `Schema`, through a cache on disk.

The cache is keyed by the content of all files, pywbem's version and our own format,
and is plain JSON: a damaged, foreign or unwritable one costs time, never correctness.
It lives in `$CIMI_CIM_CACHE`, else `$XDG_CACHE_HOME/cimi-cim`, else `~/.cache/cimi-cim`;
an account without a home has none.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pywbem

from cimi_cim.schema.declarations import (
    ClassDeclaration,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
    Schema,
    ValueMap,
)
from cimi_cim.schema.mof import compile_folders, mof_files

FORMAT = 3


def cache_folder() -> Path | None:
    """Return where compiled declarations are kept, None where no place is the user's own."""
    said = os.environ.get("CIMI_CIM_CACHE")
    if said:
        return Path(said)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "cimi-cim"
    except RuntimeError:  # an account without a home, as containers have
        return None


def load_schema(folders: Sequence[Path]) -> Schema:
    """Return the declarations of all folders together.

    Raises `ConfigError` with file and line for MOF that cannot be compiled.
    """
    return _load(_digest(folders), tuple(folders))


@lru_cache(maxsize=8)
def _load(digest: str, folders: tuple[Path, ...]) -> Schema:
    folder = cache_folder()
    path = None if folder is None else folder / f"schema-{digest}.json"
    cached = None if path is None else _read(path)
    if cached is not None:
        return cached
    classes, _ = compile_folders(folders)
    schema = Schema({cls.classname: declaration_of(cls) for cls in classes})
    if path is not None:
        _write(path, schema)
    return schema


def _digest(folders: Sequence[Path]) -> str:
    sha = hashlib.sha256(f"{FORMAT}:{pywbem.__version__}".encode())
    for path in mof_files(folders):
        content = path.read_bytes()
        sha.update(f"{path.name}:{len(content)}:".encode())
        sha.update(content)
    return sha.hexdigest()[:32]


def _read(path: Path) -> Schema | None:
    try:
        data = orjson.loads(path.read_bytes())
        if data["format"] != FORMAT:
            return None
        return Schema({cls["name"]: _class_from(cls) for cls in data["classes"]})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, schema: Schema) -> None:
    content = orjson.dumps({"format": FORMAT, "classes": list(schema.classes.values())})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(content)
        Path(temporary.name).replace(path)
    except OSError:
        return  # a cache that cannot be written only costs the next start some time


def _class_from(data: dict[str, Any]) -> ClassDeclaration:
    properties = tuple(
        PropertyDeclaration(**{**p, "values": _values_from(p["values"])})
        for p in data["properties"]
    )
    methods = tuple(
        MethodDeclaration(
            m["name"], m["return_type"],
            tuple(
                ParameterDeclaration(**{**p, "values": _values_from(p["values"])})
                for p in m["parameters"]
            ),
            _values_from(m["values"]), m["owner"],
        )
        for m in data["methods"]
    )  # fmt: skip
    return ClassDeclaration(**{**data, "properties": properties, "methods": methods})


def _values_from(data: dict[str, Any] | None) -> ValueMap | None:
    return None if data is None else ValueMap(tuple((k, v) for k, v in data["entries"]))


def declaration_of(cls: Any) -> ClassDeclaration:
    """Return one of pywbem's class objects as a declaration, with the members that it has."""
    return ClassDeclaration(
        cls.classname,
        cls.superclass,
        tuple(_property(cls.classname, p) for p in cls.properties.values()),
        tuple(_method(cls.classname, m) for m in cls.methods.values()),
        _flag(cls, "Association"),
        _flag(cls, "Indication"),
        _flag(cls, "Abstract"),
        _text(cls, "Version"),
    )


def _property(owner: str, prop: Any) -> PropertyDeclaration:
    return PropertyDeclaration(
        prop.name,
        prop.type,
        bool(prop.is_array),
        _flag(prop, "Key"),
        prop.reference_class,
        _embedded(prop),
        _values(prop),
        _text(prop, "PUnit") or _text(prop, "Units"),
        "Deprecated" in prop.qualifiers,
        owner,
    )


def _method(owner: str, method: Any) -> MethodDeclaration:
    parameters = tuple(
        ParameterDeclaration(
            p.name,
            p.type,
            bool(p.is_array),
            _flag(p, "In", default=True),
            _flag(p, "Out"),
            _flag(p, "Required"),
            p.reference_class,
            _embedded(p),
            _values(p),
        )
        for p in method.parameters.values()
    )
    return MethodDeclaration(method.name, method.return_type, parameters, _values(method), owner)


def _flag(element: Any, name: str, *, default: bool = False) -> bool:
    qualifier = element.qualifiers.get(name)
    return default if qualifier is None else bool(qualifier.value)


def _text(element: Any, name: str) -> str | None:
    qualifier = element.qualifiers.get(name)
    return None if qualifier is None or qualifier.value is None else str(qualifier.value)


def _embedded(element: Any) -> str | None:
    if _flag(element, "EmbeddedObject"):
        return ""
    return _text(element, "EmbeddedInstance")


def _values(element: Any) -> ValueMap | None:
    keys, labels = element.qualifiers.get("ValueMap"), element.qualifiers.get("Values")
    if labels is None or labels.value is None:
        return None
    names = [str(label) for label in labels.value]
    numbers = (
        [str(key) for key in keys.value]
        if keys is not None and keys.value
        else [str(n) for n in range(len(names))]
    )
    return ValueMap(tuple(zip(numbers, names, strict=False)))
