"""Makes `mof/dmtf/` from DMTF's schema archive: the classes we use, without prose.

    python -m cimi_cim.schema.extract ARCHIVE.zip mof/dmtf

`classes.txt` in the target folder names the wanted classes; their superclasses, the
classes of their references and of their embedded instances come along, so that the
set compiles by itself. The source distribution of pywbem 1.9 carries the archive of
CIM Schema 2.49.0 in `tests/schema/`.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from pywbem import MOFCompiler
from pywbem._mof_compiler import MOFWBEMConnection

from cimi_cim.schema.mof import NAMESPACE

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
        return found


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
    """Write one file per class, and the two qualifier files whole."""
    version = archive.stem.removeprefix("cim_schema_").removesuffix("Final-MOFs")
    notice = NOTICE.format(version=version)
    for old in folder.glob("*.mof"):
        old.unlink()
    for name, cls in archive_classes(archive, wanted_classes(folder)).items():
        text = notice + without_prose(cls).tomof()
        (folder / f"{name}.mof").write_text(text, encoding="utf-8")
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.namelist():
            if entry.rpartition("/")[2] in ("qualifiers.mof", "qualifiers_optional.mof"):
                (folder / entry.rpartition("/")[2]).write_bytes(zipped.read(entry))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
