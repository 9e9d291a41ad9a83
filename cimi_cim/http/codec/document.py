"""What JSON and XML have in common: which members a document has, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import OperationOffer, Resource, Value
from cimi_cim.model.types import Attribute, AttributeForm, CimiVersion

BARE_RELS = frozenset({"add", "edit", "delete", "insert", "remove"})


@dataclass(frozen=True, slots=True)
class Member:
    """One attribute of a document: its row, its form in the version, its value."""

    row: Attribute
    form: AttributeForm
    value: Value


def members(resource: Resource, links: Links) -> Iterator[Member]:
    """Yield the attributes of a resource in the order of the tables (DSP0263 5.5).

    Empty strings, maps and arrays are left out (5.5.1). `id` is the resource's own URI.
    """
    for row in links.model[resource.type].attributes.values():
        form = row.form(links.version)
        value = resource.values.get(row.name)
        if row.name == "id" and form is not None:
            # What only reports an error has no address: its id is empty (DSP0263 4.1).
            has_address = resource.path or resource.type == "CloudEntryPoint"
            yield Member(row, form, links.href(resource.path) if has_address else "")
            continue
        elif row.name == "baseURI" and resource.type == "CloudEntryPoint":
            value = f"{links.base_url}/"  # relative references resolve against it (5.12)
        if form is not None and value is not None and value not in ("", [], {}, ()):
            yield Member(row, form, value)


def rel(offer: OperationOffer, version: CimiVersion) -> str:
    """Return the `rel` of an operation: a bare word, or the action's URI."""
    return offer.name if offer.name in BARE_RELS else f"{version.namespace}/action/{offer.name}"


def operation_href(offer: OperationOffer, links: Links) -> str:
    """Return where to send an operation; an action's name is no collection to translate."""
    if offer.name in BARE_RELS:
        return links.href(offer.path)
    owner, _, name = offer.path.rpartition("/")
    return f"{links.href(owner)}/{name}"


def type_uri(type_name: str, links: Links) -> str:
    """Return the `resourceURI` of a resource of the type."""
    form = links.model[type_name].form(links.version)
    return f"{links.version.namespace}/{form.type_name if form else type_name}"
