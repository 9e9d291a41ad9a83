"""Makes a vendor's MOF folder from a server's own GetClass answers, without prose.

    python -m cimi_cim.schema.extract_recorded ANSWERS_FOLDER mof/VENDOR

ANSWERS_FOLDER holds GetClass response bodies (`class.NAME.response.xml[.gz]`, made with
LocalOnly=false and IncludeClassOrigin). Only what a class adds to its superclass is
written: the superclasses are DMTF's where `mof/dmtf` has them, else they come along. The
name of the target folder is that of the provider; MOF that is there goes.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

from pywbem import CIMClass, CIMQualifier
from pywbem._tupleparse import TupleParser
from pywbem._tupletree import xml_to_tupletree_sax

from cimi_cim.errors import ConfigError
from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.declarations import Schema
from cimi_cim.schema.extract import PROSE

KEPT = frozenset(
    name.lower()
    for name in (
        "Association", "Indication", "Abstract", "Key", "Required", "In", "Out", "ValueMap",
        "Values", "EmbeddedInstance", "EmbeddedObject", "PUnit", "Units", "Override", "Version",
    )
)  # fmt: skip
NOTICE = "// Declared by the provider {version}; from the server's own answers, prose left out.\n\n"


def recorded_classes(folder: Path) -> dict[str, Any]:
    """Return pywbem's class objects of all recorded GetClass answers, by name."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("class.*.response.xml*")):
        body = path.read_bytes()
        body = gzip.decompress(body) if path.suffix == ".gz" else body
        tree = TupleParser().parse_cim(xml_to_tupletree_sax(body, "GetClass answer"))
        for cls in _classes_in(tree):
            found[cls.classname] = cls
    return found


def _classes_in(tree: Any) -> list[Any]:
    if isinstance(tree, CIMClass):
        return [tree]
    if isinstance(tree, tuple | list):
        return [cls for part in tree for cls in _classes_in(part)]
    return []


def missing_superclass(cls: Any, known: Schema, declared: dict[str, Any]) -> Any | None:
    """Return a declaration for a superclass that was not recorded, or None if it is there.

    Its own members are those whose origin no known class is; it derives from the most derived
    known class among the origins of what it inherits.
    """
    name = cls.superclass
    if name is None or known.find(name) is not None or name in declared:
        return None
    members = [*cls.properties.values(), *cls.methods.values()]
    origins = [m.class_origin for m in members if m.class_origin]
    ancestors = {origin for origin in origins if known.find(origin) is not None}
    nearest = max(ancestors, key=lambda n: len(list(known.lineage(n))), default=None)
    stub = CIMClass(name, superclass=nearest)
    unknown = {o for o in origins if known.find(o) is None and o != cls.classname}
    stub.properties = [p.copy() for p in cls.properties.values() if p.class_origin in unknown]
    stub.methods = [m.copy() for m in cls.methods.values() if m.class_origin in unknown]
    for member in (*stub.properties.values(), *stub.methods.values()):
        member.propagated, member.class_origin = False, name
    return stub


def own_declaration(cls: Any, dmtf: Schema) -> Any:
    """Return the class with only the members its superclass lacks, and without prose."""
    known: set[str] = set()
    inherited = cls.superclass and dmtf.find(cls.superclass)
    if inherited:
        known = {name.lower() for name in dmtf.properties(cls.superclass)}
    properties = [
        prop for prop in cls.properties.values()
        if not (prop.propagated and inherited) and prop.name.lower() not in known
    ]  # fmt: skip
    methods = [
        method for method in cls.methods.values()
        if not (inherited and dmtf.method(cls.superclass, method.name))
    ]  # fmt: skip
    if not inherited:
        properties = [p for p in properties if p.class_origin in (None, cls.classname)]
        methods = [m for m in methods if m.class_origin in (None, cls.classname)]
    own = CIMClass(cls.classname, superclass=cls.superclass, qualifiers=kept_qualifiers(cls))
    own.properties = [stripped(prop) for prop in properties]
    own.methods = [stripped(method) for method in methods]
    return own


def stripped(element: Any) -> Any:
    """Return a property or method without prose and without where it came from, in place."""
    element.qualifiers = kept_qualifiers(element)
    element.propagated = element.class_origin = None
    for parameter in getattr(element, "parameters", {}).values():
        parameter.qualifiers = kept_qualifiers(parameter)
    return element


def kept_qualifiers(element: Any) -> list[Any]:
    """Return the qualifiers of an element that a mapping can rely on."""
    return [
        CIMQualifier(q.name, q.value, type=q.type)
        for q in element.qualifiers.values()
        if q.name.lower() in KEPT and q.name not in PROSE
    ]


def main(answers: Path, folder: Path) -> None:
    """Write one file per recorded class that `mof/dmtf` does not have.

    Raises `ConfigError` where there are no answers.
    """
    recorded = recorded_classes(answers)
    if not recorded:
        raise ConfigError(
            f"{answers}: no answers to GetClass; they are files class.NAME.response.xml[.gz]"
        )
    dmtf = load_schema([mof_folder() / "dmtf"])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.mof"):
        old.unlink()
    wanted = {n: c for n, c in recorded.items() if dmtf.find(n) is None}
    for cls in list(wanted.values()):
        stub = missing_superclass(cls, dmtf, wanted)
        if stub is not None:
            wanted[stub.classname] = stub
    for name, cls in wanted.items():
        text = NOTICE.format(version=folder.name) + own_declaration(cls, dmtf).tomof()
        (folder / f"{name}.mof").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m cimi_cim.schema.extract_recorded ANSWERS_FOLDER mof/VENDOR")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except ConfigError as exc:
        sys.exit(exc.message)
