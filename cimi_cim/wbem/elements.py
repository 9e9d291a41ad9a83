"""The elements of CIM-XML as values: properties, parameters, paths, embedded instances.

Spellings that servers are known to use beside the standard's are read, too. What is no
value at all raises `NO_VALUE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lxml import etree

from cimi_cim.wbem.cleaning import tell_once
from cimi_cim.wbem.errors import WbemBadReply
from cimi_cim.wbem.values import (
    CimDateTime,
    CimValue,
    EmbeddedInstance,
    InstancePath,
    KeyValue,
    Scalar,
)

NO_VALUE = (WbemBadReply, ValueError, LookupError, TypeError, AttributeError)
"""What reading an element raises that does not hold what belongs there."""

PROPERTIES = frozenset({"PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"})
PATHS = frozenset({"INSTANCENAME", "INSTANCEPATH", "LOCALINSTANCEPATH", "OBJECTPATH"})
_PLAIN = frozenset({"VALUE", "VALUE.ARRAY"})
_REFERENCES = PATHS | {"VALUE.REFERENCE"}
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def _boolean(text: str) -> bool | None:
    word = text.strip().lower()
    if not word:
        return None
    if word not in _WORDS:
        raise ValueError(f"{text[:40]!r} is no boolean")
    return _WORDS[word]


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return _odd_integer(text.strip())


def _odd_integer(text: str) -> int | None:
    """Read `0x10`, and `42.0`; nothing at all is NULL."""
    if not text:
        return None
    try:
        return int(text, 0)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise ValueError(f"{text[:40]!r} is no whole number") from None
        return int(number)


def _real(text: str) -> float | None:
    number = float(text) if text.strip() else math.nan
    return number if math.isfinite(number) else None


def _same(text: str) -> str:
    return text


_CONVERT: dict[str, Callable[[str], Any]] = {
    "string": _same,
    "char16": _same,
    "boolean": _boolean,
    "datetime": CimDateTime,
    "real32": _real,
    "real64": _real,
    **{f"{sign}int{bits}": _integer for sign in "us" for bits in (8, 16, 32, 64)},
}


def converter(cim_type: str) -> Callable[[str], Any]:
    """Return what makes a value of the text of one; it raises `NO_VALUE`."""
    return _CONVERT.get(cim_type.lower(), _same)


def read_property(element: Any, namespace: str) -> CimValue:
    """Return the value of a PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE element.

    Raises `NO_VALUE`.
    """
    if not len(element):
        return None
    child = element[0]
    tag = child.tag
    if tag not in _PLAIN:
        while child is not None and child.tag == "QUALIFIER":  # though nobody asked for them
            child = child.getnext()
        if child is None or child.tag == "VALUE.NULL":
            return None
        tag = child.tag
        if tag in _REFERENCES:
            return read_path(child, namespace)
    cim_type = element.get("TYPE", "string")
    convert = _CONVERT.get(cim_type) or converter(cim_type)
    try:
        if tag == "VALUE" and element.tag != "PROPERTY.ARRAY":
            return _scalar(child, convert, element, namespace)
        items = element.iterchildren("VALUE") if tag == "VALUE" else child
        return tuple(_item(item, convert, element, namespace) for item in items)
    except ValueError as exc:
        raise WbemBadReply(
            f"the property {element.get('NAME')} holds what is no {cim_type}: {exc}"
        ) from exc


def _item(element: Any, convert: Callable[[str], Any], owner: Any, namespace: str) -> Any:
    tag = element.tag
    if tag == "VALUE.NULL":
        return None
    if tag in _REFERENCES:
        return read_path(element, namespace)
    return _scalar(element, convert, owner, namespace)


def _scalar(
    element: Any, convert: Callable[[str], Any], owner: Any, namespace: str
) -> Scalar | None:
    text = element.text or ""
    # Attributes cost more to look at than text, and without < it holds no instance.
    if "<" in text and (owner.get("EmbeddedObject") or owner.get("EMBEDDEDOBJECT")):
        return read_embedded(text, namespace)
    value: Scalar | None = convert(text)
    return value


def read_embedded(text: str, namespace: str) -> EmbeddedInstance | str:
    """Return an embedded instance from its CIM-XML text; a class stays text."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError:
        return text
    return read_whole(root, namespace) if root.tag == "INSTANCE" else text


def read_whole(root: Any, namespace: str) -> EmbeddedInstance:
    """Return all that an INSTANCE element holds, with the types of its properties.

    Raises `NO_VALUE`: what is to be sent back must not lose anything.
    """
    values: dict[str, CimValue] = {}
    types: dict[str, str] = {}
    for element in root:
        if element.tag in PROPERTIES:
            name = str(element.get("NAME"))
            values[name] = read_property(element, namespace)
            array = "[]" if element.tag == "PROPERTY.ARRAY" else ""
            is_reference = element.tag == "PROPERTY.REFERENCE"
            kind = "reference" if is_reference else str(element.get("TYPE", "string"))
            types[name] = kind + array
    return EmbeddedInstance(str(root.get("CLASSNAME")), values, types)


def read_path(element: Any, namespace: str) -> InstancePath:
    """Return the path in any of the elements that hold one; hosts are dropped.

    Raises `NO_VALUE`.
    """
    while element.tag in ("VALUE.REFERENCE", "OBJECTPATH"):
        element = element[0]
    if element.tag in ("INSTANCEPATH", "LOCALINSTANCEPATH"):
        names = [str(part.get("NAME")) for part in element[0].iter("NAMESPACE")]
        namespace, element = "/".join(names) or namespace, element[-1]
    classname = element.get("CLASSNAME")
    if element.tag != "INSTANCENAME" or not classname:
        raise WbemBadReply(f"the reply holds <{element.tag}> where a path belongs")
    keys: list[tuple[str, KeyValue]] = []
    for part in element:
        if part.tag == "KEYBINDING":
            keys.append((part.get("NAME"), _key(part[0], namespace)))
        else:
            keys.append(("", _key(part, namespace)))
    return InstancePath(namespace, classname, tuple(keys))


def _key(element: Any, namespace: str) -> KeyValue:
    if element.tag in _REFERENCES:
        return read_path(element, namespace)
    text = element.text or ""
    cim_type = element.get("TYPE")
    try:
        if cim_type is None:
            return _untyped_key(text, element.get("VALUETYPE", "string"))
        value: KeyValue | None = converter(cim_type)(text)
    except ValueError:
        return text  # it names an instance all the same
    return text if value is None else value


def _untyped_key(text: str, kind: str) -> KeyValue:
    value: KeyValue | None = text
    if kind == "boolean":
        value = _boolean(text)
    elif kind == "numeric":
        try:
            value = _integer(text)
        except ValueError:
            value = float(text)
    return text if value is None else value


def read_parameter(element: Any, namespace: str) -> CimValue:
    """Return the value of a PARAMVALUE element. Raises `NO_VALUE`."""
    if not len(element):
        return None
    child = element[0]
    if child.tag == "VALUE.REFARRAY":
        return tuple(None if r.tag == "VALUE.NULL" else read_path(r, namespace) for r in child)
    if child.tag in _REFERENCES:
        return read_path(child, namespace)
    element.set("TYPE", element.get("PARAMTYPE", "string"))
    return read_property(element, namespace)


def told(what: str, exc: Exception) -> None:
    """Log, once, that something is left out of what a server sent."""
    tell_once(f"{what} cannot be read and is left out: {getattr(exc, 'message', exc)}")
