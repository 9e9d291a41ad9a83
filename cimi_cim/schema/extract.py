"""Makes `mof/dmtf/` from DMTF's schema archive: the classes we use, without prose.

    python -m cimi_cim.schema.extract ARCHIVE.zip mof/dmtf

`classes.txt` in the target folder names the wanted classes; their superclasses, the
classes of their references and of their embedded instances come along, so that the
set compiles by itself. The source distribution of pywbem 1.9 carries the archive of
CIM Schema 2.49.0 in `tests/schema/`. `digests.txt` in the target folder holds, for each
class, a digest of what the archive declares (`facts`), so that every clone can prove
that its MOF says the same.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from pywbem import MOFCompiler
from pywbem._mof_compiler import MOFWBEMConnection

from cimi_cim.errors import ConfigError
from cimi_cim.schema.mof import NAMESPACE, own_members

PROSE = ("Description", "MappingStrings", "ModelCorrespondence", "UMLPackagePath")
NOTICE = (
    "// CIM Schema {version}. Copyright DMTF; reproduced with attribution, as DMTF permits.\n"
    "// Names, types, keys, methods and value maps as DMTF publishes them; prose left out.\n\n"
)


def wanted_classes(folder: Path) -> list[str]:
    """Return the class names that `classes.txt` of a folder lists."""
    lines = (folder / "classes.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def archive_classes(archive: Path, names: list[str]) -> dict[str, Any]:
    """Return pywbem's class objects of `names` and all they need, from the archive."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(root)
        folders = sorted({str(path.parent) for path in root.rglob("*.mof")})
        connection = MOFWBEMConnection()
        compiler = MOFCompiler(connection, search_paths=folders, verbose=False, log_func=None)
        for qualifiers in ("qualifiers.mof", "qualifiers_optional.mof"):
            compiler.compile_file(str(next(root.rglob(qualifiers))), NAMESPACE)
        for name in names:
            if name not in connection.classes.get(NAMESPACE, {}):
                compiler.compile_file(str(next(root.rglob(f"{name}.mof"))), NAMESPACE)
        found: dict[str, Any] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            if name not in connection.classes[NAMESPACE]:
                compiler.compile_file(str(next(root.rglob(f"{name}.mof"))), NAMESPACE)
            found[name] = connection.classes[NAMESPACE][name]
            waiting += needed_by(found[name])
        return {name: own_members(cls) for name, cls in found.items()}


def needed_by(cls: Any) -> list[str]:
    """Return the classes that a class names: superclass, references, embedded instances."""
    names = [cls.superclass] if cls.superclass else []
    elements = [*cls.properties.values()]
    for method in cls.methods.values():
        elements += method.parameters.values()
    for element in elements:
        if element.reference_class:
            names.append(element.reference_class)
        embedded = element.qualifiers.get("EmbeddedInstance")
        if embedded is not None and embedded.value:
            names.append(str(embedded.value))
    return names


def facts(cls: Any) -> str:
    """Return what a class declares, a line each: all that a mapping can rely on.

    Name, superclass, kind; properties with type, array, key, reference, embedded class,
    default, value map and unit; methods with parameters and value maps.
    """
    lines = [
        f"class {cls.classname} : {cls.superclass}",
        *_said(cls, ("Association", "Indication", "Abstract")),
    ]
    for prop in cls.properties.values():
        lines.append(f"property {_typed(prop)} = {prop.value!r}")
        lines += _said(prop, _FACTS)
    for method in cls.methods.values():
        lines.append(f"method {method.return_type} {method.name}")
        lines += _said(method, _FACTS)
        for parameter in method.parameters.values():
            lines.append(f"parameter {_typed(parameter)}")
            lines += _said(parameter, _FACTS)
    return "\n".join(lines)


_FACTS = (
    "Key", "Override", "ValueMap", "Values", "BitMap", "BitValues", "Units", "PUnit", "IsPUnit",
    "EmbeddedInstance", "EmbeddedObject", "In", "Out", "Required", "Deprecated", "Write",
    "ArrayType", "MaxLen", "MinValue", "MaxValue", "Min", "Max", "Static",
)  # fmt: skip


def _typed(element: Any) -> str:
    array = f"[{element.array_size or ''}]" if element.is_array else ""
    return f"{element.reference_class or ''} {element.type}{array} {element.name}"


def _said(element: Any, names: tuple[str, ...]) -> list[str]:
    return [
        f"  {name}: {element.qualifiers[name].value!r}"
        for name in names
        if name in element.qualifiers
    ]


def digest(cls: Any) -> str:
    """Return a digest of the facts of a class."""
    return hashlib.sha256(facts(cls).encode("utf-8")).hexdigest()[:32]


def without_prose(cls: Any) -> Any:
    """Return the class with descriptive qualifiers removed, in place."""
    elements = [cls, *cls.properties.values(), *cls.methods.values()]
    for method in cls.methods.values():
        elements += method.parameters.values()
    for element in elements:
        for name in PROSE:
            if name in element.qualifiers:
                del element.qualifiers[name]
    return cls


def main(archive: Path, folder: Path) -> None:
    """Write one file per class, and the two qualifier files whole.

    Raises `ConfigError` for what is no archive, and for a folder without `classes.txt`.
    """
    if not zipfile.is_zipfile(archive):
        raise ConfigError(f"{archive}: no zip archive of DMTF's MOF files")
    if not (folder / "classes.txt").is_file():
        raise ConfigError(f"{folder}/classes.txt: no such file; it names the wanted classes")
    version = archive.stem.removeprefix("cim_schema_").removesuffix("Final-MOFs")
    notice = NOTICE.format(version=version)
    for old in folder.glob("*.mof"):
        old.unlink()
    found = archive_classes(archive, wanted_classes(folder))
    digests = [f"{name} {digest(cls)}" for name, cls in sorted(found.items())]
    (folder / "digests.txt").write_text("\n".join(digests) + "\n", encoding="utf-8")
    for name, cls in found.items():
        text = notice + without_prose(cls).tomof()
        (folder / f"{name}.mof").write_text(text, encoding="utf-8")
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.namelist():
            if entry.rpartition("/")[2] in ("qualifiers.mof", "qualifiers_optional.mof"):
                (folder / entry.rpartition("/")[2]).write_bytes(zipped.read(entry))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m cimi_cim.schema.extract ARCHIVE.zip mof/dmtf")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except ConfigError as exc:
        sys.exit(exc.message)
