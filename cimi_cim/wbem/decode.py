"""CIM-XML replies decoded as a stream with lxml, straight to the wanted properties.

pywbem builds an object per property and checks each against the DTD; a bulk reply needs
neither. Values equal pywbem's (see the tests over the recorded replies); elements are
cleared as soon as their row is made, so memory follows the rows, not the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from lxml import etree

from cimi_cim.wbem.errors import WbemBadReply, WbemNotCimXml, status_error
from cimi_cim.wbem.values import (
    CimDateTime,
    CimValue,
    EmbeddedInstance,
    InstancePath,
    KeyValue,
    Row,
    Scalar,
)

_ROWS = frozenset({"VALUE.NAMEDINSTANCE", "VALUE.OBJECTWITHPATH", "VALUE.INSTANCEWITHPATH"})
_EVENTS = (*_ROWS, "IRETURNVALUE", "PARAMVALUE", "IPARAMVALUE", "ERROR")
_PROPERTIES = frozenset({"PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"})


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in ("true", "false"):
        raise ValueError(f"{text!r} is no boolean")
    return lowered == "true"


def _integer(text: str) -> int:
    stripped = text.strip()
    try:
        return int(stripped)
    except ValueError:
        return int(stripped, 0)


def _same(text: str) -> str:
    return text


_CONVERT: dict[str, Callable[[str], Any]] = {
    "string": _same,
    "char16": _same,
    "boolean": _boolean,
    "datetime": CimDateTime,
    "real32": float,
    "real64": float,
    **{f"{sign}int{bits}": _integer for sign in "us" for bits in (8, 16, 32, 64)},
}


class InstanceDecoder:
    """Decodes one reply that carries instances or paths.

    `properties` are the wanted ones, under whose spelling the values are returned;
    `namespace` is that of the request, for paths that come without one.
    """

    def __init__(self, properties: Sequence[str], namespace: str) -> None:
        self._wanted = {name.lower(): name for name in properties}
        self._spelled: dict[str, str | None] = {}
        self._namespace = namespace
        self.end_of_sequence = True
        self.context: str | None = None

    def decode(self, chunks: Iterable[bytes], path: InstancePath | None = None) -> list[Row]:
        """Return the rows of a reply; `path` is that of a GetInstance, whose reply has none.

        Raises the error the reply holds, `WbemNotCimXml` for what is no CIM-XML at
        all, `WbemBadReply` for a reply that ends early or is not well-formed.
        """
        rows: list[Row] = []
        for element in _events(chunks):
            if element.tag in _ROWS:
                rows.append(self._row(element))
                element.clear()
                # What was cleared still hangs in its parent; a long reply must not grow.
                parent = element.getparent()
                while parent is not None and element.getprevious() is not None:
                    del parent[0]
            elif element.tag == "IRETURNVALUE":
                rows += self._bare(element, path)
            else:
                self._other(element)
        return rows

    def _bare(self, returned: Any, path: InstancePath | None) -> Iterator[Row]:
        """Instances without a path (GetInstance), and paths without an instance."""
        for element in returned:
            if element.tag == "INSTANCE" and path is not None:
                yield Row(path, self._values(element, None))
            elif element.tag in ("INSTANCENAME", "INSTANCEPATH", "OBJECTPATH"):
                yield Row(read_path(element, self._namespace), {})

    def _other(self, element: Any) -> None:
        if element.tag == "ERROR":
            raise _error(element)
        value = element.find("VALUE")
        text = None if value is None else value.text
        if element.get("NAME") == "EndOfSequence":
            self.end_of_sequence = (text or "").strip().lower() == "true"
        elif element.get("NAME") == "EnumerationContext":
            self.context = text

    def _row(self, element: Any) -> Row:
        path: InstancePath | None = None
        values: dict[str, CimValue] = {}
        for part in element:
            if part.tag == "INSTANCE":
                values = self._values(part, path)
            else:
                path = read_path(part, self._namespace)
        if path is None:
            raise WbemBadReply("the reply holds an instance without a path")
        return Row(path, values)

    def _values(self, instance: Any, path: InstancePath | None) -> dict[str, CimValue]:
        """Read the wanted properties; the ends of an association are in its path already."""
        values: dict[str, CimValue] = {}
        spelled, wanted = self._spelled, self._wanted
        for element in instance:
            sent = element.get("NAME")
            if sent in spelled:
                name = spelled[sent]
            else:
                name = wanted.get((sent or "").lower())
                spelled[sent] = name
            if name is not None and len(element) and element.tag in _PROPERTIES:
                end = path.key(name) if path and element.tag == "PROPERTY.REFERENCE" else None
                values[name] = read_property(element, self._namespace) if end is None else end
        return values


def decode_whole(chunks: Iterable[bytes], namespace: str) -> EmbeddedInstance:
    """Return the whole instance in the reply to a GetInstance. Raises as `InstanceDecoder`."""
    for element in _events(chunks):
        instance = element.find("INSTANCE") if element.tag == "IRETURNVALUE" else None
        if instance is not None:
            return read_whole(instance, namespace)
        if element.tag == "ERROR":
            raise _error(element)
    raise WbemBadReply("the WBEM server answers GetInstance without an instance")


def decode_instances(
    chunks: Iterable[bytes], namespace: str
) -> Iterator[tuple[InstancePath, EmbeddedInstance]]:
    """Yield path and whole instance of each in the reply to EnumerateInstances."""
    for element in _events(chunks):
        if element.tag == "ERROR":
            raise _error(element)
        instance = element.find("INSTANCE") if element.tag in _ROWS else None
        if instance is not None:
            paths = [part for part in element if part.tag != "INSTANCE"]
            if paths:
                yield read_path(paths[0], namespace), read_whole(instance, namespace)
            element.clear()


def _error(element: Any) -> Exception:
    code = element.get("CODE", "1")
    return status_error(int(code) if code.isdigit() else 1, element.get("DESCRIPTION", "").strip())


def _events(chunks: Iterable[bytes]) -> Iterator[Any]:
    parser = etree.XMLPullParser(
        events=("end",), tag=_EVENTS, resolve_entities=False, no_network=True, huge_tree=True
    )
    is_first = True
    try:
        for chunk in chunks:
            if is_first and chunk.strip():
                is_first = False
                _must_look_like_xml(chunk)
            parser.feed(chunk)
            for _, element in parser.read_events():
                yield element
        if is_first:
            raise WbemBadReply("the WBEM server's answer is empty; look at the server's log")
        root = parser.close()
        for _, element in parser.read_events():
            yield element
    except etree.XMLSyntaxError as exc:
        raise WbemBadReply(
            "the WBEM server's reply is cut short or not well-formed XML"
            f" (line {exc.lineno}); ask again, and look at the server's log"
        ) from exc
    if root.tag != "CIM":
        raise not_cim_xml(f"the document is <{str(root.tag)[:40]}>")


def _must_look_like_xml(chunk: bytes) -> None:
    head = chunk.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if b"<html" in head or b"<!doctype" in head or not head.startswith(b"<"):
        raise not_cim_xml("the answer is not CIM-XML")


def not_cim_xml(what: str, **fields: Any) -> WbemNotCimXml:
    """Return the error for an answer from something else than a WBEM server."""
    return WbemNotCimXml(
        f"what answers at the target's URL is no WBEM server: {what}; check host, port"
        " (usually 5988, or 5989 with https) and that a WBEM server listens there",
        **fields,
    )


def read_property(element: Any, namespace: str) -> CimValue:
    """Return the value of a PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE element."""
    if element.tag == "PROPERTY.REFERENCE":
        return read_path(element[0], namespace)
    cim_type = element.get("TYPE", "string")
    embedded = element.get("EmbeddedObject") or element.get("EMBEDDEDOBJECT")
    convert = _CONVERT.get(cim_type, _same)
    try:
        child = element[0]
        if child.tag == "VALUE":
            return _scalar(child, convert, embedded, namespace)
        return tuple(
            None if item.tag == "VALUE.NULL" else _scalar(item, convert, embedded, namespace)
            for item in child
        )
    except ValueError as exc:
        raise WbemBadReply(
            f"the property {element.get('NAME')} holds what is no {cim_type}: {exc}"
        ) from exc


def _scalar(element: Any, convert: Callable[[str], Any], embedded: Any, namespace: str) -> Scalar:
    text = element.text or ""
    if embedded:
        return read_embedded(text, namespace)
    value: Scalar = convert(text)
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
    """Return all that an INSTANCE element holds, with the types of its properties."""
    values: dict[str, CimValue] = {}
    types: dict[str, str] = {}
    for element in root:
        if element.tag in _PROPERTIES:
            name = str(element.get("NAME"))
            values[name] = read_property(element, namespace) if len(element) else None
            array = "[]" if element.tag == "PROPERTY.ARRAY" else ""
            is_reference = element.tag == "PROPERTY.REFERENCE"
            kind = "reference" if is_reference else str(element.get("TYPE", "string"))
            types[name] = kind + array
    return EmbeddedInstance(str(root.get("CLASSNAME")), values, types)


def read_path(element: Any, namespace: str) -> InstancePath:
    """Return the path in any of the elements that hold one; hosts are dropped."""
    while element.tag in ("VALUE.REFERENCE", "OBJECTPATH"):
        element = element[0]
    if element.tag in ("INSTANCEPATH", "LOCALINSTANCEPATH"):
        names = [str(part.get("NAME")) for part in element[0].iter("NAMESPACE")]
        namespace, element = "/".join(names), element[1]
    if element.tag != "INSTANCENAME":
        raise WbemBadReply(f"the reply holds <{element.tag}> where a path belongs")
    keys: list[tuple[str, KeyValue]] = []
    for part in element:
        if part.tag == "KEYBINDING":
            keys.append((part.get("NAME"), _key(part[0], namespace)))
        else:
            keys.append(("", _key(part, namespace)))
    return InstancePath(namespace, element.get("CLASSNAME"), tuple(keys))


def _key(element: Any, namespace: str) -> KeyValue:
    if element.tag == "VALUE.REFERENCE":
        return read_path(element, namespace)
    text = element.text or ""
    cim_type = element.get("TYPE")
    if cim_type is not None:
        value: KeyValue = _CONVERT.get(cim_type, _same)(text)
        return value
    kind = element.get("VALUETYPE", "string")
    if kind == "boolean":
        return _boolean(text)
    if kind == "numeric":
        try:
            return _integer(text)
        except ValueError:
            return float(text)
    return text


def decode_method(
    chunks: Iterable[bytes], namespace: str
) -> tuple[int | str | None, dict[str, CimValue]]:
    """Return the return value and the out parameters of a method's reply."""
    root = _document(chunks)
    returned: int | str | None = None
    value = root.find(".//RETURNVALUE")
    if value is not None and len(value) and value[0].tag == "VALUE":
        text = value[0].text or ""
        kind = value.get("PARAMTYPE", "uint32")
        returned = _integer(text) if kind.startswith(("uint", "sint")) else text
    out = {
        str(element.get("NAME")): read_parameter(element, namespace)
        for element in root.iter("PARAMVALUE")
    }
    return returned, out


