"""Loads the CIMI tables (`data/*.yaml`) into the frozen types of `types.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from cimi_cim.model.rows import (
    Context,
    build_action,
    build_attribute,
    build_capability,
    build_structure,
    checked,
)
from cimi_cim.model.types import (
    Action,
    Attribute,
    CimiVersion,
    Home,
    Model,
    ResourceForm,
    ResourceType,
    Structure,
    XmlShape,
)

FAMILIES = (
    "metadata", "system", "machine", "credential", "volume", "network", "monitoring",
    "network_1x", "joins_1x",
)  # fmt: skip
"""The data files, in the order in which the types are listed."""

OPERATIONS = "operations"
_TYPE_KEYS = frozenset({
    "clause", "tables", "doc", "crud", "parent", "refers_to", "v1", "v2", "template",
    "collection_operations", "collection_actions", "attributes", "actions", "home",
})  # fmt: skip
_FORM_KEYS = frozenset({
    "type", "array", "cep", "order", "xml_common", "xml_operations",
})  # fmt: skip


@lru_cache(maxsize=1)
def load_model() -> Model:
    """Return all resource types of CIMI 2.0 and 1.x. Raises `ConfigError` for damaged data."""
    common, capabilities = _data("common"), _data("capabilities")
    families = [_data(family) for family in FAMILIES]
    structures: dict[str, Structure] = {}
    for family in families:
        for name, said in family.get("structures", {}).items():
            structures[name] = build_structure(name, said, structures)
    types = {
        name: _resource(name, table, common, structures, capabilities.get(name, ()))
        for family in families
        for name, table in family["resources"].items()
    }
    return Model(types, structures)


def _data(name: str) -> Any:
    text = (files("cimi_cim.model") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, in C where there is one


def _resource(
    name: str,
    table: Mapping[str, Any],
    common: Mapping[str, Any],
    structures: Mapping[str, Structure],
    capabilities: Iterable[Mapping[str, Any]],
) -> ResourceType:
    checked(table, _TYPE_KEYS, name)
    versions = frozenset(v for v in CimiVersion if f"v{v.value}" in table)
    context = Context(name, str(table["clause"]), versions, structures)
    every = Context(name, common["clause"], versions, structures)
    # A type that only one version has keeps no common row of the other.
    shared = (build_attribute(row, every) for row in common["attributes"])
    rows = {row.name: row for row in shared if row.forms}
    for row in table["attributes"]:
        rows.pop(row["name"], None)  # what replaces a common row stands in its own place
        rows[row["name"]] = build_attribute(row, context)
    forms = {}
    for version in versions:
        said = table[f"v{version.value}"]
        checked(said, _FORM_KEYS, f"{name}, version {version.value}")
        if "xml_common" in said:
            _keep_out_of_xml(rows, every, said["xml_common"], version)
        forms[version] = _form(name, said, version, rows)
    parent = table.get("parent", "").partition(".")
    return ResourceType(
        name,
        context.clause,
        rows,
        _actions(table.get("actions", ()), context),
        forms,
        table["doc"],
        parent=(parent[0], parent[2]) if parent[0] else None,
        crud=frozenset(table.get("crud", ("read", "update", "delete"))),
        collection_operations=frozenset(table.get("collection_operations", ())),
        create_template_attribute=table.get("template"),
        collection_actions=_actions(table.get("collection_actions", ()), context),
        capabilities={said["name"]: build_capability(said, name) for said in capabilities},
        refers_to=table.get("refers_to"),
        tables=tuple(table.get("tables", ())),
        home=Home(table.get("home", "store")),
    )


def _actions(rows: Iterable[Mapping[str, Any]], context: Context) -> dict[str, Action]:
    return {action.name: action for action in (build_action(row, context) for row in rows)}


def _keep_out_of_xml(
    rows: dict[str, Attribute], common: Context, kept: Iterable[str], version: CimiVersion
) -> None:
    """Mark the common attributes that the schema of the version has no element for."""
    for name, row in rows.items():
        form = row.form(version)
        if row.clause == common.clause and name not in kept and form is not None:
            absent = replace(form, xml_shape=XmlShape.ABSENT)
            rows[name] = replace(row, forms={**row.forms, version: absent})


def _form(
    name: str, said: Mapping[str, Any], version: CimiVersion, rows: Mapping[str, Attribute]
) -> ResourceForm:
    type_name, array = said.get("type", name), said["array"]
    present = {row.name: (row, form) for row in rows.values() if (form := row.form(version))}
    order = said.get("order", (*present, OPERATIONS))
    # What the order of the schema leaves out has no element, and comes last in JSON.
    whole = (*order, *(name for name in present if name not in order))
    return ResourceForm(
        type_name,
        type_name[0].lower() + type_name[1:],
        array,
        array if version is CimiVersion.V2 else None,
        said.get("cep"),
        whole,
        tuple(present.get(name) for name in whole),
        bool(said.get("xml_common", True)),
        said.get("xml_operations", True),
    )
