"""Turns rows of the data files into the frozen types: attributes, structures, actions.

Every builder refuses a key it does not know, so that a slip in the data is found when
they load, and not as an attribute that is silently missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cimi_cim.errors import ConfigError
from cimi_cim.model.types import (
    UNITS,
    Access,
    Action,
    ActionParameter,
    Attribute,
    AttributeForm,
    Capability,
    CimiVersion,
    Kind,
    Structure,
    XmlShape,
)

ONLY_1X = "1.x"
"""What stands for the clause of what DSP0263 2.0.0 does not have."""

_TYPE = re.compile(r"(?P<array>array<)?(?P<kind>[a-zA-Z-]+(?:\[\])?)(?:<(?P<target>\w*)>)?>?\Z")
_KINDS = {kind.value: kind for kind in Kind if kind is not Kind.STRUCT}
_LINKS = frozenset({Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION})
ROW_KEYS = frozenset({
    "name", "type", "unit", "values", "open", "default", "initial", "access", "min", "provider",
    "consumer", "mutable", "use", "cimi_uri", "choice", "keyed_by", "keys", "doc", "v1", "v2",
})  # fmt: skip
FORM_KEYS = frozenset({
    "name", "xml", "item", "shape", "target", "mandatory", "within", "merged", "words",
})  # fmt: skip
_ACTION_KEYS = frozenset({
    "name", "clause", "doc", "parameters", "from_states", "transient_state", "target_state",
    "body", "v1", "v2",
})  # fmt: skip
_PARAMETER_KEYS = frozenset({
    "name", "type", "required", "values", "default", "doc",
})  # fmt: skip
_CAPABILITY_KEYS = frozenset({"name", "type", "unit", "values", "implies", "doc"})
_STRUCTURE_KEYS = frozenset({
    "clause", "doc", "xml", "fields", "v1", "v2",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What the rows of one table share.

    Args:
        owner: Whose rows they are, for messages.
        clause: The clause that defines them.
        versions: The versions that have the owner at all.
        structures: The structures by name, to look up types.
        atoms: Where values without parts stand in XML.
    """

    owner: str
    clause: str
    versions: frozenset[CimiVersion]
    structures: Mapping[str, Structure]
    atoms: XmlShape = XmlShape.ELEMENT


