"""The 1.x forms of the tables against the XML schema of CIMI 1.x (DSP8009), both ways.

What the encoder writes from the tables must be valid, and what the schema declares must be
in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cimi_cim.http.codec import xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import (
    Access,
    Attribute,
    AttributeForm,
    CimiVersion,
    Kind,
    ResourceType,
    XmlShape,
)
from tests.shared_files import SHARED, needs_shared

pytestmark = needs_shared

MODEL = load_model()
V1 = CimiVersion.V1
LINKS = Links("http://h:1/cimi/1", V1, MODEL)
TYPES = [t for t in MODEL.types.values() if t.form(V1) is not None]
XS = "{http://www.w3.org/2001/XMLSchema}"
XSD = SHARED / "spec" / "dsp8009_1.0.1.xsd"
COMMON = ("id", "name", "description", "created", "updated", "property")

# What the schema cannot hold although the standard has it; the encoder writes it all the
# same, for the text decides over the schema (DSP0263 5.9).
WITHOUT_TEXT = "capability"  # <capability>true</capability>: the schema allows elements only
AT_MOST_ONE = "attribute"  # its maxOccurs was forgotten
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


# -- values for every row -----------------------------------------------------------------


def a_scalar(row: Attribute, draw: Any) -> Value:
    if row.values and (draw is None or not row.is_open):
        return row.values[-1] if draw is None else draw(st.sampled_from(row.values))
    simple: dict[Kind, tuple[Value, st.SearchStrategy[Any]]] = {
        Kind.STRING: ("text", st.text("abc <&>\"'é", min_size=1)),
        Kind.INTEGER: (4096, st.integers(0, 2**62)),
        Kind.BOOLEAN: (True, st.booleans()),
        Kind.DATETIME: ("2026-02-03T09:15:00+01:00", st.just("2026-02-03T08:15:00Z")),
        Kind.DURATION: ("PT5S", st.just("P1D")),
        Kind.URI: ("http://example.com/a", st.just("http://schemas.dmtf.org/cimi/2/x")),
        Kind.BYTES: ("0aff", st.binary(min_size=1).map(bytes.hex)),
        Kind.ANY: ({"code": "E1", "detail": {"part": "disk"}}, st.just({"code": "E2"})),
        Kind.MAP: ({"env": "test", "tier": "1"}, st.just({"k": "a < b"})),
    }
    example, drawn = simple[row.kind]
    return example if draw is None else draw(drawn)


def a_value(row: Attribute, draw: Any, depth: int) -> Value:
    """One value, or one item of an array; all there can be where `draw` is None."""
    if row.kind is Kind.STRUCT:
        return values_of(row.fields, draw, depth)
    if row.kind in (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION):
        ref = Ref("machines/m1")
        if row.kind is not Kind.REF_OR_VALUE or depth == 0:
            return ref
        target = MODEL[row.target_in(V1) or ""]
        inline = values_of(target.attributes.values(), draw, depth - 1)
        how = "both" if draw is None else draw(st.sampled_from(["ref", "value", "both"]))
        return {"ref": ref, "value": inline, "both": Ref("machines/m1", values=inline)}[how]
    return a_scalar(row, draw)


def values_of(rows: Iterable[Attribute], draw: Any, depth: int = 2) -> dict[str, Value]:
    """Values for rows; which of the optional ones, `draw` decides."""
    values: dict[str, Value] = {}
    chosen: set[str] = set()
    for row in rows:
        form = row.form(V1)
        if form is None or form.xml_shape is XmlShape.TEXT:
            continue
        if row.choice is not None:
            if row.choice in chosen:
                continue
            chosen.add(row.choice)
        elif draw is not None and row.minimum == 0 and not draw(st.booleans()):
            continue
        if not row.is_array:
            values[row.name] = a_value(row, draw, depth)
            continue
        is_single = row.structure is not None and row.structure.name == AT_MOST_ONE
        most = 1 if is_single else 2
        count = most if draw is None else draw(st.integers(1, most))
        values[row.name] = [a_value(row, draw, depth) for _ in range(count)]
    return values


def a_resource(resource: ResourceType, values: Mapping[str, Value]) -> Resource:
    offers = (OperationOffer("edit", "machines/m1"), OperationOffer("start", "machines/m1/start"))
    return Resource(resource.name, "machines/m1", values, offers)


@lru_cache(maxsize=1)
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(XSD)))


def assert_valid(document: Resource | Collection) -> Any:
    root = etree.fromstring(xml_codec.encode(document, LINKS))
    assert schema().validate(root), (schema().error_log, etree.tostring(root))
    return root


# -- what is written is valid -------------------------------------------------------------


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_a_document_with_everything_in_it_is_valid(resource: ResourceType) -> None:
    values = values_of(resource.attributes.values(), None)
    root = assert_valid(a_resource(resource, values))
    written = {etree.QName(child).localname for child in root.iter()} | {
        str(name) for child in root.iter() for name in child.attrib
    }
    for row in resource.attributes.values():
        form = row.form(V1)
        if form is None or form.xml_shape is XmlShape.ABSENT or row.access is Access.WRITE_ONLY:
            continue
        assert form.xml_name in written, row.name


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_a_document_with_only_what_must_be_in_it_is_valid(resource: ResourceType) -> None:
    needed = [row for row in resource.attributes.values() if row.minimum > 0]
    assert_valid(a_resource(resource, values_of(needed, None)))


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_document_with_any_part_of_it_is_valid(
    resource: ResourceType, data: st.DataObject
) -> None:
    assert_valid(a_resource(resource, values_of(resource.attributes.values(), data.draw)))


def test_each_component_that_a_descriptor_can_make_is_valid() -> None:
    rows = MODEL.structures["componentDescriptor"].rows
    others = [row for row in rows if row.choice is None]
    made = [row for row in rows if row.choice is not None and row.form(V1) is not None]
    assert len(made) == 10
    for component in made:
        descriptor = values_of([*others, component], None)
        template = a_resource(MODEL["SystemTemplate"], {"componentDescriptors": [descriptor]})
        assert_valid(template)


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_a_collection_of_two_is_valid(resource: ResourceType) -> None:
    item = a_resource(resource, values_of(resource.attributes.values(), None))
    offers = (OperationOffer("add", "machines"),)
    root = assert_valid(Collection(resource.name, "machines", (item, item), 2, offers, parent=""))
    form = resource.form(V1)
    assert form is not None
    items = root.findall(f"{{{V1.namespace}}}{form.type_name}")
    assert len(items) == 2
    assert root.get("resourceURI") == form.collection_uri(V1)


def expanded(row: Attribute) -> Value:
    """What stands at the other end of a reference, itself."""
    target = MODEL[row.target_in(V1) or "Machine"]
    inside = a_resource(target, values_of(target.attributes.values(), None, 0))
    if row.kind is not Kind.COLLECTION:
        return inside
    offers = (OperationOffer("add", "machines"),) if target.collection_operations else ()
    return Collection(target.name, "machines", (inside, inside), 2, offers, parent="")


@pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)
def test_a_document_with_every_reference_expanded_is_valid(resource: ResourceType) -> None:
    """DSP0263 4.1.6.4."""
    links = (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION)
    rows = [row for row, _ in forms(resource.attributes.values()) if row.kind in links]
    values = {row.name: [expanded(row)] if row.is_array else expanded(row) for row in rows}
    needed = [row for row in resource.attributes.values() if row.minimum > 0]
    assert_valid(a_resource(resource, values_of(needed, None) | values))


# -- what is declared is in the tables ----------------------------------------------------


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
    if row.structure is not None and row.structure.name == AT_MOST_ONE:
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
    assert texts == [(WITHOUT_TEXT, "value")]


def test_a_capability_still_says_its_value() -> None:
    """Its text is not in the schema, and the text of the standard has it (5.11.1)."""
    capability = {
        "uri": "http://schemas.dmtf.org/cimi/2/capability/Machine/UserData",
        "value": "disk",
    }
    metadata = Resource("ResourceMetadata", "resourceMetadata/m", {"capabilities": [capability]})
    written = xml_codec.encode(metadata, LINKS).decode()
    assert 'uri="http://schemas.dmtf.org/cimi/1/capability/Machine/UserData">disk</' in written
