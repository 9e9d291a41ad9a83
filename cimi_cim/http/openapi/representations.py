"""JSON schemas of what the provider answers: every resource type, Collection and structure.

No attribute is required: `$select` may leave out any. What stands where is as the codecs
write it, and nothing else does: `additionalProperties` is false throughout.
"""

from __future__ import annotations

from collections.abc import Iterator

from cimi_cim.http.openapi.kinds import Schema, atom, described, in_xml, key, ref
from cimi_cim.model.types import (
    Access,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    Model,
    ResourceForm,
    Structure,
)

ANY_REFERENCE = "Reference"
OPERATION = "Operation"
_HREF: Schema = {
    "type": "string",
    "description": "Absolute URI of the resource at the other end.",
    "xml": {"attribute": True},
}


def representations(model: Model, version: CimiVersion) -> dict[str, Schema]:
    """Return the schemas of a version by their key in the document."""
    return {key(version, name): schema for name, schema in _Shapes(model, version).all()}


def structure_name(structure: Structure) -> str:
    """Return what the schema of a structure is called; types and structures share names."""
    return f"{structure.name[0].upper()}{structure.name[1:]}Structure"


class _Shapes:
    def __init__(self, model: Model, version: CimiVersion) -> None:
        self._model = model
        self._version = version

    def all(self) -> Iterator[tuple[str, Schema]]:
        """Yield every schema with its name within the version."""
        yield OPERATION, self._operation()
        yield (
            ANY_REFERENCE,
            {
                "type": "object",
                "description": "A reference to a resource of any type, which may be expanded.",
                "properties": {"href": _HREF},
                "required": ["href"],
            },
        )
        for structure in self._model.structures.values():
            if any(row.form(self._version) is not None for row in structure.rows):
                yield structure_name(structure), self._structure(structure)
        for resource in self._model.types.values():
            form = resource.form(self._version)
            if form is not None:
                yield form.type_name, self._resource(form, resource.doc)
                yield f"{form.type_name}Collection", self._collection(form)

    def _resource(self, form: ResourceForm, doc: str) -> Schema:
        version = self._version
        properties: dict[str, Schema] = {
            "resourceURI": {"const": form.type_uri(version), "xml": {"x-absent": True}},
            "href": {**_HREF, "description": "Where it stands in place of a reference: its URI."},
        }
        for pair in form.rows:
            if pair is None:
                properties["operations"] = self._operations(is_absent=not form.has_operations)
            elif pair[0].access is not Access.WRITE_ONLY:
                properties |= self._member(*pair)
        return _closed(doc, properties)

    def _collection(self, form: ResourceForm) -> Schema:
        version = self._version
        items = ref(version, form.type_name, xml={"name": form.type_name})
        wrapper = {} if form.xml_wrapper is None else {"name": form.xml_wrapper, "wrapped": True}
        uri: Schema = {"const": form.collection_uri(version), "xml": {"attribute": True}}
        text: Schema = {"type": "string"}
        properties = {
            "resourceURI": uri,
            "href": {**_HREF, "description": "Where it stands in place of a reference: its URI."},
            "id": text | {"description": "URI of the Collection."},
            "updated": text | {"description": "When its items last changed, where that is known."},
            "parent": text | {"description": "URI of the resource that it is an attribute of."},
            "count": {
                "type": "integer",
                "minimum": 0,
                "description": "How many items passed the filter, whether they are shown or not.",
            },
            form.json_array: {"type": "array", "items": items, "xml": wrapper},
            "operations": self._operations(),
        }
        if version is CimiVersion.V1:
            del properties["parent"], properties["updated"]
        return _closed(f"A Collection of {form.type_name} resources.", properties)

    def _structure(self, structure: Structure) -> Schema:
        properties: dict[str, Schema] = {}
        for row in structure.rows:
            form = row.form(self._version)
            if form is not None and row.access is not Access.WRITE_ONLY:
                properties |= self._member(row, form)
        return _closed(structure.doc, properties)

    def _member(self, row: Attribute, form: AttributeForm) -> dict[str, Schema]:
        """Return the members that an attribute has: a merged reference has those of its target."""
        if form.is_merged:
            target = self._model[row.target or ""].form(self._version)
            rows = () if target is None or row.kind is Kind.REF else target.rows
            merged = [self._member(*pair) for pair in rows if pair is not None]
            return {"href": _HREF} | {n: s for members in merged for n, s in members.items()}
        schema = self._value(row, form)
        if row.is_array:
            schema = {"type": "array", "items": schema}
        schema = in_xml(row, form, described(row, schema), form.json_name)
        if row.access is Access.READ_ONLY:
            schema["readOnly"] = True
        return {form.json_name: schema}

    def _value(self, row: Attribute, form: AttributeForm) -> Schema:
        if row.kind is Kind.ANY:
            return {}
        if row.kind is Kind.MAP:
            return {"type": "object", "additionalProperties": {"type": "string"}}
        if row.structure is not None:
            structure = ref(self._version, structure_name(row.structure))
            if row.kind is Kind.STRUCT:
                return structure
            return {"type": "object", "additionalProperties": structure}
        if row.kind in (Kind.REF, Kind.COLLECTION, Kind.REF_OR_VALUE):
            return self._reference(row)
        return atom(row, form)

    def _reference(self, row: Attribute) -> Schema:
        """An href, with all of the resource beside it where it is expanded (4.1.6.4)."""
        target = self._model.types.get(row.target_in(self._version) or "")
        form = target.form(self._version) if target is not None else None
        if form is None:
            return ref(self._version, ANY_REFERENCE)
        if row.kind is Kind.REF_OR_VALUE:
            return ref(self._version, form.type_name)
        name = form.type_name + ("Collection" if row.kind is Kind.COLLECTION else "")
        return ref(self._version, name, required=["href"])

    def _operations(self, *, is_absent: bool = False) -> Schema:
        """2.0 wraps operations, 1.x repeats them."""
        is_wrapped = self._version is CimiVersion.V2
        hints = {"x-absent": True} if is_absent else {"wrapped": True} if is_wrapped else {}
        item = ref(self._version, OPERATION, xml={"name": "operation"})
        return {
            "type": "array",
            "items": item,
            "description": "What this client may do now.",
            "readOnly": True,
            "xml": hints,
        }

    def _operation(self) -> Schema:
        attribute = {"attribute": True}
        properties: dict[str, Schema] = {
            "rel": {"type": "string", "xml": attribute},
            "href": {"type": "string", "xml": attribute},
            "available": {"type": "boolean", "xml": attribute},
        }
        if self._version is CimiVersion.V1:
            del properties["available"]
        doc = "An operation: a bare word, or the URI of an action, and where to send it."
        return _closed(doc, properties) | {"required": ["rel", "href"]}


def _closed(doc: str, properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        "additionalProperties": False,
    }
