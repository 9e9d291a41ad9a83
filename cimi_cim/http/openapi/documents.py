"""JSON schemas of what clients send: what the decoders expect, read from the same tables.

Numbers and booleans as text, a URI in place of an object with an href, and null for what is
left out anyway are read, too (clients of 1.x do so), but not advertised.
"""

from __future__ import annotations

from collections.abc import Iterator

from cimi_cim.http.codec.decoding import Rows, can_be_given, rows_of
from cimi_cim.http.codec.expected import (
    Wanted,
    action_document,
    creation,
    membership_document,
    resource_document,
)
from cimi_cim.http.codec.links import Links
from cimi_cim.http.openapi.kinds import INT64, Schema, atom, described, in_xml, key, ref
from cimi_cim.http.openapi.representations import structure_name
from cimi_cim.model.types import (
    Access,
    Action,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    ResourceType,
)
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.creation import ABOUT
from cimi_cim.service.metadata.rules import rules_of
from cimi_cim.service.templates import belongs_by

TEXT = "Text"
"""A text that JSON and XML can carry."""
ANYTHING = "Anything"
HREF = "Href"
LEADS_TO = "x-leads-to"
"""Beside a reference: the schema of the resource that it must be to."""

_TEXT: Schema = {
    "type": "string",
    "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]*$",
}
MOST_PROPERTIES = 256


