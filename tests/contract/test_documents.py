"""One document of every resource type, as JSON and as XML, by hand (DSP0263 5.5 and 5.11 to 5.17).

`documents/2` and `documents/1` hold them by version. Both formats mean the same, are read, and
are written just so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import OperationOffer, Resource
from cimi_cim.model.types import CimiVersion
from tests.schema_1x import assert_valid
from tests.shared_files import needs_shared

DOCUMENTS = Path(__file__).parent / "documents"
MODEL = load_model()
EVERY = [
    (version, name)
    for name, resource in MODEL.types.items()
    for version in CimiVersion
    if version in resource.forms
]
every_pair = pytest.mark.parametrize(("version", "name"), EVERY)


def links(version: CimiVersion) -> Links:
    return Links(f"https://cloud.test/cimi/{version.value}", version, MODEL)


def document(version: CimiVersion, name: str, suffix: str) -> bytes:
    return (DOCUMENTS / version.value / f"{name}.{suffix}").read_bytes()


def in_memory(version: CimiVersion, name: str) -> Resource:
    """What the JSON document is the representation of."""
    body = document(version, name, "json")
    said, chain = json.loads(body), links(version)
    location = chain.parse(said["id"])
    path = location.path if location is not None else said["id"].removeprefix(f"{chain.base_url}/")
    offers = []
    for operation in said.get("operations", ()):
        rel = operation["rel"].rpartition("/")[2]
        where = path if operation["href"] == said["id"] else f"{path}/{rel}"
        offers.append(OperationOffer(rel, where, operation.get("available", True)))
    return Resource(name, path, json_decoder.decode(body, name, chain), offers)


def canonical(body: bytes) -> bytes:
    root: Any = etree.fromstring(body, etree.XMLParser(remove_blank_text=True))
    return etree.tostring(root, method="c14n")


def test_every_type_has_a_pair_and_every_file_is_of_one() -> None:
    files = {(path.parent.name, path.name) for path in DOCUMENTS.glob("*/*")}
    assert files == {(v.value, f"{n}.{end}") for v, n in EVERY for end in ("json", "xml")}


@every_pair
def test_both_formats_say_the_same(version: CimiVersion, name: str) -> None:
    chain = links(version)
    as_json = json_decoder.decode(document(version, name, "json"), name, chain)
    as_xml = xml_decoder.decode(document(version, name, "xml"), name, chain)
    assert as_xml == as_json
    assert as_json


@every_pair
def test_the_json_is_written_just_so(version: CimiVersion, name: str) -> None:
    written = json_codec.encode(in_memory(version, name), links(version))
    pairs = json.loads(written, object_pairs_hook=list)
    assert pairs == json.loads(document(version, name, "json"), object_pairs_hook=list)


@every_pair
def test_the_xml_is_written_just_so(version: CimiVersion, name: str) -> None:
    written = xml_codec.encode(in_memory(version, name), links(version))
    assert canonical(written) == canonical(document(version, name, "xml"))


@needs_shared
@pytest.mark.parametrize("name", [name for version, name in EVERY if version is CimiVersion.V1])
def test_the_documents_of_1_x_are_valid_by_its_schema(name: str) -> None:
    assert_valid(document(CimiVersion.V1, name, "xml"))
