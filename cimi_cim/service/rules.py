"""What the standard says of attributes together, and no table can (5.13, 5.16, 5.17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address

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


def _address_type(values: Mapping[str, Value]) -> str | None:
    """Table 38: the addressType of an IPv6 endpoint is that of its address."""
    said = values.get("parameters", {}).get("addressType")
    try:
        address = IPv6Address(values.get("address") or "")
    except ValueError:
        return None  # of another protocol, to which the key means nothing
    kind = next((name for name, holds in _ADDRESS_TYPES.items() if holds(address)), None)
    if said in (None, kind):
        return None
    return f"parameters.addressType is {str(said)[:40]!r}, and {address} is {kind}; leave it out"


def _endpoint_by_template(values: Mapping[str, Value]) -> str | None:
    return _endpoint(values) or _address_type(values)


def _service(values: Mapping[str, Value]) -> str | None:
    """Table 10."""
    said = str(values.get("serviceType"))
    if said.startswith(_SERVICES) and said != _SERVICES:
        return None
    return f"serviceType must begin with {_SERVICES}, and say which service behind that"


_ADDRESS_TYPES: Mapping[str, Callable[[IPv6Address], bool]] = {
    "Unspecified": lambda address: address.is_unspecified,
    "Loopback": lambda address: address.is_loopback,
    "Multicast": lambda address: address.is_multicast,
    "Link Local Unicast": lambda address: address.is_link_local,
    "Site Local Unicast": lambda address: address.is_site_local,
    "Embedded IPv4 Address": lambda address: int(address) >> 32 in (0, 0xFFFF),
    "Global Unicast": lambda address: True,
}
"""The kinds of RFC 4291, 2.4, in the words of Table 38; the first that holds counts."""

_RULES: Mapping[str, Rule] = {
    "ProtocolEndpoint": _address_type,
    "ProtocolEndpointTemplate": _endpoint_by_template,
    "SystemService": _service,
}
