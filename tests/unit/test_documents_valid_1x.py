"""What is written in CIMI 1.x is valid by its XML schema: every type, with much and with little.

The defects of the schema that are patched are listed in tests/schema_1x.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cimi_cim.http.codec import xml_codec, xml_decoder
from cimi_cim.http.codec.decoding import can_be_given
from cimi_cim.http.codec.links import Links
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, ResourceType, XmlShape
from tests import creating
from tests.schema_1x import assert_valid
from tests.shared_files import needs_shared

pytestmark = needs_shared

MODEL = load_model()
V1 = CimiVersion.V1
LINKS_1X = Links("http://h:1/cimi/1", V1, MODEL)
LINKS = (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION)
OFFERS = (OperationOffer("edit", "machines/m1"), OperationOffer("start", "machines/m1/start"))
TYPES = [t for t in MODEL.types.values() if t.form(V1) is not None]
every_type = pytest.mark.parametrize("resource", TYPES, ids=lambda t: t.name)


def a_scalar(row: Attribute, draw: Any) -> Value:
    form = row.form(V1)
    if row.values and (draw is None or not row.is_open):
        return row.values[-1] if draw is None else draw(st.sampled_from(row.values))
    if form is not None and form.xml_shape is XmlShape.TEXT:
        return "true" if draw is None else draw(st.sampled_from(["true", "disk", "4096"]))
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
    if row.kind in LINKS:
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
        if row.form(V1) is None:
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
        count = 2 if draw is None else draw(st.integers(1, 2))
        values[row.name] = [a_value(row, draw, depth) for _ in range(count)]
    return values


def all_values(resource: ResourceType) -> dict[str, Value]:
    return values_of(resource.attributes.values(), None)


def least_values(resource: ResourceType) -> dict[str, Value]:
    return values_of((row for row in resource.attributes.values() if row.minimum > 0), None)


def a_resource(resource: ResourceType, values: Mapping[str, Value]) -> Resource:
    return Resource(resource.name, "machines/m1", values, OFFERS)


def valid(document: Resource | Collection) -> Any:
    return assert_valid(xml_codec.encode(document, LINKS_1X))


@every_type
def test_a_document_with_everything_in_it_is_valid(resource: ResourceType) -> None:
    root = valid(a_resource(resource, all_values(resource)))
    written = {etree.QName(child).localname for child in root.iter()} | {
        str(name) for child in root.iter() for name in child.attrib
    }
    for row in resource.attributes.values():
        form = row.form(V1)
        if form is None or form.xml_shape is XmlShape.ABSENT or row.access is Access.WRITE_ONLY:
            continue
        assert form.xml_name in written, row.name


@every_type
def test_a_document_with_only_what_must_be_in_it_is_valid(resource: ResourceType) -> None:
    valid(a_resource(resource, least_values(resource)))
    valid(Resource(resource.name, "machines/m1", least_values(resource)))


@every_type
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_document_with_any_part_of_it_is_valid(
    resource: ResourceType, data: st.DataObject
) -> None:
    valid(a_resource(resource, values_of(resource.attributes.values(), data.draw)))


def test_each_component_that_a_descriptor_can_make_is_valid() -> None:
    rows = MODEL.structures["componentDescriptor"].rows
    others = [row for row in rows if row.choice is None]
    made = [row for row in rows if row.choice is not None and row.form(V1) is not None]
    assert len(made) == 10
    for component in made:
        descriptor = values_of([*others, component], None)
        valid(a_resource(MODEL["SystemTemplate"], {"componentDescriptors": [descriptor]}))


def test_what_the_schema_demands_of_a_structure_is_there_without_a_value_too() -> None:
    for type_name, attribute, said, written in (
        ("MachineConfiguration", "disks", {"capacity": 7}, ["capacity", "format"]),
        ("MachineTemplate", "networkInterfaces", {"mtu": 1500}, ["network", "state", "mtu"]),
    ):
        root = valid(a_resource(MODEL[type_name], {attribute: [said]}))
        structure = next(child for child in root if len(child))
        assert [etree.QName(child).localname for child in structure] == written
        texts = {etree.QName(child).localname: child.text for child in structure}
        assert texts.get("format", texts.get("state")) == "unknown"


@every_type
@pytest.mark.parametrize("size", [0, 2])
def test_a_collection_is_valid(resource: ResourceType, size: int) -> None:
    form = resource.form(V1)
    assert form is not None
    for values in (all_values(resource), least_values(resource)):
        items = [a_resource(resource, values)] * size
        offers = (OperationOffer("add", "machines"),) if resource.collection_operations else ()
        root = valid(Collection(resource.name, "machines", items, 7, offers, "", "2026-02-03"))
        assert len(root.findall(f"{{{V1.namespace}}}{form.type_name}")) == size
        assert root.get("resourceURI") == form.collection_uri(V1)


@every_type
def test_a_collection_whose_items_are_cut_to_some_attributes_is_valid(
    resource: ResourceType,
) -> None:
    """DSP0263 4.1.6.3."""
    for shown in ("id", "name", *least_values(resource)):
        if resource.name == "Sample" and shown in ("id", "name"):
            continue  # the schema demands what was not asked for
        values = all_values(resource)
        item = Resource(resource.name, "machines/m1", values, OFFERS, frozenset({shown}))
        valid(Collection(resource.name, "machines", (item, item), 2))


def expanded(row: Attribute) -> Value:
    """What stands at the other end of a reference, itself."""
    target = MODEL[row.target_in(V1) or "Machine"]
    inside = a_resource(target, values_of(target.attributes.values(), None, 0))
    if row.kind is not Kind.COLLECTION:
        return inside
    offers = (OperationOffer("add", "machines"),) if target.collection_operations else ()
    return Collection(target.name, "machines", (inside, inside), 2, offers, parent="")


@every_type
def test_a_document_with_every_reference_expanded_is_valid(resource: ResourceType) -> None:
    """DSP0263 4.1.6.4."""
    rows = [row for row in resource.attributes.values() if row.kind in LINKS and row.form(V1)]
    values = {row.name: [expanded(row)] if row.is_array else expanded(row) for row in rows}
    valid(a_resource(resource, least_values(resource) | values))


CREATED = [t for t in TYPES if MODEL.types.get(t.create_template_type or "") in TYPES]


@pytest.mark.parametrize("resource", CREATED, ids=lambda t: t.name)
def test_what_creates_by_the_schema_is_what_is_read(resource: ResourceType) -> None:
    """So a client that holds to the schema is understood."""
    template = MODEL[resource.create_template_type or ""]
    rows = [row for row in template.attributes.values() if can_be_given(row)]
    said = values_of((row for row in rows if row.access is not Access.WRITE_ONLY), None, 0)
    direct = {"name": "n", "description": "d", "properties": {"k": "v"}}
    for meant in (said, Ref("machines/t", values=said), Ref("machines/t")):
        document = CreateDocument(direct, meant)
        body = creating.xml_body(resource.name, document, LINKS_1X)
        assert_valid(body)
        assert xml_decoder.decode_create(body, resource.name, LINKS_1X) == document
