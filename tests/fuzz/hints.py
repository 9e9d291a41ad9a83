"""XML by the hints of the OpenAPI document alone: what a foreign client would write and read.

Nothing here knows CIMI, so what is understood by it, and by the bridge, proves the hints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

_NUMBER = re.compile(r"[+-]?[0-9]+\Z")
_NO_XML_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_NO_XML_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Hints:
    """Writes and reads XML by the schemas of a document."""

    document: dict[str, Any]

    def resolved(self, said: Any) -> dict[str, Any]:
        """Return a schema without references: what stands beside one goes before its target."""
        schema: dict[str, Any] = said if isinstance(said, dict) else {}
        while "$ref" in schema:
            _, kind, name = schema["$ref"].removeprefix("#/").split("/")
            target: dict[str, Any] = self.document["components"][kind][name]
            schema = {**target, **{n: v for n, v in schema.items() if n != "$ref"}}
        return schema

    def write(self, value: Any, schema: Any) -> bytes:
        """Return the XML of a whole document."""
        schema = self.alternative(value, self.resolved(schema))
        root = schema["xml"]
        nsmap: Any = {None: root["namespace"]}
        element = etree.Element(f"{{{root['namespace']}}}{root['name']}", nsmap=nsmap)
        self._write(element, value, schema)
        found: bytes = etree.tostring(element)
        return found

    def read(self, body: bytes, schema: Any) -> Any:
        """Return the value that the XML of a whole document is."""
        root, hint = etree.fromstring(body), self.resolved(schema)["xml"]
        assert root.tag == f"{{{hint['namespace']}}}{hint['name']}", root.tag
        return self._read(root, schema)

    def alternative(self, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema that a value is meant for: the first that fits its members."""
        found = [self.resolved(each) for each in schema.get("anyOf", [schema])]
        names = set(value) if isinstance(value, dict) else set()
        near = [s for s in found if names <= s.get("properties", {}).keys()]
        whole = [s for s in near if names >= set(s.get("required", []))]
        return (whole or near or found)[0]

    def _write(self, element: Any, value: Any, schema: Any) -> None:
        schema = self.resolved(schema)
        if isinstance(value, dict):
            for name, inside in value.items():
                self._member(element, name, inside, self._property(schema, name))
        elif isinstance(value, list):
            for inside in value:
                self._write(_sub(element, "item"), inside, schema.get("items"))
        elif value is not None:
            element.text = _text(value)

    def _property(self, schema: dict[str, Any], name: str) -> dict[str, Any]:
        other = schema.get("additionalProperties")
        return self.resolved(schema.get("properties", {}).get(name, other))

    def _member(self, element: Any, name: str, value: Any, schema: dict[str, Any]) -> None:
        hints = schema.get("xml", {})
        if hints.get("x-absent"):
            return
        if "x-within" in hints:
            element = _within(element, hints["x-within"])
        tag = hints.get("name", name)
        if hints.get("x-text"):
            element.text = _text(value)
        elif hints.get("attribute") and not isinstance(value, dict | list):
            element.set(_xml_name(tag), _text(value))
        elif "x-key" in hints and isinstance(value, dict):
            inside = _sub(element, tag) if hints.get("wrapped") else element
            for key, text in value.items():
                entry = _sub(inside, hints["x-item"])
                entry.set(hints["x-key"], _text(key))
                self._write(entry, text, {})
        elif isinstance(value, list) and "items" in schema:
            inside = _sub(element, tag) if hints.get("wrapped") else element
            item_tag = self.resolved(schema["items"]).get("xml", {}).get("name", tag)
            for item in value:
                self._write(_sub(inside, item_tag), item, schema["items"])
        else:
            self._write(_sub(element, tag), value, schema)

    def _read(self, element: Any, schema: Any) -> Any:
        schema = self.resolved(schema)
        if "properties" in schema:
            return self._object(element, schema)
        if isinstance(schema.get("additionalProperties"), dict):
            return {_local(c): self._read(c, schema["additionalProperties"]) for c in element}
        if len(element):
            return {_local(child): self._read(child, {}) for child in element}
        return _scalar(element.text or "", schema)

    def _object(self, element: Any, schema: dict[str, Any]) -> dict[str, Any]:
        """Read what the properties account for; the rest is there under its own name."""
        node, found = _Node(element), dict[str, Any]()
        for name, inside in schema["properties"].items():
            for value in self._taken(node, name, self.resolved(inside)):
                found[name] = value
        return found | {name: "not accounted for" for name in node.left()}

    def _taken(self, node: _Node, name: str, schema: dict[str, Any]) -> Iterator[Any]:
        """Yield the value of a property, if it is there."""
        hints, tag = schema.get("xml", {}), schema.get("xml", {}).get("name", name)
        if hints.get("x-absent"):
            return
        if "x-within" in hints:
            node = node.child(hints["x-within"]) or node
        if hints.get("x-text"):
            yield from node.content()
        elif hints.get("attribute"):
            if tag in node.attributes:
                yield _scalar(node.attributes.pop(tag), schema)
        elif "x-key" in hints or schema.get("type") == "array":
            yield from self._several(node, tag, schema)
        elif tag in node.children:
            yield self._read(node.children.pop(tag)[0], schema)

    def _several(self, node: _Node, tag: str, schema: dict[str, Any]) -> Iterator[Any]:
        hints = schema.get("xml", {})
        if hints.get("wrapped"):
            wrapper = node.child(tag)
            if wrapper is None:
                return
            node = wrapper
        is_map = "x-key" in hints
        item = hints["x-item"] if is_map else tag
        if not is_map:
            item = self.resolved(schema["items"]).get("xml", {}).get("name", tag)
        elements = node.children.pop(item, [])
        if is_map and elements:
            yield {e.get(hints["x-key"]): e.text or "" for e in elements}
        elif elements:
            yield [self._read(e, schema["items"]) for e in elements]


