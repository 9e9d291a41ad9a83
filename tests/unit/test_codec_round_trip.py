"""What is written is read back as it was: every type, both formats, both versions.

So a document that was got can be put, and what clients create arrives.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.decoding import can_be_given
from cimi_cim.http.codec.links import Links
from cimi_cim.model.documents import CreateDocument
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import Access, Attribute, CimiVersion, Kind, XmlShape
from tests import creating
from tests.drawn_values import Maker

MODEL = load_model()
FORMATS = {
    "json": (json_codec, json_decoder, creating.json_body),
    "xml": (xml_codec, xml_decoder, creating.xml_body),
}
EVERY = [
    (name, version, format)
    for name, resource in MODEL.types.items()
    for version in CimiVersion
    if version in resource.forms
    for format in FORMATS
]
OFFERS = (OperationOffer("edit", "machines/x"), OperationOffer("stop", "machines/x/stop", False))
LINKS = (Kind.REF, Kind.REF_OR_VALUE, Kind.COLLECTION)
every_type = pytest.mark.parametrize(("name", "version", "format"), EVERY)
briefly = settings(
    max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def links(version: CimiVersion) -> Links:
    return Links(f"http://h:1/cimi/{version.value}", version, MODEL)


def own_rows(name: str) -> list[Attribute]:
    return [row for row in MODEL[name].attributes.values() if row.name not in ("id", "baseURI")]


@every_type
@briefly
@given(data=st.data())
def test_every_document_is_read_back_as_it_was_written(
    name: str, version: CimiVersion, format: str, data: Any
) -> None:
    values = Maker(data.draw, links(version), format).some(own_rows(name), 2)
    codec, decoder, _ = FORMATS[format]
    body = codec.encode(Resource(name, "machines/x", values, OFFERS), links(version))
    found = decoder.decode(body, name, links(version))
    found.pop("baseURI", None)
    assert found == values


def expanded(row: Attribute, value: Value, maker: Maker, version: CimiVersion) -> Value:
    """What $expand puts in the place of a reference: what is there, with all that it offers."""
    target = MODEL[row.target_in(version) or "Machine"]
    is_there = isinstance(value, Ref) and value.url is None and version in target.forms
    if row.kind not in LINKS or not is_there:
        return value
    inside = Resource(target.name, value.path, maker.some(own_rows(target.name), 1), OFFERS)
    if row.kind is Kind.COLLECTION:
        return Collection(target.name, value.path, (inside, inside), 2, OFFERS, "", "2026-02-03")
    return inside


@every_type
@briefly
@given(data=st.data())
def test_what_was_got_expanded_can_be_put_and_means_what_it_was(
    name: str, version: CimiVersion, format: str, data: Any
) -> None:
    """DSP0263 4.2.1.3: a consumer sends back all it got, understood or not."""
    maker = Maker(data.draw, links(version), format)
    rows = MODEL[name].attributes
    values = maker.some(own_rows(name), 2)
    shown = {n: expanded(rows[n], value, maker, version) for n, value in values.items()}
    meant = {
        n: Ref(values[n].path) if isinstance(value, Resource | Collection) else value
        for n, value in shown.items()
    }
    codec, decoder, _ = FORMATS[format]
    body = codec.encode(Resource(name, "machines/x", shown, OFFERS), links(version))
    found = decoder.decode(body, name, links(version))
    found.pop("baseURI", None)
    assert found == meant


@every_type
@briefly
@given(data=st.data())
def test_every_creation_is_read_as_it_was_meant(
    name: str, version: CimiVersion, format: str, data: Any
) -> None:
    """DSP0263 4.2.1.1: by value, by reference, with overrides of which some erase."""
    is_exact = (version, format) != (CimiVersion.V1, "xml")
    maker = Maker(data.draw, links(version), format, is_padded=is_exact)
    resource = MODEL[name]
    _, decoder, write = FORMATS[format]
    template_type = MODEL.types.get(resource.create_template_type or "")
    if template_type is None or template_type.form(version) is None:
        rows = [
            row for row in own_rows(name) if can_be_given(row) and row.name != resource.refers_to
        ]
        meant = CreateDocument(maker.some(rows, 2))
    else:
        common = [resource.attributes[n] for n in ("name", "description", "properties")]
        rows = [row for row in own_rows(template_type.name) if can_be_given(row)]
        said = maker.some(rows, 2)
        template: Ref | dict[str, Value] = said
        if data.draw(st.booleans()):
            template = Ref("machines/t", values=said | data.draw(erasing(rows, said, version)))
        meant = CreateDocument(maker.some(common, 1), template)
    body = write(name, meant, links(version))
    assert decoder.decode_create(body, name, links(version)) == meant


def erasing(
    rows: list[Attribute], said: dict[str, Value], version: CimiVersion
) -> st.SearchStrategy[dict[str, None]]:
    """Some of the other attributes, each of which an empty element alone can erase."""
    left = [
        row.name for row in rows
        if row.name not in said
        and (form := row.form(version)) is not None and form.xml_shape is not XmlShape.ATTRIBUTE
        and row.access is not Access.WRITE_ONLY
    ]  # fmt: skip
    names = st.lists(st.sampled_from(left), max_size=3, unique=True) if left else st.just([])
    return names.map(lambda chosen: dict.fromkeys(chosen))
