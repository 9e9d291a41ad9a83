"""Clauses 4.2.1.3 and 4.2.1.4: updates, whole and in part, and deletes; ETags of 4.1.7.2."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import Access, CimiVersion, Kind
from tests.contract.making import EVERY, GIVEN, Document, Maker, named
from tests.contract.provider import JSON, MODEL, XML, Page, Provider, operation
from tests.contract.values import type_of

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)


def one_of_each(provider: Provider, version: CimiVersion) -> list[Page]:
    """A page of each type of resource that is served."""
    found: dict[str, Page] = {}
    for page in provider.pages(version):
        if not page.is_collection:
            found.setdefault(page.type_name, page)
    assert len(found) > 20
    return list(found.values())


@VERSIONS
def test_4_2_1_3_what_can_be_changed_offers_edit(provider: Provider, version: CimiVersion) -> None:
    for page in one_of_each(provider, version):
        if page.type_name == "ResourceMetadata":
            continue  # for administrators
        edit = operation(page.json, "edit")
        allowed = provider.request("OPTIONS", page.href).headers["allow"]
        assert ("PUT" in allowed) == (edit is not None), page
        if edit is not None:
            before = provider.get(page.href)
            assert provider.send("PUT", edit, before).status == 200, page
            assert provider.get(page.href) == before, page
            assert provider.send("PUT", edit, provider.get_xml(page.href)).status == 200, page
            assert provider.get(page.href) == before, page
    offering = {page.type_name for page in one_of_each(provider, version)
                if operation(page.json, "edit")}  # fmt: skip
    assert {"Machine", "Volume", "Network", "MachineConfiguration", "System"} <= offering


@VERSIONS
def test_4_2_1_4_what_can_be_deleted_offers_delete(
    provider: Provider, version: CimiVersion
) -> None:
    for page in one_of_each(provider, version):
        allowed = provider.request("OPTIONS", page.href).headers["allow"]
        assert ("DELETE" in allowed) == (operation(page.json, "delete") is not None), page
        if "DELETE" not in allowed:
            assert provider.request("DELETE", page.href).status == 405, page
            provider.get(page.href)


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_3_read_only_attributes_are_ignored(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make(type_name)
    edit = str(operation(made, "edit"))
    forged = {**made, "id": "http://elsewhere.example/", "created": "1999-01-01T00:00:00Z"}
    for row in MODEL[type_name].attributes.values():
        form = row.form(version)
        is_fixed = row.access is Access.READ_ONLY or row.kind is Kind.COLLECTION
        if form is not None and (is_fixed or not row.is_mutable):
            others = {Kind.STRING: "DELETING", Kind.REF: {"href": made["id"]},
                      Kind.COLLECTION: {"href": made["id"]}, Kind.URI: "urn:other"}  # fmt: skip
            if row.kind in others and not row.is_array:
                forged[form.json_name] = others[row.kind]
    assert provider.send("PUT", edit, forged).status == 200
    assert provider.get(made["id"]) == made
    only = {name: forged[name] for name in ("id", "created")}
    assert provider.send("PUT", edit, only, ("$select", "id,created")).status == 200
    assert provider.get(made["id"]) == made


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_3_what_a_full_update_leaves_out_is_removed(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make(type_name)
    optional = [
        form.json_name
        for row in MODEL[type_name].attributes.values()
        if (form := row.form(version)) is not None
        and row.access is Access.READ_WRITE
        and row.minimum == 0
        and row.is_mutable
        and row.kind is not Kind.COLLECTION
        and row.name not in ("parent", "targetResource", "network")
        and not row.keys
    ]
    assert {"name", "description", "properties"} <= set(optional)
    fewer = {name: value for name, value in made.items() if name not in optional}
    answer = provider.send("PUT", str(operation(made, "edit")), fewer)
    assert answer.status == 200, answer.body
    after = provider.get(made["id"])
    assert {name: after.get(name) for name in optional} == dict.fromkeys(optional)
    assert set(after) == set(fewer)


def test_4_2_1_3_an_update_answers_with_the_representation(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make("MachineConfiguration")
    answer = provider.send("PUT", str(operation(made, "edit")), {**made, "cpu": 3})
    assert (answer.status, answer.media) == (200, JSON)
    assert answer.json == provider.get(made["id"])
    assert answer.json["cpu"] == 3
    assert answer.headers["content-length"] == str(len(answer.body))
    root = provider.get_xml(made["id"])
    answer = provider.send("PUT", str(operation(made, "edit")), root)
    assert (answer.status, answer.media) == (200, XML)
    assert etree.tostring(answer.xml) == etree.tostring(root)


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_3_1_only_selected_attributes_are_changed(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make(type_name)
    edit = str(operation(made, "edit"))
    part = {"name": "another", "properties": {"a": "b"}}
    assert provider.send("PUT", edit, part, ("$select", "name,properties")).status == 200
    after = provider.get(made["id"])
    assert {**made, **part, "updated": after["updated"]} == after
    namespace = version.namespace
    root = etree.Element(f"{{{namespace}}}{type_name}", nsmap={None: namespace})  # type: ignore[dict-item]
    form = MODEL[type_name].form(version)
    assert form is not None
    root.tag = f"{{{namespace}}}{form.type_name}"
    etree.SubElement(root, f"{{{namespace}}}description").text = "in XML"
    assert provider.send("PUT", edit, root, ("$select", "description")).status == 200
    last = provider.get(made["id"])
    assert {**after, "description": "in XML", "updated": last["updated"]} == last


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_4_2_1_3_1_a_selected_attribute_without_a_value_is_removed(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make(type_name)
    edit = str(operation(made, "edit"))
    only = {"name": "kept"}
    selection = [("$select", "name"), ("$select", "description,properties")]
    assert provider.send("PUT", edit, only, *selection).status == 200
    after = provider.get(made["id"])
    assert after["name"] == "kept"
    assert set(made) - set(after) == {"description", "properties"}


def test_4_2_1_3_1_an_attribute_that_is_not_selected_is_an_error(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make("MachineConfiguration")
    edit = str(operation(made, "edit"))
    answer = provider.send("PUT", edit, {"name": "x", "cpu": 9}, ("$select", "name"))
    assert answer.status == 400
    assert "cpu" in answer.job["statusMessage"]
    assert provider.get(made["id"]) == made


@VERSIONS
def test_4_1_7_2_every_resource_has_an_etag(provider: Provider, version: CimiVersion) -> None:
    each = {page.type_name: page for page in provider.pages(version)}
    assert len(each) > 40
    for page in each.values():
        for accept in (JSON, XML):
            answer = provider.request("GET", page.href, accept=accept)
            tag = answer.headers["etag"]
            assert tag.startswith('"'), page
            again = provider.request("GET", page.href, accept=accept, If_None_Match=tag)
            assert (again.status, again.body) == (304, b""), page
            other = provider.request("GET", page.href, accept=accept, If_None_Match='"other"')
            assert (other.status, other.headers["etag"]) == (200, tag), page


def test_4_1_7_2_a_stale_etag_changes_nothing(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make("MachineConfiguration")
    edit = str(operation(made, "edit"))
    stale = provider.request("GET", made["id"]).headers["etag"]
    assert provider.send("PUT", edit, {**made, "cpu": 3}).status == 200
    changed = provider.get(made["id"])
    body = b'{"name": "lost update"}'
    for tag in (stale, '"never"', f'{stale}, "never"'):
        assert provider.request("PUT", edit, body=body, If_Match=tag).status == 412
        assert provider.request("DELETE", edit, If_Match=tag).status == 412
    assert provider.get(made["id"]) == changed
    machine = provider.machine("STARTED")
    stop = str(operation(machine, "stop"))
    body = b'{"action": "http://schemas.dmtf.org/cimi/2/action/stop"}'
    assert provider.request("POST", stop, body=body, If_Match=stale).status == 412
    assert provider.get(machine["id"])["state"] == "STARTED"


def test_4_1_7_2_the_present_etag_is_let_through(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    made = maker.make("MachineConfiguration")
    edit, delete = (str(operation(made, name)) for name in ("edit", "delete"))
    tag = provider.request("GET", made["id"], accept=XML).headers["etag"]
    body = b'{"name": "found in time"}'
    answer = provider.request("PUT", edit, ("$select", "name"), body=body, If_Match=tag)
    assert answer.status == 200
    present = provider.request("GET", made["id"]).headers["etag"]
    assert answer.headers["etag"] == present
    assert provider.request("DELETE", delete, If_Match=f'"other", {present}').status == 200
    assert provider.request("GET", made["id"]).status == 404


def unknown(document: Any) -> Document:
    return {**document, "colour": "red"}


@pytest.mark.parametrize(("type_name", "version"), EVERY, ids=named)
def test_5_3_an_unknown_attribute_rejects_the_creation(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    document = maker.document(type_name)
    before = provider.get(maker.collection(type_name))["count"]
    template = MODEL[type_name].create_template_attribute
    wrong = [unknown(document)]
    if template is not None:
        wrong.append({**document, template: unknown(document[template])})
    for each in wrong:
        answer = maker.add(type_name, each)
        assert answer.status == 400
        assert "colour" in answer.job["statusMessage"]
    assert provider.get(maker.collection(type_name))["count"] == before


@VERSIONS
def test_5_3_an_unknown_attribute_rejects_the_update(
    provider: Provider, version: CimiVersion
) -> None:
    checked = 0
    for page in one_of_each(provider, version):
        edit = operation(page.json, "edit")
        if edit is None:
            continue
        before = provider.get(page.href)
        answer = provider.send("PUT", edit, {**before, "name": "new", "colour": "red"})
        assert answer.status == 400, page
        assert "colour" in answer.job["statusMessage"], page
        root = etree.fromstring(etree.tostring(page.xml))
        etree.SubElement(root, f"{{{version.namespace}}}colour").text = "red"
        assert provider.send("PUT", edit, root).status == 400, page
        assert provider.get(page.href) == before, page
        checked += 1
    assert checked > 20


@VERSIONS
def test_4_1_4_a_document_of_another_type_is_refused(
    provider: Provider, version: CimiVersion
) -> None:
    for page in one_of_each(provider, version):
        edit = operation(page.json, "edit")
        if edit is not None:
            before = provider.get(page.href)
            wrong = {**before, "resourceURI": f"{version.namespace}/Nothing"}
            assert provider.send("PUT", edit, wrong).status == 400, page
            root = etree.fromstring(etree.tostring(page.xml))
            root.tag = f"{{{version.namespace}}}Nothing"
            assert provider.send("PUT", edit, root).status == 400, page
            bare = {name: value for name, value in before.items() if name != "resourceURI"}
            assert provider.send("PUT", edit, bare).status == 200, page
            assert provider.get(page.href) == before, page
            assert type_of(page).name


def test_5_1_properties_are_kept_as_they_are(makers: Makers, provider: Provider) -> None:
    properties = {"a": "1", "A": "2", "with space": "  kept  ", "ü": "ß", "empty": ""}
    for version in CimiVersion:
        for type_name in ("MachineConfiguration", "System", "Machine", "Volume", "Network"):
            if type_name in ("Machine", "Volume", "Network"):
                resource = provider.get(str(makers[version].example(type_name)))
            else:
                resource = makers[version].make(type_name)
            edit = str(operation(resource, "edit"))
            part = {"properties": properties}
            assert provider.send("PUT", edit, part, ("$select", "properties")).status == 200
            assert provider.get(resource["id"])["properties"] == properties
            root = provider.get_xml(resource["id"])
            entries = root.iter(f"{{{version.namespace}}}property")
            assert {e.get("key"): e.text or "" for e in entries} == properties
            assert provider.send("PUT", edit, root).status == 200
            assert provider.get(resource["id"])["properties"] == properties
            assert provider.send("PUT", edit, {}, ("$select", "properties")).status == 200
            assert "properties" not in provider.get(resource["id"])


def test_5_1_the_provider_adds_no_properties(makers: Makers, provider: Provider) -> None:
    made = makers[V2].make("MachineImage")
    assert made["properties"] == GIVEN["properties"]
    bare = makers[V2].add("MachineImage", {"imageLocation": "http://elsewhere.example/i"})
    assert "properties" not in bare.json
    for type_name in ("Machine", "Volume", "Network"):
        assert "properties" not in provider.get(str(makers[V2].example(type_name)))
