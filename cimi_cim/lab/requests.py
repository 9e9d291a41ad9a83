"""CIM-XML requests read (DSP0201), as far as a server has to understand them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from cimi_cim.errors import CimiCimError
from cimi_cim.lab.backend import IntrinsicCall, MethodCall
from cimi_cim.wbem.elements import read_embedded, read_parameter, read_path

_BOOLEANS = frozenset({
    "LocalOnly", "DeepInheritance", "IncludeQualifiers", "IncludeClassOrigin", "ContinueOnError",
})  # fmt: skip
_NUMBERS = frozenset({"OperationTimeout", "MaxObjectCount"})


class BadRequest(Exception):
    """A request that is no CIM-XML, or asks for more than there is.

    `cause` is the word of the CIMError header (DSP0200 7.3.3); `status` the HTTP status.
    """

    def __init__(self, cause: str, status: int = 400) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One operation, and the message id that its reply repeats."""

    call: IntrinsicCall | MethodCall
    message_id: str


def parse_request(body: bytes) -> Request:
    """Return the operation a request asks for. Raises `BadRequest`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as exc:
        raise BadRequest("request-not-well-formed") from exc
    if root.getroottree().docinfo.internalDTD is not None or root.tag != "CIM":
        raise BadRequest("request-not-valid")
    if not root.get("CIMVERSION", "").startswith("2."):
        raise BadRequest("unsupported-cim-version")
    if not root.get("DTDVERSION", "").startswith("2."):
        raise BadRequest("unsupported-dtd-version")
    message = root.find("MESSAGE")
    if message is None:
        raise BadRequest("request-not-valid")
    if not message.get("PROTOCOLVERSION", "").startswith("1."):
        raise BadRequest("unsupported-protocol-version")
    if message.find("MULTIREQ") is not None:
        raise BadRequest("multiple-requests-unsupported", 501)
    try:
        call = _call(message)
    except (IndexError, ValueError, TypeError, CimiCimError) as exc:
        raise BadRequest("request-not-valid") from exc
    return Request(call, message.get("ID", ""))


def _call(message: Any) -> IntrinsicCall | MethodCall:
    intrinsic = message.find("SIMPLEREQ/IMETHODCALL")
    if intrinsic is not None:
        return _intrinsic(intrinsic)
    method = message.find("SIMPLEREQ/METHODCALL")
    if method is None:
        raise BadRequest("request-not-valid")
    if method[0].tag == "LOCALCLASSPATH":
        raise BadRequest("unsupported-operation", 501)  # no class here has static methods
    path = read_path(method[0], "")
    sent = {str(p.get("NAME")): read_parameter(p, path.namespace) for p in list(method)[1:]}
    return MethodCall(str(method.get("NAME")), path, sent)


def _intrinsic(call: Any) -> IntrinsicCall:
    namespace = "/".join(part.get("NAME") for part in call[0].iter("NAMESPACE"))
    parameters = {
        str(element.get("NAME")): _parameter(str(element.get("NAME")), element[0], namespace)
        for element in call[1:]
        if len(element)
    }
    return IntrinsicCall(str(call.get("NAME")), namespace, parameters)


def _parameter(name: str, value: Any, namespace: str) -> Any:
    if value.tag == "CLASSNAME":
        return str(value.get("NAME"))
    if value.tag in ("INSTANCENAME", "VALUE.REFERENCE"):
        return read_path(value, namespace)
    if value.tag == "VALUE.ARRAY":
        return tuple(item.text or "" for item in value)
    if value.tag == "INSTANCE":
        return read_embedded(etree.tostring(value, encoding="unicode"), namespace)
    if value.tag == "VALUE.NAMEDINSTANCE":
        instance = etree.tostring(value[1], encoding="unicode")
        return read_path(value[0], namespace), read_embedded(instance, namespace)
    if value.tag != "VALUE":
        return etree.tostring(value, encoding="unicode")
    text = value.text or ""
    if name in _BOOLEANS:
        return text.strip().lower() == "true"
    return int(text) if name in _NUMBERS else text
