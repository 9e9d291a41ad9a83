"""Documents in both formats and both versions, from the model tables."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from lxml import etree

from cimi_cim.http.codec import json_codec, xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location, resolve, resolve_action
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource
from cimi_cim.model.types import CimiVersion
from tests.shared_files import SHARED, needs_shared

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
MACHINE = Resource(
    "Machine",
    "machines/m1",
    {
        "name": "web",
        "description": "",
        "state": "STARTED",
        "cpu": 2,
        "memory": 4194304,
        "properties": {"env": "test"},
        "parent": Ref("machines"),
        "disks": Ref("machines/m1/disks"),
        "interfaces": Ref("machines/m1/interfaces"),
    },
    (OperationOffer("edit", "machines/m1"), OperationOffer("stop", "machines/m1/stop")),
)
MACHINES = Collection("Machine", "machines", (MACHINE,), 1, parent="")


def links(version: CimiVersion) -> Links:
    return Links(f"http://h:1/cimi/{version.value}", version, MODEL)


def test_json_of_a_machine_in_2_0() -> None:
    body = json.loads(json_codec.encode(MACHINE, links(V2)))
    assert list(body) == [
        "resourceURI", "id", "name", "parent", "properties", "state", "cpu", "memory", "disks",
        "interfaces", "operations",
    ]  # fmt: skip
    assert body["resourceURI"] == "http://schemas.dmtf.org/cimi/2/Machine"
    assert body["id"] == "http://h:1/cimi/2/machines/m1"
    assert body["interfaces"] == {"href": "http://h:1/cimi/2/machines/m1/interfaces"}
    assert body["operations"][1] == {
        "rel": "http://schemas.dmtf.org/cimi/2/action/stop",
        "href": "http://h:1/cimi/2/machines/m1/stop",
    }


def test_1_x_has_its_own_names_and_leaves_out_what_it_lacks() -> None:
    body = json.loads(json_codec.encode(MACHINE, links(V1)))
    assert body["networkInterfaces"] == {"href": "http://h:1/cimi/1/machines/m1/networkInterfaces"}
    assert "parent" not in body
    assert "interfaces" not in body
    assert body["operations"][1]["rel"] == "http://schemas.dmtf.org/cimi/1/action/stop"


def test_xml_of_2_0_wraps_and_of_1_x_repeats() -> None:
    two = xml_codec.encode(MACHINES, links(V2)).decode()
    assert "<machines><Machine>" in two
    assert '<properties><property key="env">test</property></properties>' in two
    assert "<operations><operation rel=" in two
    one = xml_codec.encode(MACHINES, links(V1)).decode()
    assert "<machines>" not in one
    assert "<operations>" not in one
    assert '<property key="env">test</property>' in one


def test_a_collection_says_when_it_was_updated_where_that_is_known_and_the_version_has_it() -> None:
    """DSP0263 5.5.12."""
    changed = replace(MACHINES, updated="2026-02-03T10:00:00Z", items=())
    body = json.loads(json_codec.encode(changed, links(V2)))
    assert list(body) == ["resourceURI", "id", "updated", "parent", "count"]
    assert body["updated"] == "2026-02-03T10:00:00Z"
    assert list(json.loads(json_codec.encode(changed, links(V1)))) == ["resourceURI", "id", "count"]
    for version, names in ((V2, ["id", "updated", "parent", "count"]), (V1, ["id", "count"])):
        root = etree.fromstring(xml_codec.encode(changed, links(version)))
        assert [etree.QName(child).localname for child in root] == names
    shown = replace(changed, selected=frozenset({"count"}))
    assert list(json.loads(json_codec.encode(shown, links(V2)))) == ["resourceURI", "count"]


@needs_shared
def test_xml_of_1_x_is_valid_by_its_schema() -> None:
    schema = etree.XMLSchema(etree.parse(str(SHARED / "spec" / "dsp8009_1.0.1.xsd")))
    for document in (MACHINE, MACHINES):
        root = etree.fromstring(xml_codec.encode(document, links(V1)))
        assert schema.validate(root), schema.error_log


@pytest.mark.parametrize(
    ("version", "path", "expected"),
    [
        (V2, "", Location("CloudEntryPoint", ())),
        (V2, "cloudEntryPoint", Location("CloudEntryPoint", ())),
        (V2, "machines", Location("Machine", (("machines", None),))),
        (V2, "machines/a.b", Location("Machine", (("machines", "a.b"),))),
        (
            V1,
            "machines/a/networkInterfaces",
            Location("NetworkInterface", (("machines", "a"), ("interfaces", None))),
        ),
        (V1, "machines/a/interfaces", None),
        (V2, "machines/a/networkInterfaces", None),
        (V2, "nothing", None),
        (V2, "machines/a b", None),
    ],
)
def test_wire_paths_lead_to_neutral_locations(
    version: CimiVersion, path: str, expected: Location | None
) -> None:
    assert resolve(MODEL, version, path.split("/") if path else []) == expected
    if expected is not None and path:
        assert links(version).href(expected.path).endswith(path)


def test_actions_are_told_from_resources() -> None:
    assert resolve_action(MODEL, V2, ["machines", "a", "start"]) == (
        Location("Machine", (("machines", "a"),)),
        "start",
    )
    assert resolve_action(MODEL, V2, ["machines", "a", "explode"]) is None
    assert resolve_action(MODEL, V1, ["machines", "a", "connectvolume"]) is None


@pytest.mark.parametrize("version", list(CimiVersion))
def test_references_of_clients_resolve_absolute_and_relative(version: CimiVersion) -> None:
    chain = links(version)
    expected = Location("Machine", (("machines", "m1"),))
    assert chain.parse(chain.href("machines/m1")) == expected
    assert chain.parse("machines/m1") == expected
    assert chain.parse("http://elsewhere/machines/m1") is None
