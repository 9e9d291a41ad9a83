"""Instances as a tape keeps them: the shape apart from the values, values as sent text.

Servers send every property of every instance, most of them NULL. A shape is that list,
kept once; an instance then is its path and what is not NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from cimi_cim.wbem.tape.paths import TapePath

Value: TypeAlias = "str | TapePath | tuple[str | TapePath | None, ...] | None"
"""The text of a value as sent, a path, or an array of them; None is NULL."""

REFERENCE = "ref"
_TAGS = {"PROPERTY": "", "PROPERTY.ARRAY": "[]", "PROPERTY.REFERENCE": ""}


@dataclass(frozen=True, slots=True)
class Member:
    """A property as a shape lists it: `Name type`, `Name type[]`, `Name ref`, and marks.

    A `^` means PROPAGATED="true"; any other attribute is `KEY=VALUE`.
    """

    name: str
    type: str
    is_array: bool
    marks: tuple[tuple[str, str], ...]

    @classmethod
    def of_element(cls, element: Any) -> Member:
        """Return the member a PROPERTY element of any kind stands for."""
        is_reference = element.tag == "PROPERTY.REFERENCE"
        marks = tuple(
            (key, value) for key, value in element.attrib.items() if key not in ("NAME", "TYPE")
        )
        kind = REFERENCE if is_reference else element.get("TYPE", "string")
        return cls(str(element.get("NAME")), kind, element.tag == "PROPERTY.ARRAY", marks)

    @classmethod
    def of_text(cls, text: str) -> Member:
        """Return the member of its text form. Raises `ValueError` for what is none."""
        name, kind, *marks = text.split(" ")
        pairs = tuple(
            ("PROPAGATED", "true") if mark == "^" else (mark.split("=")[0], mark.split("=", 1)[1])
            for mark in marks
        )
        return cls(name, kind.removesuffix("[]"), kind.endswith("[]"), pairs)

    def text(self) -> str:
        """Return the text form."""
        marks = [
            " ^" if (key, value) == ("PROPAGATED", "true") else f" {key}={value}"
            for key, value in self.marks
        ]
        return f"{self.name} {self.type}{'[]' if self.is_array else ''}{''.join(marks)}"

    def xml(self, value: Value) -> bytes:
        """Return the element of this property with a value."""
        marks = "".join(f" {key}={quoteattr(text)}" for key, text in self.marks)
        kind = "" if self.type == REFERENCE else f' TYPE="{self.type}"'
        tag = "PROPERTY"
        if self.is_array:
            tag = "PROPERTY.ARRAY"
        elif self.type == REFERENCE:
            tag = "PROPERTY.REFERENCE"
        head = f"<{tag} NAME={quoteattr(self.name)}{kind}{marks}>"
        return f"{head}{value_xml(value)}</{tag}>".encode()


@dataclass(frozen=True, slots=True)
class Shape:
    """A class name and the properties that its instances were sent with, in order."""

    classname: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class TapeInstance:
    """One instance: where it was, its path in it, and the values that are not NULL."""

    namespace: str
    path: TapePath
    shape: Shape
    values: Mapping[str, Value]


def read_instance(element: Any) -> tuple[Shape, dict[str, Value]]:
    """Return shape and values of an INSTANCE element."""
    members = []
    values: dict[str, Value] = {}
    for child in element:
        if child.tag not in _TAGS:
            continue
        member = Member.of_element(child)
        members.append(member)
        value = read_value(child)
        if value is not None:
            values[member.name] = value
    return Shape(str(element.get("CLASSNAME")), tuple(members)), values


def read_value(element: Any) -> Value:
    """Return the value inside a PROPERTY or PARAMVALUE element, None without one."""
    for child in element:
        if child.tag in ("VALUE.ARRAY", "VALUE.REFARRAY"):
            return tuple(_item(item) for item in child)
        if child.tag != "QUALIFIER":
            return _item(child)
    return None


def _item(element: Any) -> str | TapePath | None:
    if element.tag == "VALUE.NULL":
        return None
    return (element.text or "") if element.tag == "VALUE" else TapePath.of_element(element)


def value_xml(value: Value) -> str:
    """Return the element of a value; nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        tag = "VALUE.REFARRAY" if any(isinstance(v, TapePath) for v in value) else "VALUE.ARRAY"
        return f"<{tag}>{''.join(_item_xml(item) for item in value)}</{tag}>"
    return _item_xml(value)


def _item_xml(value: str | TapePath | None) -> str:
    if value is None:
        return "<VALUE.NULL/>"
    return (
        value.reference_xml() if isinstance(value, TapePath) else f"<VALUE>{escape(value)}</VALUE>"
    )


def value_json(value: Value) -> Any:
    """Return the JSON form of a value; a path is `{"path": ...}`."""
    if isinstance(value, tuple):
        return [value_json(item) for item in value]
    return {"path": value.json()} if isinstance(value, TapePath) else value


def value_of_json(form: Any) -> Value:
    """Return the value of a JSON form. Raises `ValueError` for what is none."""
    if isinstance(form, list):
        return tuple(_scalar_of_json(item) for item in form)
    return _scalar_of_json(form)


def _scalar_of_json(form: Any) -> str | TapePath | None:
    if isinstance(form, dict) and list(form) == ["path"]:
        return TapePath.of_json(form["path"])
    if form is None or isinstance(form, str):
        return form
    raise ValueError(f"{form!r} is no value: a text, null, or {{'path': PATH}}")
