"""Class declarations as a server itself gives them (GetClass)."""

from __future__ import annotations

from typing import Any

from pywbem import Error
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


def declared_class(element: bytes) -> ClassDeclaration | None:
    """Return the declaration in a CLASS element, with what it inherits if the server sent it."""
    found = served_class(element)
    return None if found is None else declaration_of(found)
