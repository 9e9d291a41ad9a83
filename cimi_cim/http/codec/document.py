"""What JSON and XML have in common: which members a document has, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cimi_cim.http.codec.links import Links
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import Access, Attribute, AttributeForm, CimiVersion, Kind

BARE_RELS = frozenset({"add", "edit", "delete", "insert", "remove"})

UNKNOWN = "unknown"
"""What an element says that the schema of 1.x wants although there is no value."""

_TEXTS = frozenset({Kind.STRING, Kind.URI, Kind.DURATION})


@dataclass(frozen=True, slots=True)
class Member:
    """One attribute of a document: its row, its form in the version, its value."""

    row: Attribute
    form: AttributeForm
    value: Value


def members(resource: Resource, links: Links) -> Iterator[Member | None]:
    """Yield the attributes of a resource in the order of the tables (DSP0263 5.5).

    None stands where the operations go. Empty strings, maps and arrays are left out
    (5.5.15), and so are secrets. `id` is the resource's own URI.
    """
    form = links.model[resource.type].form(links.version)
    for pair in form.rows if form is not None else ():
        if not shows(resource, "operations" if pair is None else pair[0].name):
            continue
        if pair is None:
            yield None
        elif (value := _value(pair[0], resource, links)) is not None:
            yield Member(*pair, value)


def collection_members(collection: Collection, links: Links) -> Iterator[tuple[str, str | int]]:
    """Yield what a Collection has besides items and operations, in order (DSP0263 5.5.12)."""
    said: list[tuple[str, str | int | None]] = [("id", links.href(collection.path))]
    if links.version is CimiVersion.V2:
        parent = collection.parent
        said.append(("updated", collection.updated))
        said.append(("parent", links.href(parent) if parent is not None else None))
    said.append(("count", collection.count))
    for name, value in said:
        if value is not None and shows(collection, name):
            yield name, value


def shows(document: Resource | Collection, name: str) -> bool:
    """Whether a representation has this part: $select may leave it out (4.1.6.3)."""
    return document.selected is None or name in document.selected


def inner_members(
    rows: Iterable[Attribute], values: Mapping[str, Value], version: CimiVersion
) -> Iterator[Member]:
    """Yield what a structure, or a value that stands inline, has of `rows`, in their order."""
    for row in rows:
        form, value = row.form(version), values.get(row.name)
        if form is not None and _is_written(row, value):
            yield Member(row, form, value)


def inline_rows(row: Attribute, links: Links) -> Iterable[Attribute]:
    """Return the rows of the resource type that a reference leads to, none if to any type."""
    target = links.model.types.get(row.target_in(links.version) or "")
    form = target.form(links.version) if target is not None else None
    return (pair[0] for pair in form.rows if pair is not None) if form is not None else ()


def wire_value(member: Member, value: Value, version: CimiVersion) -> Value:
    """Return one value without parts as the version writes it: its words, its URIs."""
    if not isinstance(value, str) or member.row.kind not in _TEXTS:
        return value
    if member.row.is_cimi_uri:
        other = CimiVersion.V1 if version is CimiVersion.V2 else CimiVersion.V2
        if value.startswith(f"{other.namespace}/"):
            return version.namespace + value.removeprefix(other.namespace)
    return member.form.words.get(value, value)


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


def _value(row: Attribute, resource: Resource, links: Links) -> Value:
    """Return the value to write, None for none."""
    if row.name == "id":
        # What only reports an error has no address: its id is empty (DSP0263 4.1).
        has_address = resource.path or resource.type == "CloudEntryPoint"
        return links.href(resource.path) if has_address else ""
    if row.name == "baseURI" and resource.type == "CloudEntryPoint":
        return f"{links.base_url}/"  # relative references resolve against it (5.12)
    value = resource.values.get(row.name)
    if row.kind is Kind.REF and not row.target:
        known = _known(value, links)
        if row.name == "parent" and known is None and value is not None:
            known = Ref(resource.path.rpartition("/")[0])  # the Collection that it lives in
        value = known
    return value if _is_written(row, value) else None


def _known(value: Value, links: Links) -> Value:
    """Leave out references to what only the other version has, such as the target of a Job."""
    if isinstance(value, list | tuple):
        return [item for item in value if _known(item, links) is not None]
    return value if not isinstance(value, Ref) or links.leads(value) else None


def _is_written(row: Attribute, value: Value) -> bool:
    is_empty = value is None or (not value and not isinstance(value, int | float))
    if row.kind is Kind.REF_OR_VALUE and isinstance(value, dict):
        is_empty = False  # a template inline that says nothing makes something all the same
    return not is_empty and row.access is not Access.WRITE_ONLY