def checked(said: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse unknown keys. Raises `ConfigError`."""
    unknown = said.keys() - known
    if unknown:
        raise ConfigError(f"the model data are damaged: {where} has {', '.join(sorted(unknown))}")


def versions_of(said: Mapping[str, Any], among: Iterable[CimiVersion]) -> frozenset[CimiVersion]:
    """Return the versions that are not denied by `v1: false` or `v2: false`."""
    return frozenset(v for v in among if said.get(f"v{v.value}", True) is not False)


def build_structure(
    name: str, said: Mapping[str, Any], structures: Mapping[str, Structure]
) -> Structure:
    """Return a structure. Raises `ConfigError`."""
    checked(said, _STRUCTURE_KEYS, name)
    atoms = XmlShape.ATTRIBUTE if said.get("xml") == "attributes" else XmlShape.ELEMENT
    clause = str(said["clause"])
    context = Context(name, clause, versions_of(said, CimiVersion), structures, atoms)
    rows = tuple(build_attribute(row, context) for row in said["fields"])
    return Structure(name, rows, clause, said["doc"])


def build_attribute(row: Mapping[str, Any], context: Context) -> Attribute:
    """Return one row. Raises `ConfigError`."""
    where = f"{context.owner}.{row.get('name')}"
    checked(row, ROW_KEYS, where)
    kind, is_array, target, structure = _kind(str(row["type"]), where, context.structures)
    unit = row.get("unit")
    if unit is not None and unit not in UNITS:
        raise ConfigError(f"the model data are damaged: {where} counts {unit}")
    access = Access(row.get("access", "read-write"))
    versions = versions_of(row, context.versions)
    attribute = Attribute(
        row["name"],
        kind,
        is_array,
        target,
        structure,
        unit,
        tuple(row.get("values", ())),
        is_open=row.get("open", False),
        default=row.get("default"),
        initial=row.get("initial"),
        access=access,
        minimum=row.get("min", 0),
        is_provider_mandatory=row.get("provider", True),
        is_consumer_mandatory=row.get("consumer", False),
        is_mutable=row.get("mutable", access is not Access.CREATE_ONLY),
        is_composition=kind is Kind.COLLECTION and not row.get("use", False),
        is_cimi_uri=row.get("cimi_uri", False),
        choice=row.get("choice"),
        keyed_by=row.get("keyed_by"),
        keys={
            value: tuple(build_attribute(key, context) for key in keys)
            for value, keys in row.get("keys", {}).items()
        },
        doc=row["doc"],
        clause=context.clause if CimiVersion.V2 in versions else ONLY_1X,
    )
    forms = {v: _form(row.get(f"v{v.value}", True), attribute, v, context.atoms) for v in versions}
    return replace(attribute, forms=forms)


def build_action(row: Mapping[str, Any], context: Context) -> Action:
    """Return one operation. Raises `ConfigError`."""
    where = f"{context.owner}/{row.get('name')}"
    checked(row, _ACTION_KEYS, where)
    parameters = []
    for said in row.get("parameters", ()):
        checked(said, _PARAMETER_KEYS, f"{where}({said.get('name')})")
        kind, _, target, _ = _kind(str(said["type"]), where, context.structures)
        parameters.append(
            ActionParameter(
                said["name"],
                kind,
                target,
                said.get("required", False),
                tuple(said.get("values", ())),
                said.get("default"),
                said["doc"],
            )
        )
    return Action(
        row["name"],
        tuple(parameters),
        tuple(row.get("from_states", ())),
        row.get("transient_state"),
        row.get("target_state"),
        row.get("body", "Action"),
        versions_of(row, context.versions),
        row["doc"],
        str(row["clause"]),
    )


def build_capability(said: Mapping[str, Any], resource: str) -> Capability:
    """Return one capability of a type. Raises `ConfigError`."""
    where = f"{resource}.{said.get('name')}"
    checked(said, _CAPABILITY_KEYS, where)
    kind, is_array, _, _ = _kind(str(said["type"]), where, {})
    return Capability(
        resource,
        said["name"],
        kind,
        is_array,
        said.get("unit"),
        tuple(said.get("values", ())),
        said.get("implies"),
        said["doc"],
    )


def _kind(
    text: str, where: str, structures: Mapping[str, Structure]
) -> tuple[Kind, bool, str | None, Structure | None]:
    match = _TYPE.match(text)
    if match is None:
        raise ConfigError(f"the model data are damaged: {where} is of type {text!r}")
    is_array, word = match["array"] is not None, match["kind"]
    kind = _KINDS.get(word)
    if kind is None:  # a structure is said by its own name: array<disk>
        if word not in structures:
            raise ConfigError(f"the model data are damaged: {where} is of type {text!r}")
        return Kind.STRUCT, is_array, None, structures[word]
    target = (match["target"] or "") if kind in _LINKS else None
    return kind, is_array, target, structures["scope"] if kind is Kind.VALUE_SCOPE else None


def _form(said: Any, row: Attribute, version: CimiVersion, atoms: XmlShape) -> AttributeForm:
    """Return the form that `said` and the rules of the version give (DSP0263 5.5; DSP8009)."""
    if not isinstance(said, Mapping):
        said = {"name": said} if isinstance(said, str) else {}
    checked(said, FORM_KEYS, row.name)
    name = said.get("name", row.name)
    is_list = row.is_array or row.kind is Kind.MAP
    if "shape" in said:
        shape = XmlShape(said["shape"])
    elif is_list:
        shape = XmlShape.WRAPPED if version is CimiVersion.V2 else XmlShape.REPEATED
    else:
        has_parts = row.kind in _LINKS or row.kind in (Kind.STRUCT, Kind.VALUE_SCOPE)
        shape = XmlShape.ELEMENT if has_parts else atoms
    item = said.get("item", _item_name(row, name)) if is_list else None
    element = item if shape is XmlShape.REPEATED and item is not None else name
    return AttributeForm(
        name,
        said.get("xml", element),
        shape,
        item,
        said.get("target"),
        said.get("mandatory", False),
        said.get("within"),
        said.get("merged", False),
        said.get("words", {}),
    )


def _item_name(row: Attribute, name: str) -> str:
    """Return the element of one item: the type before [], for references the singular."""
    if row.kind is Kind.MAP:
        return "property"
    if row.kind is Kind.STRUCT and row.structure is not None:
        return row.structure.name
    if row.kind is Kind.VALUE_SCOPE:
        return Kind.VALUE_SCOPE.value
    for plural, singular in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if name.endswith(plural):
            return name.removesuffix(plural) + singular
    return name
