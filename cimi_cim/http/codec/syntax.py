"""From the bytes of a request to JSON values or an XML tree; what is hostile goes no further.

Every refusal is a `BadRequest` that says where: a line and column, a byte, or a name.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from lxml import etree

from cimi_cim.errors import BadRequest

MAX_DEPTH = 64
_MAX_DIGITS = 19  # of 2**63 - 1

_JSON_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NO_XML_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DOCTYPE = re.compile(r"\A\ufeff?(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!(?:DOCTYPE|ENTITY)", re.DOTALL)
_DECLARED = re.compile(r"\A\ufeff?<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']*)[\"']")


def refuse(message: str) -> NoReturn:
    """Raise the error for a body that is no document."""
    raise BadRequest(message, reason="bad-document")


def as_text(text: str) -> str:
    """Return a text with what is no text in JSON or XML replaced, for showing it."""
    return _NO_XML_TEXT.sub("\ufffd", text)


def read_json(body: bytes) -> dict[str, Any]:
    """Return the object in a JSON body (RFC 8259, UTF-8). Raises `BadRequest`.

    Refused: a byte order mark, nesting deeper than 64, a name that stands twice, NaN and
    infinities, integers beyond 64 bits, and text that XML could not carry.
    """
    text = _decoded(body)
    if text.startswith("\ufeff"):
        refuse("the body begins with a byte order mark; JSON has none")
    _must_be_shallow(text)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as exc:
        refuse(f"the body is no JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}")
    if not isinstance(found, dict):
        refuse("the body must be a JSON object")
    _must_be_text(found, "")
    return found


def read_xml(body: bytes) -> Any:
    """Return the root element of an XML body (UTF-8). Raises `BadRequest`.

    Refused: any DOCTYPE, other encodings, nesting deeper than 64. Comments and processing
    instructions are left out.
    """
    text = _decoded(body)
    declared = _DECLARED.match(text)
    if declared is not None and declared[1].lower() not in ("utf-8", "us-ascii"):
        refuse(f"the body says it is in {declared[1][:20]}; send UTF-8")
    if _DOCTYPE.match(text):
        refuse("the body has a DOCTYPE; documents of CIMI have none")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as exc:
        refuse(f"the body is no XML: {exc.msg}")
    if root.getroottree().docinfo.internalDTD is not None:
        refuse("the body has a DOCTYPE; documents of CIMI have none")
    _must_be_shallow_xml(root)
    return root


def _decoded(body: bytes) -> str:
    if not body.strip():
        refuse("the body is empty; send a document")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as exc:
        refuse(f"the body is not UTF-8: byte {exc.start} does not belong")


def _must_be_shallow(text: str) -> None:
    """Count brackets outside of strings before anything recurses into them."""
    depth = 0
    for found in _JSON_STRUCTURE.finditer(text):
        if found[0] in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                refuse(f"the body is nested deeper than {MAX_DEPTH}, at character {found.start()}")
        elif found[0] in ("]", "}"):
            depth -= 1


def _must_be_shallow_xml(root: Any) -> None:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            refuse(f"the body is nested deeper than {MAX_DEPTH}, at line {element.sourceline}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        refuse(f"{twice[:60]!r} stands twice in one object")
    return found


def _integer(text: str) -> int:
    value = int(text) if len(text.lstrip("-")) <= _MAX_DIGITS else None
    if value is None or not fits_64_bits(value):
        refuse(f"the number {text[:24]}... is out of range" if len(text) > 24
               else f"the number {text} is out of range")  # fmt: skip
    return value


def fits_64_bits(value: int) -> bool:
    """Whether an integer can be kept, and be sent back."""
    return -(2**63) <= value < 2**63


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        refuse(f"the number {text[:24]} is out of range")
    return value


def _no_number(word: str) -> NoReturn:
    refuse(f"{word} is no JSON number")


def _must_be_text(value: Any, where: str) -> None:
    """Refuse characters that are no Unicode text (lone surrogates) or not allowed in XML."""
    if isinstance(value, str):
        found = _NO_XML_TEXT.search(value)
        if found is not None:
            place = where or "a name"
            refuse(f"{place} holds the character U+{ord(found[0]):04X}, which is no text")
    elif isinstance(value, dict):
        for name, inside in value.items():
            _must_be_text(name, f"a name in {where}" if where else "a name")
            _must_be_text(inside, f"{where}.{name[:60]}" if where else name[:60])
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            _must_be_text(inside, f"{where}[{index}]")