class Documents:
    """Makes the schemas of the documents of one version."""

    def __init__(self, catalog: Catalog, version: CimiVersion) -> None:
        self._catalog = catalog
        self._model = model = catalog.model
        self._version = version
        self._links = Links("", version, model)

    def schemas(self) -> dict[str, Schema]:
        """Return the schemas of a version by their key in the document."""
        return {key(self._version, name): schema for name, schema in self._all()}

    def change(self, type_name: str) -> Schema:
        """Return the schema of what is PUT to a resource of a type."""
        return ref(self._version, f"{self._name(type_name)}Input")

    def create(self, type_name: str, *, is_global: bool = False) -> Schema:
        """Return the schema of what is POSTed to a Collection of a type.

        In the Collection of all a template by value names what the new resource belongs to.
        """
        schema = ref(self._version, f"{self._name(type_name)}Create")
        resource = self._model[type_name]
        named = [row.name for row in belongs_by(self._model, resource)
                 if row.form(self._version) is not None]  # fmt: skip
        if not (is_global and named):
            return schema
        by_value = {"anyOf": [{"required": ["href"]}, {"required": named}]}
        inside = {"properties": {str(resource.create_template_attribute): by_value}}
        return schema | {"allOf": [inside]}

    def membership(self, type_name: str, name: str) -> Schema:
        """Return the schema of the Action document of insert or remove."""
        wanted = membership_document(type_name, self._links)
        resource = self._model[type_name]
        form = resource.form(self._version)
        item = resource.refers_to or (form.json_name if form is not None else "")
        schema = self._action(wanted, name, [item])
        row = resource.attributes.get(item)
        schema["properties"][item] |= self._leads_to(row.target or "" if row else type_name)
        return schema

    def action(self, action: Action) -> Schema:
        """Return the schema of the Action document of an action."""
        needed = [p.name for p in action.parameters if p.is_required]
        schema = self._action(action_document(action, self._links), action.name, needed)
        for parameter in action.parameters:
            schema["properties"][parameter.name]["description"] = parameter.doc
        return schema | {"description": action.doc}

    def _name(self, type_name: str) -> str:
        form = self._model[type_name].form(self._version)
        return form.type_name if form is not None else type_name

    def _all(self) -> Iterator[tuple[str, Schema]]:
        yield TEXT, _TEXT
        yield ANYTHING, self._anything()
        yield HREF, self._reference()
        for structure in self._model.structures.values():
            rows = rows_of(structure.rows, self._version)
            if rows:
                schema = self._object(rows, structure.doc)
                must = _mandatory(rows)
                yield f"{structure_name(structure)}Input", _must_have(schema, must)
        for name, resource in self._model.types.items():
            if resource.form(self._version) is not None:
                yield from self._of_type(name, resource)

    def _anything(self) -> Schema:
        anything = ref(self._version, ANYTHING)
        kinds: list[Schema] = [
            {"type": ["boolean", "null"]},
            {"type": "number", **INT64},
            ref(self._version, TEXT),
            {"type": "array", "items": anything},
            self._map(anything),
        ]
        return {"description": "Whatever JSON can hold.", "anyOf": kinds}

    def _reference(self) -> Schema:
        return {
            "type": "object",
            "description": "A reference. An expansion beside the href is not read.",
            "properties": {"href": self._href()},
            "required": ["href"],
            "additionalProperties": False,
        }

    def _of_type(self, name: str, resource: ResourceType) -> Iterator[tuple[str, Schema]]:
        own = self._name(name)
        wanted = resource_document(name, self._links)
        yield f"{own}Input", self._input(name, wanted)
        inline = tuple(pair for pair in wanted.rows if can_be_given(pair[0]))
        yield f"{own}Inline", self._inline(inline, own)
        if "add" not in resource.collection_operations:
            return
        expected = creation(name, self._links)
        template = {form.json_name for _, form in expected.template}
        made = self._document(expected.wanted(None, template), f"A {own} to create.")
        if expected.item is not None:  # the item itself, or what it is made from
            choices = [{"required": [name]} for name in (expected.item, *sorted(template))]
            yield f"{own}Create", made | {"anyOf": choices}
            return
        must = _mandatory(expected.whole)
        for _, form in expected.template:  # by value it has what the new resource must have
            by_value = {"anyOf": [{"required": ["href"]}, {"required": must}]} if must else {}
            made["properties"][form.json_name] |= by_value
            must = [form.json_name]
        yield f"{own}Create", made | {"required": must} if template else _must_have(made, must)

    def _input(self, name: str, wanted: Wanted) -> Schema:
        """What to change of a resource: what there is of it here, and what of that may change."""
        schema = self._document(wanted, f"What to change of a {self._name(name)}.")
        rules = rules_of(self._catalog, name)
        for row, form in wanted.rows:
            rule = rules.get(row.name)
            if rule is None or not rule.may_be_set or form.is_merged:
                continue
            if not rule.is_provided:
                del schema["properties"][form.json_name]
            elif not rule.consumer_writable:
                schema["properties"][form.json_name]["readOnly"] = True
        return schema

    def _document(self, wanted: Wanted, doc: str) -> Schema:
        """A document of its own, which may say what it is."""
        names = [f"{self._version.namespace}/{name}" for name in wanted.names]
        own = {
            "resourceURI": {"enum": names, "xml": {"x-absent": True}},
            "operations": {"readOnly": True, "xml": {"x-absent": True}},
        }
        schema = self._object(wanted.rows, doc)
        schema["properties"] = own | schema["properties"]
        return schema

    def _inline(self, rows: Rows, name: str) -> Schema:
        """What stands in place of a resource, or beside a reference to it (4.2.1.1)."""
        schema = self._object(rows, f"A {name} by value, or what overrides one (null erases).")
        href = self._href() | {"description": "Refers to one that exists."}
        href |= {LEADS_TO: key(self._version, name)}
        schema["properties"] = {"href": href} | schema["properties"]
        return schema

    def _action(self, wanted: Wanted, name: str, needed: list[str]) -> Schema:
        schema = self._document(wanted, f"Asks to {name}.")
        schema["properties"]["action"] = {"const": f"{self._version.namespace}/action/{name}"}
        return schema | {"required": ["action", *needed]}

    def _object(self, rows: Rows, doc: str) -> Schema:
        properties: dict[str, Schema] = {}
        for row, form in rows:
            properties |= self._member(row, form)
        schema: Schema = {
            "type": "object",
            "description": doc,
            "properties": properties,
            "additionalProperties": False,
        }
        choices = [form.json_name for row, form in rows if row.choice is not None]
        if choices:
            schema["oneOf"] = [{"required": [name]} for name in choices]
        return schema

    def _member(self, row: Attribute, form: AttributeForm) -> dict[str, Schema]:
        if form.is_merged:
            target = self._model[row.target or ""]
            inline = resource_document(target.name, self._links).rows
            rows = inline if row.kind is Kind.REF_OR_VALUE else ()
            merged = self._object(tuple(p for p in rows if can_be_given(p[0])), "")
            href = self._href() | self._leads_to(row.target_in(self._version) or "")
            return {"href": href, **merged["properties"]}
        if row.access is Access.READ_ONLY:  # whatever is said, it is not looked at (4.2.1.3)
            return {form.json_name: described(row, {"readOnly": True})}
        schema = self._value(row, form)
        if row.is_array:
            schema = {"type": "array", "items": schema}
        schema = in_xml(row, form, described(row, schema), form.json_name)
        if row.access is Access.WRITE_ONLY:
            schema["writeOnly"] = True
        return {form.json_name: schema}

    def _value(self, row: Attribute, form: AttributeForm) -> Schema:
        version = self._version
        if row.kind is Kind.ANY:
            return ref(version, ANYTHING)
        if row.kind is Kind.MAP:
            most = {"maxProperties": MOST_PROPERTIES} if row.name == "properties" else {}
            return self._map(ref(version, TEXT)) | most
        if row.structure is not None and row.kind in (Kind.STRUCT, Kind.VALUE_SCOPE):
            structure = ref(version, f"{structure_name(row.structure)}Input")
            return structure if row.kind is Kind.STRUCT else self._map(structure)
        if row.kind is Kind.REF_OR_VALUE:
            if row.fields:  # a new item of an enhanced Collection
                name = self._name(row.target or "")
                return self._inline(rows_of(row.fields, version), name)
            return ref(version, f"{self._name(row.target_in(version) or '')}Inline")
        if row.kind in (Kind.REF, Kind.COLLECTION):
            return ref(version, HREF, **self._leads_to(row.target_in(version) or ""))
        schema = atom(row, form)
        if row.kind is Kind.INTEGER:
            return schema | INT64 | ({"minimum": 0} if row.unit is not None else {})
        if schema["type"] == "string" and not schema.keys() & {"enum", "pattern"}:
            return ref(version, TEXT) | {n: v for n, v in schema.items() if n != "type"}
        return schema

    def _leads_to(self, type_name: str) -> Schema:
        """Say which type of resource a reference is to; "" may be to any."""
        resource = self._model.types.get(type_name)
        form = resource.form(self._version) if resource is not None else None
        return {} if form is None else {LEADS_TO: key(self._version, form.type_name)}

    def _map(self, values: Schema) -> Schema:
        names = {"pattern": _TEXT["pattern"]}
        return {"type": "object", "additionalProperties": values, "propertyNames": names}

    def _href(self) -> Schema:
        return {
            **_TEXT,
            "pattern": "^[^\\s\\u0000-\\u001f\\ufffe\\uffff]+$",
            "xml": {"attribute": True},
        }


def _mandatory(rows: Rows) -> list[str]:
    """Return the names of what a new resource, or a structure, must have.

    What it is about is told by its place, where it is created in another resource.
    """
    found = []
    for row, form in rows:
        if row.is_required_on_create and row.default is None and row.name != ABOUT:
            if not form.is_merged:
                found.append(form.json_name)
            elif row.kind is Kind.REF:
                found.append("href")
    return found


def _must_have(schema: Schema, names: list[str]) -> Schema:
    """Return the schema of an object that has members of these names, and no empty texts there."""
    if not names:
        return schema
    properties = dict(schema["properties"])
    for name in names:
        if properties[name].get("$ref", "").endswith(f".{TEXT}"):
            properties[name] = properties[name] | {"minLength": 1}
    return schema | {"properties": properties, "required": names}
