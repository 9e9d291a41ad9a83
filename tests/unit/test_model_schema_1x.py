"""What the XML schema of CIMI 1.x (DSP8009) declares is in the tables.

That what is written from them is valid is in test_documents_valid_1x.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import pytest
from lxml import etree

from cimi_cim.http.codec import xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Resource
from cimi_cim.model.types import (
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    ResourceType,
    XmlShape,
)
from tests.schema_1x import SEVERAL, WITH_TEXT, XS, XSD
from tests.shared_files import needs_shared

pytestmark = needs_shared

MODEL = load_model()
V1 = CimiVersion.V1
LINKS = Links("http://h:1/cimi/1", V1, MODEL)
TYPES = [t for t in MODEL.types.values() if t.form(V1) is not None]
COMMON = ("id", "name", "description", "created", "updated", "property")

# Types of the schema that differ from the standard's, and hold it nevertheless.
LOOSER_IN_THE_SCHEMA = {("Job", "action"), ("Event", "type"), ("Volume", "type")}
SCALARS = {
    Kind.STRING: "xs:string",
    Kind.INTEGER: "xs:long",
    Kind.BOOLEAN: "xs:boolean",
    Kind.DATETIME: "xs:dateTime",
    Kind.DURATION: "xs:duration",
    Kind.URI: "xs:anyURI",
    Kind.BYTES: "xs:hexBinary",
}


@lru_cache(maxsize=1)
def declared() -> Any:
    return etree.parse(str(XSD)).getroot()


def find(kind: str, name: str) -> Any:
    found = declared().find(f"{XS}{kind}[@name='{name.removeprefix('tns:')}']")
    assert found is not None, name
    return found


def particles(node: Any) -> Iterator[Any]:
    """Yield the elements that a type may have, in order, groups resolved."""
    for child in node:
        if child.tag == f"{XS}element":
            yield child
        elif child.tag == f"{XS}group" and child.get("ref"):
            yield from particles(find("group", child.get("ref")))
        elif child.tag in (f"{XS}sequence", f"{XS}choice", f"{XS}group", f"{XS}complexType"):
            yield from particles(child)


def content(element: Any) -> Any:
    """Return the complex type of an element, None for a simple one."""
    kind = element.get("type", "")
    if kind.startswith("tns:"):
        return find("complexType", kind)
    return element.find(f"{XS}complexType")


def attributes(element: Any) -> list[str]:
    node = content(element)
    return [a.get("name") for a in node.findall(f"{XS}attribute")] if node is not None else []


def elements_of_tables(rows: Iterable[Attribute]) -> dict[str, Attribute]:
    """XML name of each child element that rows give, in order, with its row."""
    found: dict[str, Attribute] = {}
    for row, form in forms(rows):
        if form.xml_within is not None:
            found[form.xml_within] = row
        elif form.is_merged:
            target = MODEL[row.target_in(V1) or ""]
            if row.kind is Kind.REF_OR_VALUE:
                found |= elements_of_tables(ordered(target))
        elif form.xml_shape in (XmlShape.ELEMENT, XmlShape.REPEATED):
            found[form.xml_name] = row
    return found


def forms(rows: Iterable[Attribute]) -> Iterator[tuple[Attribute, AttributeForm]]:
    for row in rows:
        form = row.form(V1)
        if form is not None:
            yield row, form


def ordered(resource: ResourceType) -> list[Attribute]:
    form = resource.form(V1)
    assert form is not None
    return [resource.attributes[n] for n in form.attribute_order if n in resource.attributes]


def test_every_document_of_the_schema_is_a_type_of_the_tables() -> None:
    names = {e.get("name") for e in declared().findall(f"{XS}element")}
    held = {form.type_name for t in TYPES if (form := t.form(V1)) is not None}
    creates = {f"{form.type_name}Create" for t in TYPES
               if (form := t.form(V1)) is not None and t.create_template_attribute}  # fmt: skip
    # The content of MachineTemplate.networkInterfaces; a Machine has MachineNetworkInterface.
    structures = {"NetworkInterface"}
    created_by_value_in_1x = {"MachineNetworkInterfaceCreate"}  # its template is one of 2.0
    assert (
        names == held | (creates - created_by_value_in_1x) | {"Action", "Collection"} | structures
    )


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_the_elements_of_a_type_are_those_of_its_table_in_order(resource: ResourceType) -> None:
    form = resource.form(V1)
    assert form is not None
    said = [e.get("name") for e in particles(content(find("element", form.type_name)))]
    ours = []
    for name in form.attribute_order:
        if name == "operations":
            ours += ["operation"] if form.has_operations else []
        else:
            ours += elements_of_tables([resource.attributes[name]])
    ours = list(dict.fromkeys(ours))  # two rows may share an element
    assert ours == said


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_the_elements_of_a_type_have_the_types_of_its_rows(resource: ResourceType) -> None:
    form = resource.form(V1)
    assert form is not None
    rows = elements_of_tables(ordered(resource))
    for element in particles(content(find("element", form.type_name))):
        if element.get("name") != "operation":
            assert_same(resource.name, element, rows[element.get("name")])


def assert_same(owner: str, element: Any, row: Attribute) -> None:
    form = row.form(V1)
    assert form is not None
    said, where = element.get("type", ""), (owner, row.name)
    is_many = element.get("maxOccurs") == "unbounded"
    if row.structure is not None and row.structure.name == SEVERAL:
        is_many = True
    assert is_many is (row.is_array or row.kind is Kind.MAP), where
    if form.xml_within is not None:
        assert form.xml_name in attributes(element), where
    elif row.kind in SCALARS:
        loose = "xs:string" if where in LOOSER_IN_THE_SCHEMA else SCALARS[row.kind]
        assert said == loose, where
    elif row.kind is Kind.MAP:
        assert said == "tns:propertyType", where
    elif row.kind is Kind.STRUCT:
        assert_structure(row, element)
    elif row.kind is not Kind.ANY:
        target = row.target_in(V1)
        target_form = MODEL[target].form(V1) if target else None
        ends = "CollRef" if row.kind is Kind.COLLECTION else "Ref"
        wanted = f"{target_form.type_name}{ends}" if target_form else "expRef"
        assert said.removeprefix("tns:").removeprefix("opt") == wanted, where


def assert_structure(row: Attribute, element: Any) -> None:
    assert row.structure is not None
    name = row.structure.name
    rows = elements_of_tables(row.fields)
    inside = [e for e in particles(content(element)) if e.get("name") != "operation"]
    assert [e.get("name") for e in inside] == list(rows), name
    own = {f.name for f in row.fields}
    for child in inside:
        field = rows[child.get("name")]
        if field.name in own:
            assert_same(name, child, field)
            must = int(child.get("minOccurs", 1)) > 0 and field.choice is None
            form = field.form(V1)
            assert form is not None
            assert must is (form.is_mandatory_in_xml or field.minimum > 0), (name, field.name)
    flat = {f.xml_name for _, f in forms(row.fields) if f.xml_shape is XmlShape.ATTRIBUTE}
    merged = {"href" for _, f in forms(row.fields) if f.is_merged}
    assert set(attributes(element)) == flat | merged, name


def test_creation_documents_carry_the_templates_of_the_tables() -> None:
    for resource in TYPES:
        form, name = resource.form(V1), resource.create_template_attribute
        assert form is not None
        if name is None or MODEL[resource.create_template_type or ""].form(V1) is None:
            continue
        create = content(find("element", f"{form.type_name}Create"))
        assert [e.get("name") for e in particles(create)] == [*COMMON, name]


def test_the_parameters_of_actions_are_those_of_the_tables() -> None:
    said = {e.get("name") for e in particles(content(find("element", "Action")))}
    ours = {
        parameter.name
        for t in TYPES
        for action in (*t.actions.values(), *t.collection_actions.values())
        if V1 in action.versions and action.body == "Action"
        for parameter in action.parameters
    }
    assert said == ours | {"action", "property"}


def test_only_the_value_of_a_capability_has_no_place_in_the_schema() -> None:
    texts = [
        (name, row.name)
        for name, structure in MODEL.structures.items()
        for row, form in forms(structure.rows)
        if form.xml_shape is XmlShape.TEXT
    ]
    assert texts == [(WITH_TEXT, "value")]


def test_a_capability_still_says_its_value() -> None:
    """Its text is not in the schema, and the text of the standard has it (5.11.1)."""
    capability = {
        "uri": "http://schemas.dmtf.org/cimi/2/capability/Machine/UserData",
        "value": "disk",
    }
    metadata = Resource("ResourceMetadata", "resourceMetadata/m", {"capabilities": [capability]})
    written = xml_codec.encode(metadata, LINKS).decode()
    assert 'uri="http://schemas.dmtf.org/cimi/1/capability/Machine/UserData">disk</' in written
