"""Clause 4.2.1.1: how resources are created, from templates and from documents."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import EVERY, GIVEN, Document, Maker, creatable, named
from tests.contract.provider import JSON, MODEL, XML, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
TEMPLATED = [
    (name, version) for name, version in EVERY if MODEL[name].create_template_attribute is not None
]
OWN = {
    "id",
    "eventLog",
    "created",
    "updated",
    "resourceURI",
    "operations",
    "resourceMetadata",
    "parent",
}


def template_of(type_name: str) -> str:
    attribute = MODEL[type_name].create_template_attribute
    assert attribute is not None
    return attribute[0].upper() + attribute[1:]


def template_for(maker: Maker, type_name: str) -> Document:
    """Make a template that resources can be made from."""
    return maker.make(template_of(type_name))


def comparable(document: Document) -> Document:
    """A representation without what is another one's in each resource, links included."""
    return {
        name: value
        for name, value in document.items()
        if name not in OWN and not str(value.get("href", "") if isinstance(value, dict) else "")
        .startswith(str(document["id"]))
    }  # fmt: skip


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_every_stored_type_lives_from_add_to_delete(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    collection = maker.collection(type_name)
    made = maker.make(type_name)
    assert made["id"] in [item["id"] for item in items(provider.get(collection))]
    edit = operation(made, "edit")
    assert edit is not None
    assert provider.send("PUT", edit, {**made, "name": "renamed"}).status == 200
    changed = provider.get(made["id"])
    assert {**changed, "updated": ""} == {**made, "name": "renamed", "updated": ""}
    delete = operation(changed, "delete")
    assert delete is not None
    assert provider.request("DELETE", delete).status == 200
    assert provider.request("GET", made["id"]).status == 404
    assert made["id"] not in [item["id"] for item in items(provider.get(collection))]


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_1_created_tells_the_location(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    answer = maker.add(type_name, maker.document(type_name))
    assert (answer.status, answer.media) == (201, JSON)
    assert answer.json["id"] == answer.headers["location"]
    assert answer.json == provider.get(answer.headers["location"])
    assert answer.headers["content-length"] == str(len(answer.body))


def test_4_2_1_1_the_answer_comes_in_the_form_accepted(makers: Makers) -> None:
    maker = makers[V2]
    body = b'{"name": "small", "cpu": 1}'
    for media in (JSON, XML):
        answer = maker.provider.request(
            "POST", maker.add_uri("MachineConfiguration"), body=body, accept=media
        )
        assert (answer.status, answer.media) == (201, media)
    root = etree.fromstring(answer.body)
    assert etree.QName(root).localname == "MachineConfiguration"


def test_4_2_1_1_a_body_without_a_type_is_refused(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make("MachineConfiguration")
    before = provider.get(maker.collection("MachineConfiguration"))["count"]
    for media in (None, "text/plain", "application/yaml"):
        add = maker.add_uri("MachineConfiguration")
        assert provider.request("POST", add, body=b"{}", media=media).status == 415
        edit = str(operation(made, "edit"))
        assert provider.request("PUT", edit, body=b"{}", media=media).status == 415
    assert provider.get(maker.collection("MachineConfiguration"))["count"] == before
    assert provider.get(made["id"]) == made


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize(("type_name", "version"), TEMPLATED, ids=named)
def test_4_2_1_1_a_template_is_passed_by_value(
    makers: Makers, type_name: str, version: CimiVersion, media: str
) -> None:
    maker, provider = makers[version], makers[version].provider
    document: Any = maker.document(type_name)
    if media == XML:
        document = create_in_xml(maker, type_name)
    answer = maker.add(type_name, document)
    assert answer.status == 201, answer.body
    made = provider.get(answer.headers["location"])
    holds(maker, type_name, made, maker.sample(template_of(type_name)))


def holds(maker: Maker, type_name: str, made: Document, template: Document) -> None:
    """The new resource has what the template says of attributes that it has too."""
    assert {name: made[name] for name in GIVEN} == GIVEN
    form = MODEL[type_name].form(maker.version)
    assert form is not None
    known = {pair[1].json_name for pair in form.rows if pair is not None}
    shared = {name for name in known & set(template) if not is_link(made.get(name))}
    secret = {row.name for row in MODEL[type_name].attributes.values()
              if row.access.value == "write-only"}  # fmt: skip
    for name in shared - secret:
        assert made[name] == template[name], name


def is_link(value: Any) -> bool:
    """A Collection of the new resource, filled from a list of the template."""
    return isinstance(value, dict) and set(value) == {"href"} and "/" in value["href"]


def create_in_xml(maker: Maker, type_name: str) -> Any:
    """The document of a creation in XML, its template as the provider itself writes one."""
    attribute = MODEL[type_name].create_template_attribute
    namespace = maker.version.namespace
    root = etree.Element(f"{{{namespace}}}{type_name}Create", nsmap={None: namespace})  # type: ignore[dict-item]
    template = template_for(maker, type_name)
    whole = maker.provider.get_xml(template["id"])
    inside = etree.Element(f"{{{namespace}}}{attribute}")
    for child in whole:
        local = etree.QName(child).localname
        if local in ("name", "description", "properties", "property"):
            root.append(child)
        elif local not in ("id", "created", "updated", "operations", "operation", "parent"):
            inside.append(child)
    root.append(inside)
    return root


@pytest.mark.parametrize(("type_name", "version"), TEMPLATED, ids=named)
def test_4_2_1_1_a_template_is_passed_by_reference(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    template = template_for(maker, type_name)
    document = maker.document(type_name)
    attribute = str(MODEL[type_name].create_template_attribute)
    answer = maker.add(type_name, {**document, attribute: {"href": template["id"]}})
    assert answer.status == 201, answer.body
    made = provider.get(answer.headers["location"])
    assert comparable(made) == comparable(maker.make(type_name))


def test_4_2_1_1_what_stands_beside_the_template_wins(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    template = maker.make("CredentialTemplate", name="of the template", properties={"a": "b"})
    document = {
        "name": "its own",
        "description": "its own, too",
        "properties": {"c": "d"},
        "credentialTemplate": {"href": template["id"]},
    }
    answer = maker.add("Credential", document)
    assert answer.status == 201, answer.body
    made = provider.get(answer.headers["location"])
    assert {name: made[name] for name in GIVEN} == {name: document[name] for name in GIVEN}
    nameless = maker.add("Credential", {"credentialTemplate": {"href": template["id"]}})
    assert nameless.status == 201
    assert "of the template" not in nameless.body.decode()


@pytest.mark.parametrize(("type_name", "version"), TEMPLATED, ids=named)
def test_4_2_1_1_a_template_by_value_leaves_no_template(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    document = maker.document(type_name)
    templates = [name for name in creatable(version) if name.endswith("Template")]
    before = {name: provider.get(maker.collection(name))["count"] for name in templates}
    assert maker.add(type_name, document).status == 201
    after = {name: provider.get(maker.collection(name))["count"] for name in templates}
    assert after == before


SEGMENT = {"protocol": "IPv4", "noDefaultRouting": True,
           "parameters": {"netmask": "255.255.255.0", "subnetAddress": "10.0.0.0"}}  # fmt: skip


def segment_template(maker: Maker) -> Document:
    return maker.make("ProtocolSegmentTemplate", **SEGMENT)


def test_4_2_1_1_an_override_replaces_a_whole_attribute(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    template = segment_template(maker)
    parameters = {"netmask": "255.0.0.0", "subnetAddress": "10.0.0.0", "note": "wide"}
    overriding = {"href": template["id"], "noDefaultRouting": False, "parameters": parameters}
    answer = maker.add("ProtocolSegment", {"protocolSegmentTemplate": overriding})
    assert answer.status == 201, answer.body
    made = provider.get(answer.headers["location"])
    assert made["parameters"] == parameters
    assert made["noDefaultRouting"] is False
    assert made["protocol"] == "IPv4"
    fewer = {"subnetAddress": "10.1.0.0", "netmask": "255.255.0.0"}
    overriding = {"href": template["id"], "parameters": fewer}
    answer = maker.add("ProtocolSegment", {"protocolSegmentTemplate": overriding})
    assert provider.get(answer.headers["location"])["parameters"] == fewer


def test_4_2_1_1_an_override_leaves_the_template_as_it_was(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    template = segment_template(maker)
    overriding = {"href": template["id"], "noDefaultRouting": False, "protocol": "IPv4"}
    for document in (overriding, {"href": template["id"]}):
        answer = maker.add("ProtocolSegment", {"protocolSegmentTemplate": document})
        assert answer.status == 201, answer.body
    assert provider.get(answer.headers["location"])["noDefaultRouting"] is True
    assert provider.get(template["id"]) == template


@pytest.mark.parametrize("media", [JSON, XML])
def test_4_2_1_1_null_erases_an_attribute_of_the_template(makers: Makers, media: str) -> None:
    maker, provider = makers[V2], makers[V2].provider
    template = maker.make("EventLogTemplate", persistence="weekly")
    assert template["persistence"] == "weekly"
    document: Any = {"eventLogTemplate": {"href": template["id"], "persistence": None}}
    if media == XML:
        namespace = V2.namespace
        document = etree.fromstring(
            f'<EventLogCreate xmlns="{namespace}"><eventLogTemplate href="{template["id"]}">'
            "<persistence/></eventLogTemplate></EventLogCreate>"
        )
    answer = maker.add("EventLog", document)
    assert answer.status == 201, answer.body
    assert "persistence" not in provider.get(answer.headers["location"])
    kept = maker.add("EventLog", {"eventLogTemplate": {"href": template["id"]}})
    assert provider.get(kept.headers["location"])["persistence"] == "weekly"
