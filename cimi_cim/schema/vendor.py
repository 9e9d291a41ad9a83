"""A vendor's MOF from what a server says of its classes, beside the declarations we have.

Only what a class adds to its superclass is written, without prose. Superclasses and classes
that are referred to come along, unless `mof/dmtf` has them; of one that the server does not
declare only the name is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from pywbem import CIMClass

from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.declarations import Schema
from cimi_cim.schema.extract import needed_by
from cimi_cim.schema.extract_recorded import kept_qualifiers, stripped
from cimi_cim.schema.served import served_class

_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9]*_\w+")
NOTICE = "// As the server itself declares it (GetClass), prose left out.\n\n"
UNKNOWN = "// The server refers to this class and does not declare it.\n\n"


def vendor_mof(names: Iterable[str], element: Callable[[str], bytes | None]) -> dict[str, str]:
    """Return file names with their MOF, for classes and all that they need.

    `element` gives the CLASS element of a class, None where the server does not.
    """
    dmtf = load_schema([mof_folder() / "dmtf"])
    found: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name.lower() in found or dmtf.find(name) is not None or not _CLASS.fullmatch(name):
            continue
        sent = element(name)
        cls = None if sent is None else served_class(sent)
        if cls is not None:
            cls.classname = name  # whatever the server calls it: files are named after it
            cls.superclass = _above(cls.superclass, element, dmtf)
        whole[name.lower()] = cls
        found[name.lower()] = own = CIMClass(name) if cls is None else cls.copy()
        waiting += [own.superclass] if own.superclass else []
        if cls is not None:
            waiting += _referred(own)
    return {
        f"{cls.classname}.mof": _text(cls, whole[key], whole, dmtf) for key, cls in found.items()
    }


def _above(name: str | None, element: Callable[[str], bytes | None], dmtf: Schema) -> str | None:
    """The superclass, or DMTF's of the same name where the server does not declare its own."""
    if name is not None and not _CLASS.fullmatch(name):
        return None
    if name is None or dmtf.find(name) is not None or element(name) is not None:
        return name
    same = dmtf.find(f"CIM_{name.partition('_')[2]}")
    return name if same is None else same.name


def _referred(cls: Any) -> list[str]:
    """The classes that a class names; some servers send TRUE where a name belongs."""
    return [name for name in needed_by(cls) if _CLASS.fullmatch(name)]


def _text(cls: Any, original: Any, whole: dict[str, Any], dmtf: Schema) -> str:
    if original is None:
        name: str = cls.tomof()
        return UNKNOWN + name
    own = CIMClass(cls.classname, superclass=cls.superclass, qualifiers=kept_qualifiers(cls))
    above = _inherited(cls.superclass, whole, dmtf)
    own.properties = [stripped(p) for n, p in cls.properties.items() if n.lower() not in above]
    own.methods = [stripped(m) for n, m in cls.methods.items() if n.lower() not in above]
    mof: str = own.tomof()
    return NOTICE + mof


def _inherited(name: str | None, whole: dict[str, Any], dmtf: Schema) -> set[str]:
    """The members of a superclass, in lower case."""
    if name is None:
        return set()
    if dmtf.find(name) is not None:
        methods = {m.name.lower() for cls in dmtf.lineage(name) for m in cls.methods}
        return {prop.lower() for prop in dmtf.properties(name)} | methods
    above = whole.get(name.lower())
    if above is None:
        return set()
    members = {n.lower() for n in (*above.properties, *above.methods)}
    return members | _inherited(above.superclass, whole, dmtf)
