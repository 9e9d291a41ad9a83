"""What an administrator may write over the facts of metadata (DSP0263 5.11, Table 6).

Constraints can be narrowed and never widened: whoever reads them relies on what the bridge
does, and the standard allows. Value scopes can be set freely, as long as some value meets
them. What is kept is neutral in version, and only what differs from the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Value
from cimi_cim.model.types import Attribute, CimiVersion, Kind, Model, ResourceType
from cimi_cim.service.catalog import METADATA
from cimi_cim.service.checks import check_values
from cimi_cim.service.metadata.rules import EDITED, Rule, closed_scope
from cimi_cim.service.metadata.scope_reading import read_scopes
from cimi_cim.service.scopes import ValueScope

Kept = dict[str, Value]
_FACTS: Mapping[str, Callable[[Rule], bool]] = {
    "providerMandatory": lambda rule: rule.provider_mandatory,
    "consumerMandatory": lambda rule: rule.consumer_mandatory,
    "mutable": lambda rule: rule.mutable,
    "consumerWritable": lambda rule: rule.consumer_writable,
}


def edited(
    model: Model,
    described: ResourceType,
    rules: Mapping[str, Rule],
    version: CimiVersion,
    said: Mapping[str, Value],
    before: Mapping[str, Value],
    names: Collection[str],
) -> Kept:
    """Return what is kept of the metadata of a type after an edit of some of `EDITED`.

    A name that the document lacks is reset; one that the version does not have stays as it
    was. Raises `BadRequest`.
    """
    kept = kept_of(before)
    check_values(
        model[METADATA], version, {n: v for n, v in said.items() if n in names}, is_whole=False
    )
    for name in names:
        if model[METADATA].attributes[name].form(version) is None:
            continue
        value = said.get(name)
        if name == "attributes":
            value = _narrowings(described, rules, version, value or (), kept.get(name) or ())
        elif name == "name" and value == told_name(described, version):
            value = None
        elif name == "vscope" and value:
            value = _scopes(read_scopes(value, described.attributes, model), described, rules)
        kept[name] = value
    found = {name: value for name, value in kept.items() if value}
    if described.name == METADATA and ("attributes" in found or "vscope" in found):
        raise BadRequest("metadata cannot be constrained themselves", reason="bad-constraint")
    return found


def _scopes(
    said: Iterable[ValueScope], described: ResourceType, rules: Mapping[str, Rule]
) -> list[ValueScope]:
    """Leave out what holds anyway; nothing is left where that is all."""
    closed = closed_scope(described, rules)
    own: list[ValueScope] = [
        {n: s for n, s in scope.items() if s != closed.get(n)} for scope in said
    ]
    return own if any(own) else []


def kept_of(values: Mapping[str, Value]) -> Kept:
    """Return what an administrator wrote, of all that is kept of metadata."""
    return {name: values[name] for name in EDITED if name in values}


def told_name(described: ResourceType, version: CimiVersion) -> str:
    """Return the name of a type in a version: of its metadata, too, unless they have another."""
    form = described.form(version)
    return form.type_name if form is not None else described.name


def type_named(
    uri: Value, described: Mapping[str, ResourceType], version: CimiVersion
) -> ResourceType:
    """Return the type that a `typeURI` names, of those by their name in a version.

    Raises `BadRequest` (`missing-attribute`, `unknown-type`).
    """
    if not uri:
        raise BadRequest("typeURI is missing; it says what is described",
                         reason="missing-attribute")  # fmt: skip
    base, _, token = str(uri).rpartition("/")
    if base not in (v.namespace for v in CimiVersion) or token not in described:
        near = get_close_matches(token, list(described), n=1)
        hint = f"; did you mean {version.namespace}/{near[0]}?" if near else ""
        raise BadRequest(f"typeURI: no resources of type {str(uri)[:80]!r} are served here{hint}",
                         reason="unknown-type")  # fmt: skip
    return described[token]


def _narrowings(
    described: ResourceType,
    rules: Mapping[str, Rule],
    version: CimiVersion,
    said: Sequence[Mapping[str, Value]],
    before: Sequence[Mapping[str, Value]],
) -> list[dict[str, Value]]:
    wire = {
        form.json_name: row
        for row in described.attributes.values()
        if (form := row.form(version)) is not None
    }
    kept = {entry["name"]: entry for entry in before}
    found: dict[str, dict[str, Value]] = {}
    for index, entry in enumerate(said):
        name = entry.get("name")
        place = f"attributes[{index}] {str(name)[:60]!r}"
        if "namespace" in entry or "type" in entry:
            raise BadRequest(
                f"{place}: extension attributes are not supported; namespace and type are theirs",
                reason="extension-attribute",
            )
        if name not in wire:
            near = get_close_matches(str(name), list(wire), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadRequest(f"{place}: {described.name} has no such attribute{hint}",
                             reason="unknown-attribute")  # fmt: skip
        row = wire[name]
        if row.name in found:
            raise BadRequest(f"{place} stands twice", reason="bad-constraint")
        constraints = {field: entry[field] for field in _FACTS if field in entry}
        if version is CimiVersion.V1:
            # It has one constraint of the four: the others are as they were.
            constraints = {f: v for f, v in kept.get(row.name, {}).items() if f in _FACTS}
            constraints["consumerMandatory"] = entry.get("required", False)
        found[row.name] = _narrowing(row, rules[row.name], constraints, place)
    return [{"name": name, **fields} for name, fields in found.items() if fields]


def _narrowing(row: Attribute, rule: Rule, said: Mapping[str, bool], place: str) -> dict[str, bool]:
    """Return those of the constraints that differ from the facts, if they may."""
    differing = {f: value for f, value in said.items() if value is not _FACTS[f](rule)}
    if "providerMandatory" in differing:
        raise BadRequest(
            f"{place}: whether the provider sends it follows from what it is mapped to;"
            f" providerMandatory is {str(rule.provider_mandatory).lower()}",
            reason="constraint-widened",
        )
    for field, value in differing.items():
        if value is not (field == "consumerMandatory"):
            raise BadRequest(
                f"{place}: {field} is {str(not value).lower()} here, and cannot be widened",
                reason="constraint-widened",
            )
    if "consumerMandatory" in differing:
        _must_be_sendable(row, rule, place)
    is_mutable = rule.mutable and said.get("mutable", True)
    if not is_mutable and said.get("consumerWritable", False):
        raise BadRequest(
            f"{place}: what is not mutable is not consumerWritable either; say false for both",
            reason="bad-constraint",
        )
    return differing


def _must_be_sendable(row: Attribute, rule: Rule, place: str) -> None:
    if not rule.may_be_set or not rule.is_provided or row.kind is Kind.COLLECTION:
        raise BadRequest(f"{place}: no consumer sets it, so none can be made to",
                         reason="bad-constraint")  # fmt: skip
