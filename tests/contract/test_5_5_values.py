"""Clause 5.5 for what consumers send: each type of value, arrays, maps, emptiness."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Document, Maker, named
from tests.contract.provider import XML, operation

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)


def add_xml(maker: Maker, type_name: str, inside: str) -> Any:
    """Ask for a resource by the text of the inside of its element."""
    body = f'<{type_name} xmlns="{maker.version.namespace}">{inside}</{type_name}>'
    uri = maker.add_uri(type_name)
    return maker.provider.request("POST", uri, body=body.encode(), media=XML)


@VERSIONS
def test_5_5_1_a_boolean_is_true_or_false(makers: Makers, version: CimiVersion) -> None:
    maker, provider = makers[version], makers[version].provider
    for value, text in ((True, "true"), (False, "false")):
        answer = maker.add("VolumeImage", {"bootable": value})
        assert answer.json["bootable"] is value
        root = provider.get_xml(answer.json["id"])
        assert root.findtext(f"{{{version.namespace}}}bootable") == text
        answer = add_xml(maker, "VolumeImage", f"<bootable>{text}</bootable>")
        assert answer.json["bootable"] is value
    for wrong in ("yes", 2, [True], {"href": "x"}):
        assert maker.add("VolumeImage", {"bootable": wrong}).status == 400, wrong
    assert add_xml(maker, "VolumeImage", "<bootable>yes</bootable>").status == 400


@VERSIONS
def test_5_5_7_a_key_that_stands_twice_is_refused(makers: Makers, version: CimiVersion) -> None:
    maker, provider = makers[version], makers[version].provider
    uri = maker.add_uri("MachineConfiguration")
    before = provider.get(maker.collection("MachineConfiguration"))["count"]
    for body in (b'{"properties": {"a": "1", "a": "2"}}', b'{"cpu": 1, "cpu": 2}'):
        assert provider.request("POST", uri, body=body).status == 400, body
    twice = '<property key="a">1</property><property key="a">2</property>'
    for inside in (f"<properties>{twice}</properties>", twice):
        assert add_xml(maker, "MachineConfiguration", inside).status == 400, inside
    assert provider.get(maker.collection("MachineConfiguration"))["count"] == before


@VERSIONS
def test_5_5_9_bytes_are_hexadecimal_text(makers: Makers, version: CimiVersion) -> None:
    maker, provider = makers[version], makers[version].provider
    made = maker.make("CredentialTemplate", key="0a0B")
    assert made["key"].lower() == "0a0b"
    text = provider.get_xml(made["id"]).findtext(f"{{{version.namespace}}}key")
    assert bytes.fromhex(text) == b"\x0a\x0b"
    for wrong in ("xyz", "0a0", 10, "CgsM="):
        assert maker.add("CredentialTemplate", {"key": wrong}).status == 400, wrong


@VERSIONS
def test_5_5_10_a_relative_reference_is_taken_against_the_base(
    makers: Makers, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    base = provider.get(provider.entry_point(version))["baseURI"]
    configuration = maker.make("VolumeConfiguration")["id"]
    relative = configuration.removeprefix(base)
    assert not relative.startswith("/")
    path = "/" + configuration.partition("://")[2].partition("/")[2]
    for href in (relative, f"./{relative}", f"machines/../{relative}", path, configuration):
        template = maker.make("VolumeTemplate", volumeConfig={"href": href})
        assert template["volumeConfig"] == {"href": configuration}
    for href in (
        "http://[",
        "/http://[",
        f"{configuration}#x",
        f"{configuration}?x",
        f"../9/{relative}",
    ):
        document = maker.document("VolumeTemplate", volumeConfig={"href": href})
        assert maker.add("VolumeTemplate", document).status == 400, href


DISKS: list[Document] = [{"capacity": 3, "format": "ext4"}, {"capacity": 1, "format": "ntfs"},
                         {"capacity": 2, "format": "xfs"}]  # fmt: skip


@VERSIONS
def test_5_5_11_arrays_are_lists_under_their_name(makers: Makers, version: CimiVersion) -> None:
    made = makers[version].make("MachineConfiguration", disks=DISKS)
    assert made["disks"] == DISKS
    assert makers[version].provider.get(made["id"])["disks"] == DISKS


@VERSIONS
def test_5_5_11_in_xml_items_stand_together_under_the_name_of_the_item(
    makers: Makers, version: CimiVersion
) -> None:
    maker = makers[version]
    namespace = f"{{{version.namespace}}}"
    root = maker.provider.get_xml(maker.make("MachineConfiguration", disks=DISKS)["id"])
    around = root.find(f"{namespace}disks") if version is V2 else root  # 1.x has no wrapper
    found = [etree.QName(child).localname for child in around]
    assert found.count("disk") == 3
    first = found.index("disk")
    assert found[first : first + 3] == ["disk"] * 3
    capacities = [
        disk.findtext(f"{namespace}capacity") for disk in around.findall(f"{namespace}disk")
    ]
    assert capacities == ["3", "1", "2"]
    inside = "".join(f"<disk><capacity>{n}</capacity><format>ext4</format></disk>" for n in (9, 8))
    for text in (f"<disks>{inside}</disks>", inside)[0 if version is V2 else 1 :]:
        answer = add_xml(maker, "MachineConfiguration", text)
        assert answer.status == 201, answer.body
        assert [disk["capacity"] for disk in answer.json["disks"]] == [9, 8]


def test_5_5_11_arrays_of_references_are_hrefs(makers: Makers) -> None:
    maker, provider = makers[V2], makers[V2].provider
    segments = [{"href": maker.make("ProtocolSegment")["id"]} for _ in range(2)]
    made = maker.make("NetworkTemplate", segments=segments)
    assert made["segments"] == segments
    job = provider.get(maker.add("MachineImage", {}).headers["cimi-job-uri"])
    assert all(set(ref) == {"href"} for ref in job["affectedResources"])
    root = provider.get_xml(job["id"])
    elements = root.findall(f"{{{V2.namespace}}}affectedResource")
    assert [e.get("href") for e in elements] == [ref["href"] for ref in job["affectedResources"]]
    assert root.find(f"{{{V2.namespace}}}affectedResources") is None


@VERSIONS
def test_5_5_15_empty_strings_maps_and_arrays_are_left_out(
    makers: Makers, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    empty = {"name": "", "description": "", "properties": {}, "disks": [], "cpuArch": ""}
    made = maker.add("MachineConfiguration", {**empty, "cpu": 1})
    assert made.status == 201, made.body
    assert set(made.json) & set(empty) == set()
    root = provider.get_xml(made.json["id"])
    found = {etree.QName(child).localname for child in root}
    assert found & {*empty, "disk", "property"} == set()
    full = maker.make("MachineConfiguration")
    edit = str(operation(full, "edit"))
    assert provider.send("PUT", edit, empty, ("$select", ",".join(empty))).status == 200
    assert set(provider.get(full["id"])) & set(empty) == set()


@VERSIONS
def test_5_5_15_zero_and_false_are_written(makers: Makers, version: CimiVersion) -> None:
    maker, provider = makers[version], makers[version].provider
    namespace = f"{{{version.namespace}}}"
    made = maker.make("MachineConfiguration", cpu=0, memory=0)
    assert (made["cpu"], made["memory"]) == (0, 0)
    assert provider.get_xml(made["id"]).findtext(f"{namespace}cpu") == "0"
    image = maker.make("VolumeImage", bootable=False)
    assert image["bootable"] is False
    assert provider.get_xml(image["id"]).findtext(f"{namespace}bootable") == "false"
    nothing = provider.get(maker.collection("Job"), ("$filter", "state='QUEUED'"))
    assert nothing["count"] == 0
    assert json.loads(json.dumps(nothing)) == nothing
