"""JSON schemas of single values, and how they stand in XML.

XML that the hints of OpenAPI 3.1 cannot tell is in extensions of the XML Object: `x-text`
(the content of the enclosing element), `x-absent` (not in XML), `x-within` (in a child element
of this name), `x-item` and `x-key` (of a map: the element of an entry, the XML attribute
that has its key).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from cimi_cim.http.codec.decoding import FORMS
from cimi_cim.model.types import Attribute, AttributeForm, CimiVersion, Kind, XmlShape

Schema: TypeAlias = dict[str, Any]

SCHEMAS = "#/components/schemas"
INT64 = {"minimum": -(2**63), "maximum": 2**63 - 1}


def ref(version: CimiVersion, name: str, **beside: Any) -> Schema:
    """Return the reference to a schema of a version."""
    return {"$ref": f"{SCHEMAS}/{key(version, name)}", **beside}


def key(version: CimiVersion, name: str) -> str:
    """Return what a schema of a version is called in the document: `V2.Machine`."""
    return f"V{version.value}.{name}"


def atom(row: Attribute, form: AttributeForm) -> Schema:
    """Return the schema of a value without parts."""
    if row.kind is Kind.INTEGER:
        return {"type": "integer", "format": "int64"}
    if row.kind is Kind.BOOLEAN:
        return {"type": "boolean"}
    words = [form.words.get(value, value) for value in row.values]
    if row.is_cimi_uri:
        version = next(v for v, its in row.forms.items() if its is form)
        words = [_of_version(word, version) for word in words]
    if words and not row.is_open:
        return {"type": "string", "enum": words}
    if row.kind in FORMS:
        return {"type": "string", "pattern": ecma(FORMS[row.kind][0].pattern)}
    return _open({"type": "string"}, words)


def _open(schema: Schema, words: list[str]) -> Schema:
    """More than the words are allowed: they are examples."""
    return {**schema, "examples": words} if words else schema


def _of_version(uri: str, version: CimiVersion) -> str:
    ours = f"{CimiVersion.V2.namespace}/"
    is_ours = uri.startswith(ours)
    return f"{version.namespace}/{uri.removeprefix(ours)}" if is_ours else uri


def ecma(pattern: str) -> str:
    """Return a pattern of Python, which matches from the start, in the words of ECMA 262."""
    return "^" + pattern.replace(r"\Z", "$")


def described(row: Attribute, schema: Schema) -> Schema:
    """Return a schema with what the row says about the attribute."""
    unit = f" Unit: {row.unit}." if row.unit is not None else ""
    return {**schema, "description": f"{row.doc}{unit}"} if row.doc else schema


def in_xml(row: Attribute, form: AttributeForm, schema: Schema, json_name: str) -> Schema:
    """Return the schema of a whole attribute with the hints that XML needs."""
    hints: dict[str, Any] = {}
    shape, name = form.xml_shape, form.xml_name
    is_list = row.is_array or row.kind is Kind.MAP
    if shape is XmlShape.ABSENT:
        return {**schema, "xml": {"x-absent": True}}
    if shape is XmlShape.TEXT:
        return {**schema, "xml": {"x-text": True}}
    if not is_list or shape is XmlShape.WRAPPED:
        hints |= {"name": name} if name != json_name else {}
    if shape is XmlShape.ATTRIBUTE:
        hints["attribute"] = True
    if form.xml_within is not None:
        hints["x-within"] = form.xml_within
    if is_list and shape is XmlShape.WRAPPED:
        hints["wrapped"] = True
    if row.kind is Kind.MAP:
        hints |= {"x-item": form.xml_item, "x-key": "key"}
    elif row.is_array:
        schema = {**schema, "items": {**schema["items"], "xml": {"name": form.xml_item or name}}}
    return {**schema, "xml": hints} if hints else schema
