"""Loads the CIMI tables (`data/*.yaml`) into the frozen types of `types.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from cimi_cim.errors import ConfigError
from cimi_cim.model.types import (
    Access,
    Action,
    ActionParameter,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    Model,
    ResourceForm,
    ResourceType,
    XmlShape,
)

_TYPE = re.compile(r"(?P<array>array<)?(?P<kind>[a-zA-Z-]+(?:\[\])?)(?:<(?P<target>\w*)>)?>?\Z")
_KINDS = {kind.value: kind for kind in Kind}


@lru_cache(maxsize=1)
def load_model() -> Model:
    """Return all resource types of CIMI 2.0 and 1.x. Raises `ConfigError` for damaged data."""
    common = [_attribute(row) for row in _data("common.yaml")]
    types = {
        name: _resource(name, table, common) for name, table in _data("resources.yaml").items()
    }
    return Model(types)


def _data(name: str) -> Any:
    text = (files("cimi_cim.model") / "data" / name).read_text(encoding="utf-8")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, in C where there is one


def _resource(name: str, table: Mapping[str, Any], common: Iterable[Attribute]) -> ResourceType:
    rows = {row.name: row for row in common}
    for row in table["attributes"]:
        attribute = _attribute(row)
        rows[attribute.name] = attribute
    actions = [_action(row) for row in table.get("actions", ())]
    parent = table.get("parent")
    return ResourceType(
        name,
        str(table["clause"]),
        rows,
        {action.name: action for action in actions},
        {version: form for version in CimiVersion
         if (form := _form(name, table, version, rows)) is not None},
        parent=(parent.partition(".")[0], parent.partition(".")[2]) if parent else None,
        crud=frozenset(table.get("crud", ())),
        collection_operations=frozenset(table.get("collection_operations", ())),
        create_template_attribute=table.get("template"),
    )  # fmt: skip


def _form(
    name: str, table: Mapping[str, Any], version: CimiVersion, rows: Mapping[str, Attribute]
) -> ResourceForm | None:
    said = table.get(f"v{version.value}")
    if not isinstance(said, dict):
        return None
    type_name = said.get("type", name)
    array = said["array"]
    return ResourceForm(
        type_name,
        type_name[0].lower() + type_name[1:],
        array,
        array if version is CimiVersion.V2 else None,
        said.get("cep"),
        tuple(row.name for row in rows.values() if row.form(version) is not None),
    )


def _attribute(row: Mapping[str, Any]) -> Attribute:
    kind, is_array, target, fields = _kind(str(row["type"]), row)
    forms = {}
    for version in CimiVersion:
        said = row.get(f"v{version.value}", True)
        if said is not False:
            forms[version] = _attribute_form(row["name"], said, kind, is_array, version)
    return Attribute(
        row["name"],
        kind,
        is_array,
        target,
        fields,
        row.get("unit"),
        tuple(row.get("values", ())),
        bool(row.get("open", False)),
        Access(row.get("access", "read-write")),
        int(row.get("min", 0)),
        forms=forms,
    )


def _attribute_form(
    name: str, said: Any, kind: Kind, is_array: bool, version: CimiVersion
) -> AttributeForm:
    spelled = said if isinstance(said, str) else name
    if not is_array and kind is not Kind.MAP:
        return AttributeForm(spelled, spelled)
    singular = "property" if kind is Kind.MAP else _singular(spelled)
    if version is CimiVersion.V1:
        return AttributeForm(spelled, singular, XmlShape.REPEATED, singular)
    return AttributeForm(spelled, spelled, XmlShape.WRAPPED, singular)


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith("sses"):
        return name[:-2]
    return name.removesuffix("s") if name not in ("dns",) else name


def _kind(
    text: str, row: Mapping[str, Any]
) -> tuple[Kind, bool, str | None, tuple[Attribute, ...]]:
    match = _TYPE.match(text)
    if match is None:
        raise ConfigError(f"the model data are damaged: type {text!r} of {row['name']}")
    is_array, word = match["array"] is not None, match["kind"]
    fields = tuple(_attribute(field) for field in row.get("fields", ()))
    kind = _KINDS.get(word)
    if kind is None:  # a structure is said by its own name: array<disk>
        return Kind.STRUCT, is_array, None, fields
    target = match["target"]
    is_link = kind in (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION)
    return kind, is_array, (target or "") if is_link else None, fields


def _action(row: Mapping[str, Any]) -> Action:
    parameters = []
    for said in row.get("parameters", ()):
        kind, _, target, _ = _kind(str(said["type"]), said)
        parameters.append(ActionParameter(said["name"], kind, target, bool(said.get("required"))))
    versions = {v for v in CimiVersion if row.get(f"v{v.value}", True) is not False}
    return Action(
        row["name"],
        tuple(parameters),
        tuple(row.get("from_states", ())),
        row.get("transient_state"),
        row.get("target_state"),
        row.get("body", "Action"),
        frozenset(versions),
    )
