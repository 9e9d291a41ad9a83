"""Class declarations as a server itself gives them (GetClass)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pywbem import CIMClass, CIMProperty, CIMQualifier, Error
from pywbem._tupleparse import TupleParser
from pywbem._tupletree import xml_to_tupletree_sax

from cimi_cim.schema.compile import declaration_of
from cimi_cim.schema.declarations import ClassDeclaration


def served_class(element: bytes) -> Any | None:
    """Return pywbem's class object of a CLASS element, None for what it cannot read."""
    try:
        return TupleParser().parse_any(xml_to_tupletree_sax(element, "GetClass answer"))
    except (Error, ValueError, TypeError):
        return None


def seen_class(
    classname: str, types: Mapping[str, str], keys: Collection[str], ends: Mapping[str, str]
) -> bytes:
    """Return a CLASS element with what an instance shows, of a class that nobody declares.

    `types` are the CIM types of its properties by name (`uint16`, `string[]`), `keys` those
    that its path has, `ends` the classes of its references. A reference without one is left
    out.
    """
    lowered = {key.lower() for key in keys}
    cls = CIMClass(classname)
    for name, kind in types.items():
        base = kind.removesuffix("[]")
        if base == "reference" and name not in ends:
            continue
        is_key = name.lower() in lowered
        marks = [CIMQualifier("Key", True, type="boolean")] if is_key else []
        cls.properties[name] = CIMProperty(
            name, None, type=base, is_array=kind.endswith("[]"), reference_class=ends.get(name),
            qualifiers=marks,
        )  # fmt: skip
    element: str = cls.tocimxmlstr()
    return element.encode("utf-8")


def declared_class(element: bytes) -> ClassDeclaration | None:
    """Return the declaration in a CLASS element, with what it inherits if the server sent it."""
    found = served_class(element)
    return None if found is None else declaration_of(found)