class _Node:
    """An element while it is read; a child is read by the same node every time."""

    def __init__(self, element: Any) -> None:
        self.attributes = dict(element.attrib)
        self.children: dict[str, list[Any]] = {}
        self.text: str | None = element.text if element.text and element.text.strip() else None
        self._nodes: dict[str, _Node] = {}
        for child in element:
            self.children.setdefault(_local(child), []).append(child)

    def child(self, tag: str) -> _Node | None:
        if tag in self.children:
            self._nodes[tag] = _Node(self.children.pop(tag)[0])
        return self._nodes.get(tag)

    def content(self) -> Iterator[Any]:
        """Take what is in the element, whatever it is."""
        if self.text is not None or self.children:
            yield self.text if self.text is not None else sorted(self.children)
            self.text, self.children = None, {}

    def left(self) -> Iterator[str]:
        yield from self.attributes
        yield from self.children
        if self.text is not None:
            yield "#text"
        for tag, node in self._nodes.items():
            yield from (f"{tag}/{name}" for name in node.left())


def _scalar(text: str, schema: dict[str, Any]) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "integer": lambda t: int(t) if _NUMBER.match(t) else t,
        "boolean": lambda t: {"true": True, "false": False}.get(t, t),
    }
    return readers.get(str(schema.get("type")), str)(text)


def _sub(element: Any, tag: str) -> Any:
    return etree.SubElement(element, f"{{{etree.QName(element).namespace}}}{_xml_name(tag)}")


def _within(element: Any, tag: str) -> Any:
    found = element.find(f"{{{etree.QName(element).namespace}}}{tag}")
    return found if found is not None else _sub(element, tag)


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)


def _xml_name(name: str) -> str:
    """What is no name in XML becomes one that nothing is called."""
    return name if name[:1].isalpha() and not _NO_XML_NAME.search(name) else "x-" + (
        _NO_XML_NAME.sub("_", name)
    )  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return _NO_XML_TEXT.sub("?", str(value))
