"""Export requests read, and answered (DSP0200 7.4, DSP0201 5.4): what WBEM servers tell unasked.

Nothing in a request is followed or expanded: no document types, no entities, no links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from cimi_cim.wbem.cleaning import cleaned
from cimi_cim.wbem.elements import NO_VALUE, PROPERTIES, read_embedded, read_property, told
from cimi_cim.wbem.values import CimValue, EmbeddedInstance

METHOD, PARAMETER = "ExportIndication", "NewIndication"
_INVALID_PARAMETER, _NOT_SUPPORTED = 4, 7
_SOURCE, _PREVIOUS = "SourceInstance", "PreviousInstance"


class BadExport(Exception):
    """A request that is no export request: HTTP status, and the word of the CIMError header."""

    def __init__(self, status: int, cause: str = "") -> None:
        super().__init__(cause or str(status))
        self.status = status
        self.cause = cause


class RefusedExport(Exception):
    """An export request that is answered with a CIM error."""

    def __init__(self, message_id: str, method: str, code: int, description: str) -> None:
        super().__init__(description)
        self.message_id = message_id
        self.method = method
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Indication:
    """What happened on a WBEM server, as its CIM_Indication says it.

    Args:
        instance: The whole indication.
        source, previous: The instance that it is about, as it is (or was, where it is gone)
            and as it was before; None where it is about none.
        context, number: Which order it stands in, and its place there (DSP1054); None where
            the server does not count.
        filter: Name of the filter that it passed, None where the server does not say.
    """

    instance: EmbeddedInstance
    source: EmbeddedInstance | None = None
    previous: EmbeddedInstance | None = None
    context: str | None = None
    number: int | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """An indication, and the message id that the answer repeats."""

    message_id: str
    indication: Indication


def read_export(body: bytes) -> Export:
    """Return what a request tells. Raises `BadExport` and `RefusedExport`."""
    message = _message(body)
    call = message.find("SIMPLEEXPREQ/EXPMETHODCALL")
    if call is None:
        raise BadExport(400, "request-not-valid")
    message_id, method = message.get("ID", ""), call.get("NAME", "")
    if method != METHOD:
        raise RefusedExport(message_id, method, _NOT_SUPPORTED, f"{METHOD} is all there is")
    found = [each.find("INSTANCE") for each in call if each.get("NAME") == PARAMETER]
    if len(found) != 1 or found[0] is None or not found[0].get("CLASSNAME"):
        raise RefusedExport(
            message_id, method, _INVALID_PARAMETER, f"{METHOD} needs one {PARAMETER}"
        )
    return Export(message_id, indication_of(_instance(found[0])))


def _message(body: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(b"".join(cleaned([body])), parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise BadExport(400, "request-not-well-formed") from exc
    if root.getroottree().docinfo.internalDTD is not None or root.tag != "CIM":
        raise BadExport(400, "request-not-valid")
    message = root.find("MESSAGE")
    if message is None:
        raise BadExport(400, "request-not-valid")
    for said, known, cause in (
        (root.get("CIMVERSION", ""), "2.", "unsupported-cim-version"),
        (root.get("DTDVERSION", ""), "2.", "unsupported-dtd-version"),
        (message.get("PROTOCOLVERSION", ""), "1.", "unsupported-protocol-version"),
    ):
        if not said.startswith(known):
            raise BadExport(400, cause)
    if message.find("MULTIEXPREQ") is not None:
        raise BadExport(501, "multiple-requests-unsupported")
    return message


def _instance(element: Any) -> EmbeddedInstance:
    """The indication with what can be read of it: the rest is told all the same."""
    values: dict[str, CimValue] = {}
    for each in element:
        if each.tag in PROPERTIES:
            try:
                values[str(each.get("NAME"))] = read_property(each, "")
            except NO_VALUE as exc:
                told(f"{element.get('CLASSNAME')}.{each.get('NAME')} of an indication", exc)
    return EmbeddedInstance(str(element.get("CLASSNAME")), values)


def indication_of(instance: EmbeddedInstance) -> Indication:
    """Return an indication with its parts apart."""
    values = {name.lower(): value for name, value in instance.values.items()}

    def part(name: str) -> EmbeddedInstance | None:
        value = values.get(name.lower())
        if isinstance(value, str):  # of a server that does not mark embedded objects
            try:
                value = read_embedded(value, "")
            except NO_VALUE as exc:
                told(f"{instance.classname}.{name} of an indication", exc)
        return value if isinstance(value, EmbeddedInstance) else None

    def text(name: str) -> str | None:
        value = values.get(name.lower())
        return value if isinstance(value, str) and value else None

    number = values.get("sequencenumber")
    return Indication(
        instance,
        part(_SOURCE),
        part(_PREVIOUS),
        text("SequenceContext"),
        number if isinstance(number, int) else None,
        text("IndicationFilterName"),
    )


def accepted(message_id: str) -> bytes:
    """Return the answer to an export request that was taken."""
    return _answer(message_id, METHOD, "<IRETURNVALUE/>")


def refused(error: RefusedExport) -> bytes:
    """Return the answer that tells a CIM error."""
    inner = f'<ERROR CODE="{error.code}" DESCRIPTION={quoteattr(error.description)}/>'
    return _answer(error.message_id, error.method, inner)


def _answer(message_id: str, method: str, inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
        f'<MESSAGE ID={quoteattr(message_id)} PROTOCOLVERSION="1.0"><SIMPLEEXPRSP>'
        f"<EXPMETHODRESPONSE NAME={quoteattr(method)}>{inner}</EXPMETHODRESPONSE>"
        "</SIMPLEEXPRSP></MESSAGE></CIM>\n"
    ).encode()