def read_parameter(element: Any, namespace: str) -> CimValue:
    """Return the value of a PARAMVALUE element."""
    if not len(element):
        return None
    child = element[0]
    if child.tag == "VALUE.REFERENCE":
        return read_path(child, namespace)
    if child.tag == "VALUE.REFARRAY":
        return tuple(None if r.tag == "VALUE.NULL" else read_path(r, namespace) for r in child)
    if child.tag in ("INSTANCENAME", "INSTANCEPATH"):
        return read_path(child, namespace)
    element.set("TYPE", element.get("PARAMTYPE", "string"))
    return read_property(element, namespace)


def decode_class_names(chunks: Iterable[bytes]) -> list[str]:
    """Return the names in the reply to EnumerateClassNames."""
    return [str(element.get("NAME")) for element in _document(chunks).iter("CLASSNAME")]


def decode_class(chunks: Iterable[bytes]) -> bytes:
    """Return the CLASS element in the reply to GetClass, as text."""
    found = _document(chunks).find(".//CLASS")
    if found is None:
        raise WbemBadReply("the WBEM server answers GetClass without a class")
    return etree.tostring(found)


def _document(chunks: Iterable[bytes]) -> Any:
    body = b"".join(chunks)
    if body.strip():
        _must_look_like_xml(body)
    try:
        root = etree.fromstring(
            body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        )
    except etree.XMLSyntaxError as exc:
        raise WbemBadReply(
            "the WBEM server's reply is cut short or not well-formed XML"
            f" (line {exc.lineno}); look at the server's log"
        ) from exc
    error = root.find(".//ERROR")
    if error is not None:
        code = error.get("CODE", "1")
        raise status_error(int(code) if code.isdigit() else 1, error.get("DESCRIPTION", "").strip())
    return root
