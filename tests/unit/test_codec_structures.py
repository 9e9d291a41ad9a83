"""Structures, inlined values and collections of joins, as each version and format writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from lxml import etree

from cimi_cim.http.codec import json_codec, xml_codec
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location, resolve
from cimi_cim.model.resources import Collection, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2


def links(version: CimiVersion) -> Links:
    return Links(f"http://h/{version.value}", version, MODEL)


def as_json(resource: Resource, version: CimiVersion) -> Mapping[str, Any]:
    body: dict[str, Any] = json.loads(json_codec.encode(resource, links(version)))
    return {name: value for name, value in body.items() if name not in ("resourceURI", "id")}


def as_xml(resource: Resource, version: CimiVersion) -> str:
    """The children of the document, id left out, without the namespace."""
    root = etree.fromstring(xml_codec.encode(resource, links(version)))
    for child in list(root):
        if etree.QName(child).localname == "id":
            root.remove(child)
    text = "".join(etree.tostring(child, encoding="unicode") for child in root)
    return text.replace(f' xmlns="{version.namespace}"', "")


def one(type_name: str, **values: Value) -> Resource:
    return Resource(type_name, "x/1", values)


DISKS = one("MachineConfiguration", disks=[{"initialLocation": "/dev/vda", "capacity": 7}])


def test_fields_stand_in_the_order_of_the_tables_whatever_the_order_of_the_values() -> None:
    assert list(as_json(DISKS, V2)["disks"][0]) == ["capacity", "initialLocation"]
    assert as_xml(DISKS, V2) == (
        "<disks><disk><capacity>7</capacity>"
        "<initialLocation>/dev/vda</initialLocation></disk></disks>"
    )


def test_1_x_repeats_structures_and_writes_the_element_that_its_schema_wants() -> None:
    assert as_xml(DISKS, V1) == (
        "<disk><capacity>7</capacity><format>unknown</format>"
        "<initialLocation>/dev/vda</initialLocation></disk>"
    )
    assert as_json(DISKS, V1) == {"disks": [{"capacity": 7, "initialLocation": "/dev/vda"}]}


VOLUMES = one(
    "MachineTemplate",
    volumes=[
        {"initialLocation": "/data", "volume": Ref("volumes/v"), "credential": Ref("credentials/c")}
    ],
)


def test_a_reference_in_a_structure_has_a_name_in_2_0() -> None:
    assert as_json(VOLUMES, V2)["volumes"] == [
        {
            "initialLocation": "/data",
            "credential": {"href": "http://h/2/credentials/c"},
            "volume": {"href": "http://h/2/volumes/v"},
        }
    ]
    assert as_xml(VOLUMES, V2) == (
        '<volumes><volume initialLocation="/data"><credential href="http://h/2/credentials/c"/>'
        '<volume href="http://h/2/volumes/v"/></volume></volumes>'
    )


def test_in_1_x_the_structure_is_the_reference() -> None:
    assert as_json(VOLUMES, V1)["volumes"] == [
        {"initialLocation": "/data", "href": "http://h/1/volumes/v"}
    ]
    assert as_xml(VOLUMES, V1) == '<volume initialLocation="/data" href="http://h/1/volumes/v"/>'


BY_VALUE = one(
    "MachineTemplate",
    machineConfig={"memory": 1024, "cpu": 2, "unknown": 1},
    machineImage=Ref("machineImages/i", values={"name": "mine"}),
    volumeTemplates=[
        {"initialLocation": "/d", "volumeTemplate": {"volumeConfig": {"capacity": 5}}}
    ],
)


def test_a_value_that_stands_inline_is_written_by_the_rows_of_its_type() -> None:
    body = as_json(BY_VALUE, V2)
    assert list(body["machineConfig"].items()) == [("cpu", 2), ("memory", 1024)]
    assert body["machineImage"] == {"href": "http://h/2/machineImages/i", "name": "mine"}
    assert body["volumeTemplates"] == [
        {"initialLocation": "/d", "volumeTemplate": {"volumeConfig": {"capacity": 5}}}
    ]
    assert as_xml(BY_VALUE, V2) == (
        "<machineConfig><cpu>2</cpu><memory>1024</memory></machineConfig>"
        '<machineImage href="http://h/2/machineImages/i"><name>mine</name></machineImage>'
        '<volumeTemplates><volumeTemplate initialLocation="/d"><volumeTemplate><volumeConfig>'
        "<capacity>5</capacity></volumeConfig></volumeTemplate></volumeTemplate></volumeTemplates>"
    )


def test_in_1_x_an_inline_template_merges_with_its_structure() -> None:
    assert as_json(BY_VALUE, V1)["volumeTemplates"] == [
        {"initialLocation": "/d", "volumeConfig": {"capacity": 5}}
    ]
    assert as_xml(BY_VALUE, V1).endswith(
        '<volumeTemplate initialLocation="/d"><volumeConfig><capacity>5</capacity>'
        "</volumeConfig></volumeTemplate>"
    )


EXPANDED = one(
    "Machine",
    disks=Collection("Disk", "x/1/disks", (Resource("Disk", "x/1/disks/d", {"capacity": 7}),), 1),
    eventLog=Resource("EventLog", "eventLogs/e", {"persistence": "daily"}),
)


def test_an_expanded_reference_shows_the_resource_beside_its_href() -> None:
    """DSP0263 4.1.6.4 and 5.5.6."""
    body = as_json(EXPANDED, V2)
    assert body["disks"]["href"] == body["disks"]["id"] == "http://h/2/x/1/disks"
    assert body["disks"]["count"] == 1
    assert body["disks"]["disks"][0]["capacity"] == 7
    assert body["eventLog"]["persistence"] == "daily"
    assert as_xml(EXPANDED, V2) == (
        '<disks href="http://h/2/x/1/disks"><id>http://h/2/x/1/disks</id><count>1</count>'
        "<disks><Disk><id>http://h/2/x/1/disks/d</id><capacity>7</capacity></Disk></disks></disks>"
        '<eventLog href="http://h/2/eventLogs/e"><id>http://h/2/eventLogs/e</id>'
        "<persistence>daily</persistence></eventLog>"
    )


LOG = one("EventLog", summary={"low": 1, "medium": 2, "high": 0, "critical": 0})


def test_the_summary_of_an_event_log_is_attributes_in_2_0_and_elements_in_1_x() -> None:
    """DSP0263 5.5.8 prints this structure."""
    assert as_xml(LOG, V2) == '<summary low="1" medium="2" high="0" critical="0"/>'
    assert as_xml(LOG, V1) == (
        "<summary><low>1</low><medium>2</medium><high>0</high><critical>0</critical></summary>"
    )


JOB = one("Job", affectedResources=[Ref("machines/a"), Ref("machines/b")])


@pytest.mark.parametrize("version", list(CimiVersion))
def test_an_array_of_references_with_an_item_name_has_no_wrapper(version: CimiVersion) -> None:
    """DSP0263 5.5.11: `ref[]`."""
    base = f"http://h/{version.value}"
    assert as_xml(JOB, version) == (
        f'<affectedResource href="{base}/machines/a"/><affectedResource href="{base}/machines/b"/>'
    )


METADATA = one(
    "ResourceMetadata",
    typeURI="http://schemas.dmtf.org/cimi/2/Machine",
    name="Machine",
    attributes=[{"name": "cpu", "mutable": False, "required": True}],
    capabilities=[
        {"uri": "http://schemas.dmtf.org/cimi/2/capability/Machine/UserData", "value": True}
    ],
    vscope=[
        {"cpu": {"values": [1, 2], "default": 1}, "memory": {"minimum": 4, "units": "kibibyte"}}
    ],
)


def test_resource_metadata_is_written_as_the_standard_prints_it() -> None:
    """DSP0263 5.11 and 5.5.14."""
    written = as_xml(METADATA, V2)
    assert '<attributes><attribute name="cpu" mutable="false"/></attributes>' in written
    assert '/cimi/2/capability/Machine/UserData">true</capability></capabilities>' in written
    assert (
        "<vscope><valueScope><cpu><value>1</value><value>2</value><default>1</default></cpu>"
        "<memory><minimum>4</minimum><units>kibibyte</units></memory></valueScope></vscope>"
    ) in written
    body = as_json(METADATA, V2)
    assert body["vscope"][0]["cpu"] == {"values": [1, 2], "default": 1}
    assert body["attributes"] == [{"name": "cpu", "mutable": False}]


def test_1_x_metadata_has_its_own_namespace_and_its_own_constraint() -> None:
    written = as_xml(METADATA, V1)
    assert written.startswith("<typeURI>http://schemas.dmtf.org/cimi/1/Machine</typeURI>")
    assert '<attribute name="cpu" required="true"/>' in written
    assert "vscope" not in written
    assert as_json(METADATA, V1)["typeURI"] == "http://schemas.dmtf.org/cimi/1/Machine"


def test_a_uri_that_is_not_of_cimi_is_left_alone() -> None:
    volume = one("Volume", type="http://example.com/cimi/2/mine")
    assert as_json(volume, V1) == {"type": "http://example.com/cimi/2/mine"}
    assert as_json(one("Volume", type="http://schemas.dmtf.org/cimi/1/mapped"), V2) == {
        "type": "http://schemas.dmtf.org/cimi/2/mapped"
    }


def test_a_sample_of_1_x_stands_in_an_element_of_its_own() -> None:
    sample = one("Sample", timestamp="2026-02-03T09:15:00Z", value="3")
    assert as_xml(sample, V1) == '<sample timestamp="2026-02-03T09:15:00Z" value="3"/>'
    assert as_json(sample, V1) == {"timestamp": "2026-02-03T09:15:00Z", "value": "3"}
    assert as_xml(sample, V2) == "<timestamp>2026-02-03T09:15:00Z</timestamp><value>3</value>"


def test_an_interface_of_1_x_has_the_words_of_1_x() -> None:
    interface = one("NetworkInterface", state="ENABLED")
    assert as_json(interface, V1) == {"state": "Active"}
    assert as_json(interface, V2) == {"state": "ENABLED"}


@pytest.mark.parametrize("version", list(CimiVersion))
def test_a_password_is_never_written(version: CimiVersion) -> None:
    credential = one("Credential", userName="root", password="s3cret")
    template = one("MachineTemplate", credential={"userName": "root", "password": "s3cret"})
    for resource in (credential, template):
        assert "s3cret" not in as_xml(resource, version)
        assert "s3cret" not in json.dumps(as_json(resource, version))


@pytest.mark.parametrize("version", list(CimiVersion))
def test_content_of_an_event_is_what_its_kind_makes_of_it(version: CimiVersion) -> None:
    event = one(
        "Event", content={"resource": Ref("machines/a"), "state": "STARTED", "codes": [1, 2]}
    )
    href = f"http://h/{version.value}/machines/a"
    assert as_xml(event, version) == (
        f'<content><resource href="{href}"/><state>STARTED</state>'
        "<codes><item>1</item><item>2</item></codes></content>"
    )
    assert as_json(event, version)["content"] == {
        "resource": {"href": href}, "state": "STARTED", "codes": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "in_1_x", "in_2_0"),
    [
        ("machines/a/volumes/b", "locatedVolume", "locatedVolume"),
        ("machines/a/snapshots/b", "MachineSnapshot", "MachineImage"),
        ("volumes/a/images/b", "VolumeVolumeImage", "VolumeImage"),
        ("systems/a/machines/b", "SystemMachine", "Machine"),
        ("systems/a/systems/b", "SystemSystem", "System"),
    ],
)
def test_a_collection_of_1_x_lists_joins_where_2_0_lists_resources(
    path: str, in_1_x: str, in_2_0: str
) -> None:
    for version, expected in ((V1, in_1_x), (V2, in_2_0)):
        location = resolve(MODEL, version, path.split("/"))
        assert isinstance(location, Location)
        assert location.type == expected
        assert links(version).href(path).endswith(path)


def test_addresses_of_an_interface_are_reached_in_1_x_only() -> None:
    path = ["machines", "a", "networkInterfaces", "b", "addresses", "c"]
    location = resolve(MODEL, V1, path)
    assert location is not None
    assert location.type == "MachineNetworkInterfaceAddress"
    assert links(V1).href(location.path).endswith("/".join(path))
    assert resolve(MODEL, V2, ["machines", "a", "interfaces", "b", "addresses", "c"]) is None
