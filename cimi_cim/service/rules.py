"""What the standard says of attributes together, and no table can (5.13, 5.16, 5.17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Value
from cimi_cim.model.types import CimiVersion

_SERVICES = f"{CimiVersion.V2.namespace}/SystemService/"

Rule = Callable[[Mapping[str, Value]], str | None]
"""Says what is wrong with the attributes of a new resource, None if nothing is."""


def check_rules(type_name: str, values: Mapping[str, Value]) -> None:
    """Refuse attributes of a resource, or of a template, that contradict. Raises `BadRequest`."""
    rule = _RULES.get(type_name)
    wrong = rule(values) if rule is not None else None
    if wrong is not None:
        raise BadRequest(wrong, reason="contradiction")


def _endpoint(values: Mapping[str, Value]) -> str | None:
    """Table 41: who chooses the address says it."""
    origin = values.get("origin")
    if origin == "DYNAMIC" and ("address" in values or "parameters" in values):
        return (
            "address and parameters are chosen for an endpoint whose origin is DYNAMIC; leave them"
            " out, or say STATIC"
        )
    if origin == "STATIC" and "address" not in values:
        return "address is missing; an endpoint whose origin is STATIC has the one that you choose"
    return None


def _service(values: Mapping[str, Value]) -> str | None:
    """Table 10."""
    said = str(values.get("serviceType"))
    if said.startswith(_SERVICES) and said != _SERVICES:
        return None
    return f"serviceType must begin with {_SERVICES}, and say which service behind that"


_RULES: Mapping[str, Rule] = {
    "ProtocolEndpointTemplate": _endpoint,
    "SystemService": _service,
}
