"""CIM-XML replies decoded as a stream with lxml, straight to the wanted properties.

pywbem builds an object per property and checks each against the DTD; a bulk reply needs
neither. Values equal pywbem's (see the tests over the recorded replies); elements are
cleared as soon as their row is made, so memory follows the rows, not the reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lxml import etree

from cimi_cim.wbem.cleaning import cleaned, tell_once
from cimi_cim.wbem.elements import (
    NO_VALUE,
    PATHS,
    PROPERTIES,
    converter,
    read_parameter,
    read_path,
    read_property,
    read_whole,
    told,
)
from cimi_cim.wbem.errors import WbemBadReply, WbemNotCimXml, status_error
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath, Row, Rows

_ROWS = frozenset({"VALUE.NAMEDINSTANCE", "VALUE.OBJECTWITHPATH", "VALUE.INSTANCEWITHPATH"})
_EVENTS = (*_ROWS, "IRETURNVALUE", "PARAMVALUE", "IPARAMVALUE", "ERROR")
_ENDS = frozenset({"IMETHODRESPONSE", "METHODRESPONSE", "CIM"})
_FED_BYTES = 32 * 1024
"""Parsed at a time: what is read of it is cleared before more is built."""
_MANY = 3
"""So many times the wanted properties make an instance long: it pays to know their places."""


class InstanceDecoder:
    """Decodes one reply that carries instances or paths.

    `properties` are the wanted ones, under whose spelling the values are returned;
    `namespace` is that of the request, for paths that come without one. A property that
    cannot be read is NULL; an instance whose path cannot be read is left out. Of a pull,
    `end_of_sequence` is None where the reply does not say.
    """

    def __init__(self, properties: Sequence[str], namespace: str) -> None:
        self._wanted = {name.lower(): name for name in properties}
        self._spelled: dict[str, str | None] = {}
        self._places: dict[int, Sequence[tuple[int, str]]] = {}
        self._namespace = namespace
        self._left_out = 0
        self.end_of_sequence: bool | None = None
        self.context: str | None = None

    def decode(self, chunks: Iterable[bytes], path: InstancePath | None = None) -> Rows:
        """Return the rows of a reply; `path` is that of a GetInstance, whose reply has none.

        Raises the error the reply holds, `WbemNotCimXml` for what is no CIM-XML at
        all, `WbemBadReply` for a reply that ends early or is not well-formed, or of whose
        instances none can be read.
        """
        rows, self._left_out = Rows(), 0
        before = 0  # how many instances hang before the one that is read
        for element in _events(chunks, _EVENTS):
            if element.tag in _ROWS:
                try:
                    rows.append(self._row(element))
                except NO_VALUE as exc:
                    self._leave_out(exc)
                element.clear()
                # What was cleared still hangs in its parent; a long reply must not grow.
                parent, gone = element.getparent(), 0
                while parent is not None and element.getprevious() is not None:
                    del parent[0]
                    gone += 1
                if gone != before:  # something that is no instance stands among them
                    self._leave_out(WbemBadReply("it is sent as something else"))
                before = 1
            elif element.tag == "IRETURNVALUE":
                rows += self._bare(element, path)
            else:
                self._other(element)
        rows.left_out = self._left_out
        if self._left_out and not rows:
            raise WbemBadReply(
                f"none of the {self._left_out} instances in the WBEM server's reply can be read;"
                " look at the log for the reason"
            )
        return rows

    def _leave_out(self, exc: Exception) -> None:
        self._left_out += 1
        told("an instance", exc)

    def _bare(self, returned: Any, path: InstancePath | None) -> Iterator[Row]:
        """Instances without a path (GetInstance), and paths without an instance."""
        for element in returned:
            if element.tag == "INSTANCE" and path is not None:
                yield Row(path, self._values(element, None))
            elif element.tag == "INSTANCE":
                self._leave_out(WbemBadReply("it has no path"))
            elif element.tag in PATHS:
                try:
                    yield Row(read_path(element, self._namespace), {})
                except NO_VALUE as exc:
                    self._leave_out(exc)

    def _other(self, element: Any) -> None:
        if element.tag == "ERROR":
            raise _error(element)
        value = element.find("VALUE")
        text = None if value is None else value.text
        name = str(element.get("NAME")).lower()
        if name == "endofsequence":
            self.end_of_sequence = (text or "").strip().lower() == "true"
        elif name == "enumerationcontext":
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
            raise WbemBadReply("it has no path")
        return Row(path, values)

    def _values(self, instance: Any, path: InstancePath | None) -> dict[str, CimValue]:
        """Read the wanted properties; the ends of an association are in its path already."""
        values: dict[str, CimValue] = {}
        for name, element in self._among(instance):
            tag = element.tag
            if tag in PROPERTIES:
                end = path.key(name) if path and tag == "PROPERTY.REFERENCE" else None
                try:
                    value = read_property(element, self._namespace) if end is None else end
                except NO_VALUE as exc:
                    told(f"{instance.get('CLASSNAME')}.{element.get('NAME')}", exc)
                    continue
                if value is not None:
                    values[name] = value
        return values

    def _among(self, instance: Any) -> Sequence[tuple[str, Any]]:
        """Find the wanted properties.

        Instances of a class mostly have theirs in the same places: these are looked at first,
        and all only where something else stands there.
        """
        size, spelled = len(instance), self._spelled
        places = self._places.get(size)
        if places:
            found = []
            for index, sent in places:
                element = instance[index]
                if element.get("NAME") != sent:
                    break
                found.append((spelled[sent] or sent, element))
            else:
                return found
        return self._sought(instance, size)

    def _sought(self, instance: Any, size: int) -> Sequence[tuple[str, Any]]:
        spelled, wanted = self._spelled, self._wanted
        found, places = [], []
        for index, element in enumerate(instance):
            sent = element.get("NAME") or ""
            if sent in spelled:
                name = spelled[sent]
            else:
                name = spelled[sent] = wanted.get(sent.lower())
            if name is not None:
                found.append((name, element))
                places.append((index, sent))
        is_long = size > _MANY * len(wanted)
        if is_long and len({name for name, _ in found}) == len(wanted):  # nothing can be missed
            self._places[size] = places
        return found


def decode_whole(chunks: Iterable[bytes], namespace: str) -> EmbeddedInstance:
    """Return the whole instance in the reply to a GetInstance. Raises as `InstanceDecoder`."""
    for element in _events(chunks, _EVENTS):
        instance = element.find("INSTANCE") if element.tag == "IRETURNVALUE" else None
        if instance is not None:
            return _readable_whole(instance, namespace)
        if element.tag == "ERROR":
            raise _error(element)
    raise WbemBadReply("the WBEM server answers GetInstance without an instance")


def decode_instances(
    chunks: Iterable[bytes], namespace: str
) -> Iterator[tuple[InstancePath, EmbeddedInstance]]:
    """Yield path and whole instance of each in the reply to EnumerateInstances.

    Those that cannot be read are left out.
    """
    for element in _events(chunks, _EVENTS):
        if element.tag == "ERROR":
            raise _error(element)
        instance = element.find("INSTANCE") if element.tag in _ROWS else None
        if instance is not None:
            paths = [part for part in element if part.tag != "INSTANCE"]
            try:
                found = read_path(paths[0], namespace), read_whole(instance, namespace)
            except NO_VALUE as exc:
                told("an instance", exc)
            else:
                yield found
            element.clear()


def _readable_whole(instance: Any, namespace: str) -> EmbeddedInstance:
    try:
        return read_whole(instance, namespace)
    except NO_VALUE as exc:
        raise WbemBadReply(
            f"the WBEM server's instance cannot be read: {getattr(exc, 'message', exc)}"
        ) from exc


def _error(element: Any) -> Exception:
    code = element.get("CODE", "1").strip()
    return status_error(int(code) if code.isdigit() else 1, element.get("DESCRIPTION", "").strip())


def _events(chunks: Iterable[bytes], tags: Iterable[str]) -> Iterator[Any]:
    """Yield elements as they end. Whatever follows the end of the document is not read."""
    parser = etree.XMLPullParser(
        events=("end",), tag=(*tags, *_ENDS), resolve_entities=False, no_network=True,
        huge_tree=True, encoding="utf-8",
    )  # fmt: skip
    is_first, is_answered = True, False
    for chunk in _sliced(cleaned(chunks)):
        if is_first and chunk.strip():
            is_first = False
            _must_look_like_xml(chunk)
        broken = _fed(parser, chunk)
        for _, each in parser.read_events():
            element: Any = each
            if element.tag in _ENDS:
                if is_answered:
                    return
                is_answered = element.tag != "CIM"
            yield element
        if broken is not None:
            if is_answered:
                break
            raise broken
    if is_first:
        raise WbemBadReply("the WBEM server's answer is empty; look at the server's log")
    if is_answered:  # only closing tags are missing: the announced length is wrong
        tell_once("a WBEM server ends its replies before their last tags")
        return
    _must_be_whole(parser)


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _FED_BYTES):
            yield chunk[start : start + _FED_BYTES]


def _fed(parser: Any, chunk: bytes) -> WbemBadReply | None:
    """Parse a chunk; what is wrong with it, once what comes before was read."""
    try:
        parser.feed(chunk)
    except etree.XMLSyntaxError as exc:
        return _broken(exc)
    return None


def _must_be_whole(parser: Any) -> None:
    """Tell what is wrong with a document that holds no response."""
    try:
        root = parser.close()
    except etree.XMLSyntaxError as exc:
        raise _broken(exc) from exc
    if root.tag != "CIM":
        raise not_cim_xml(f"the document is <{str(root.tag)[:40]}>")
    raise WbemBadReply("the WBEM server's reply holds no response; look at the server's log")


def _broken(exc: etree.XMLSyntaxError) -> WbemBadReply:
    return WbemBadReply(
        "the WBEM server's reply is cut short or not well-formed XML"
        f" (line {exc.lineno}); ask again, and look at the server's log"
    )


def _must_look_like_xml(chunk: bytes) -> None:
    head = chunk.lstrip(b" \t\r\n")[:200].lower()
    if b"<html" in head or b"<!doctype html" in head or not head.startswith(b"<"):
        raise not_cim_xml("the answer is not CIM-XML")


def not_cim_xml(what: str, **fields: Any) -> WbemNotCimXml:
    """Return the error for an answer from something else than a WBEM server."""
    return WbemNotCimXml(
        f"what answers at the target's URL is no WBEM server: {what}; check host, port"
        " (usually 5988, or 5989 with https) and that a WBEM server listens there",
        **fields,
    )


def decode_method(
    chunks: Iterable[bytes], namespace: str
) -> tuple[int | str | None, dict[str, CimValue]]:
    """Return the return value and the out parameters of a method's reply.

    An out parameter that cannot be read, or a path without keys, is NULL: the method was
    carried out all the same.
    """
    root = _document(chunks)
    returned: int | str | None = None
    value = root.find(".//RETURNVALUE/VALUE")
    if value is not None:
        text = value.text or ""
        kind = value.getparent().get("PARAMTYPE", "uint32").lower()
        returned = _return_value(text) if kind.startswith(("uint", "sint")) else text
    out = {str(e.get("NAME")): _out(e, namespace) for e in root.iter("PARAMVALUE")}
    return returned, out


def _return_value(text: str) -> int | None:
    try:
        found: int | None = converter("uint32")(text)
    except ValueError as exc:
        raise WbemBadReply(f"the WBEM server's method returns what is no number: {exc}") from exc
    return found


def _out(element: Any, namespace: str) -> CimValue:
    try:
        value = read_parameter(element, namespace)
    except NO_VALUE as exc:
        told(f"the out parameter {element.get('NAME')}", exc)
        return None
    return None if isinstance(value, InstancePath) and not value.keys else value


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
    """The response; raises the error that it holds."""
    found: Any = None
    for found in _events(chunks, ("ERROR",)):
        if found.tag == "ERROR":
            raise _error(found)
    return found
