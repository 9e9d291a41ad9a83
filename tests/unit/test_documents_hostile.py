"""No body that a client can send to create, insert, remove or act is more than a bad request."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimi_cim.errors import BadRequest
from cimi_cim.http.codec import json_decoder, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.types import CimiVersion
from tests import creating

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
LINKS = {v: Links(f"http://h:1/cimi/{v.value}", v, MODEL) for v in CimiVersion}
STOP = MODEL["Machine"].actions["stop"]
NS = f'xmlns="{V2.namespace}"'
INSERT = f"{V2.namespace}/action/insert"

Reads = Callable[[bytes], object]
JSON_READERS: dict[str, Reads] = {
    "resource": lambda body: json_decoder.decode(body, "Machine", LINKS[V2]),
    "creation": lambda body: json_decoder.decode_create(body, "Machine", LINKS[V2]),
    "place": lambda body: json_decoder.decode_create(body, "locatedVolume", LINKS[V2]),
    "insert": lambda body: json_decoder.decode_membership(
        body, "locatedVolume", "insert", LINKS[V2]
    ),
    "action": lambda body: json_decoder.decode_action(body, STOP, LINKS[V2]),
    "which": json_decoder.action_in,
}
XML_READERS: dict[str, Reads] = {
    "resource": lambda body: xml_decoder.decode(body, "Machine", LINKS[V2]),
    "creation": lambda body: xml_decoder.decode_create(body, "Machine", LINKS[V2]),
    "place": lambda body: xml_decoder.decode_create(body, "locatedVolume", LINKS[V2]),
    "insert": lambda body: xml_decoder.decode_membership(
        body, "locatedVolume", "insert", LINKS[V2]
    ),
    "action": lambda body: xml_decoder.decode_action(body, STOP, LINKS[V2]),
    "which": xml_decoder.action_in,
}
ENTITIES = "".join(f'<!ENTITY {n} "{f"&{m};" * 10}">' for m, n in pairwise("abcdefghi"))
BOMB = (
    f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]>'
    f"<MachineCreate {NS}><name>&i;</name></MachineCreate>"
)

NO_JSON = {
    "nothing": b"",
    "no JSON": b"{name: web}",
    "no object": b'["MachineCreate"]',
    "two values": b"{} {}",
    "a name twice": b'{"name": "a", "name": "b"}',
    "a name twice, inside": b'{"machineTemplate": {"initialState": "a", "initialState": "b"}}',
    "NaN": b'{"machineTemplate": {"machineConfig": {"cpu": NaN}}}',
    "infinity": b'{"machineTemplate": {"machineConfig": {"cpu": 1e400}}}',
    "30 digits": b'{"machineTemplate": {"machineConfig": {"cpu": ' + b"1" * 30 + b"}}}",
    "deep": b'{"machineTemplate":' * 70 + b"{}" + b"}" * 70,
    "very deep": b'{"a":' + b"[" * 200_000,
    "a lone surrogate": b'{"name": "\\udc00"}',
    "a lone surrogate as a key": b'{"properties": {"\\ud800": "x"}}',
    "no character of XML": b'{"description": "\\u0008"}',
    "no UTF-8": b'{"name": "\xc3("}',
    "UTF-16": '{"name": "a"}'.encode("utf-16-le"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
}
NO_XML = {
    "nothing": b" \n",
    "no XML": b"<MachineCreate",
    "not closed": f"<MachineCreate {NS}>".encode(),
    "two roots": f"<MachineCreate {NS}/><MachineCreate {NS}/>".encode(),
    "a DOCTYPE": f"<!DOCTYPE MachineCreate><MachineCreate {NS}/>".encode(),
    "an external entity": f'<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                          f"<MachineCreate {NS}><name>&e;</name></MachineCreate>".encode(),
    "entities of entities": BOMB.encode(),
    "an unknown entity": f"<MachineCreate {NS}><name>&e;</name></MachineCreate>".encode(),
    "deep": b"<machineTemplate>" * 70 + b"</machineTemplate>" * 70,
    "very deep": b"<a>" * 200_000,
    "no UTF-8": f"<MachineCreate {NS}><name>\xe9</name></MachineCreate>".encode("latin-1"),
    "another encoding": f'<?xml version="1.0" encoding="latin1"?><MachineCreate {NS}/>'.encode(),
    "UTF-16": f"<MachineCreate {NS}/>".encode("utf-16"),
    "no character of XML": f"<MachineCreate {NS}><name>&#8;</name></MachineCreate>".encode(),
    "an unbound prefix": b"<c:MachineCreate/>",
}  # fmt: skip


def refusal(read: Reads, body: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        read(body)
    assert caught.value.reason == "bad-document"
    assert len(caught.value.message) < 300
    return caught.value.message


@pytest.mark.parametrize("reader", JSON_READERS)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_refused_by_every_reader(reader: str, body: bytes) -> None:
    refusal(JSON_READERS[reader], body)


@pytest.mark.parametrize("reader", XML_READERS)
@pytest.mark.parametrize("body", NO_XML.values(), ids=NO_XML)
def test_what_is_no_xml_is_refused_by_every_reader(reader: str, body: bytes) -> None:
    refusal(XML_READERS[reader], body)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"machineTemplate": 7}, "machineTemplate must be an object with an href"),
        ({"machineTemplate": [{}]}, "machineTemplate must be an object with an href"),
        ({"machineTemplate": {"href": 7}}, "machineTemplate must have an href that is a URI"),
        ({"machineTemplate": {"href": " "}}, "machineTemplate must have an href that is a URI"),
        ({"machineTemplate": {"machineConfg": {}}}, "machineTemplate: there is no attribute "
         "'machineConfg'; did you mean 'machineConfig'?"),
        ({"machineTemplate": {"machineConfig": {"disks": [{"size": 1}]}}},
         "machineTemplate.machineConfig.disks[0]: there is no attribute 'size'"),
        ({"machineTemplate": {"machineConfig": {"cpu": "two"}}},
         "machineTemplate.machineConfig.cpu must be an integer"),
        ({"machineTemplate": {"volumes": {}}}, "machineTemplate.volumes must be an array"),
        ({"machineTemplate": {"volumes": [None]}}, "machineTemplate.volumes[0] must be an object"),
        ({"machineTemplat": {}}, "did you mean 'machineTemplate'?"),
        ({"properties": {"k": None}}, "properties.k must be a text"),
        ({"resourceURI": 7}, "resourceURI is '7'; what belongs here is"),
        ({"resourceURI": "MachineCreate"}, "/cimi/2/MachineCreate"),
        ({"resourceURI": f"{V1.namespace}/MachineCreate"}, "/cimi/2/MachineCreate"),
    ],
)  # fmt: skip
def test_a_creation_that_is_none_is_refused_with_its_place(said: Any, says: str) -> None:
    assert says in refusal(JSON_READERS["creation"], json.dumps(said).encode())


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("<machineTemplate>small</machineTemplate>", "machineTemplate holds the text 'small'"),
        ('<machineTemplate href=" "/>', "machineTemplate must have an href that is a URI"),
        ("<machineTemplate/><machineTemplate/>", "machineTemplate stands twice"),
        ("<machineTemplate><initialState/><initialState/></machineTemplate>",
         "machineTemplate.initialState stands twice"),
        ("<machineTemplate><machineConfg/></machineTemplate>", "did you mean 'machineConfig'?"),
        ('<machineTemplate size="1"/>', "machineTemplate: there is no attribute 'size'"),
        ("<machineTemplate><machineConfig><cpu>two</cpu></machineConfig></machineTemplate>",
         "machineTemplate.machineConfig.cpu must be an integer"),
        ('<machineTemplate xmlns="http://schemas.dmtf.org/cimi/1"/>', "in the namespace"),
        ('<machineTemplate xmlns="urn:other"/>', "in the namespace urn:other, not in"),
        ("words", "holds the text 'words'"),
        ("<machineTemplat/>", "did you mean 'machineTemplate'?"),
    ],
)  # fmt: skip
def test_a_creation_in_xml_that_is_none_is_refused_with_its_place(inside: str, says: str) -> None:
    body = f"<MachineCreate {NS}>{inside}</MachineCreate>".encode()
    assert says in refusal(XML_READERS["creation"], body)


@pytest.mark.parametrize("root", ["MachineCreate", "Action"])
@pytest.mark.parametrize("reader", ["creation", "place", "insert"])
def test_the_namespace_of_another_version_is_refused(reader: str, root: str) -> None:
    body = f'<{root} xmlns="{V1.namespace}"/>'.encode()
    assert f"not in {V2.namespace}" in refusal(XML_READERS[reader], body)


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("", "the document has no action"),
        (f"<action>{INSERT}</action>", "names no volume"),
        (f"<action>{INSERT}</action><volume/>", "names no volume"),
        (f"<action>{INSERT}</action><volume><name>a</name></volume>", "volume must have an href"),
        (f'<action>{INSERT}</action><volume href="v"/><volume href="w"/>', "volume stands twice"),
        (f'<action>{INSERT}</action><volume href="v"/><place>b</place>', "no attribute 'place'"),
        ("<action>urn:insert</action>", "the action is 'urn:insert'; what was posted to is"),
        ("<action><x/></action>", "action: there is no attribute 'x'"),
    ],
)
def test_an_insert_in_xml_that_is_none_is_refused(inside: str, says: str) -> None:
    assert says in refusal(XML_READERS["insert"], f"<Action {NS}>{inside}</Action>".encode())


@settings(max_examples=150, deadline=None, database=None)
@given(body=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_no_bytes_at_all_are_more_than_a_bad_request(body: bytes) -> None:
    for read in (*JSON_READERS.values(), *XML_READERS.values()):
        try:
            read(body)
        except BadRequest:
            continue


_NAMES = st.sampled_from([
    "href", "id", "name", "properties", "resourceURI", "action", "volume", "volumeTemplate",
    "machineTemplate", "machineConfig", "volumeTemplates", "volumes", "disks", "initialLocation",
    "capacity", "componentDescriptors", "type", "quantity", "systemTemplate",
])  # fmt: skip
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, database=None)
@given(said=st.dictionaries(_NAMES, _ANYTHING, max_size=4), version=st.sampled_from([V1, V2]))
def test_no_values_in_the_wrong_place_are_more_than_a_bad_request(
    said: dict[str, Any], version: CimiVersion
) -> None:
    links, body = LINKS[version], json.dumps(said).encode()
    for type_name in ("Machine", "locatedVolume", "System", "MachineConfiguration"):
        try:
            found = json_decoder.decode_create(body, type_name, links)
        except BadRequest:
            continue
        else:  # what was taken can be given back
            created = "Volume" if type_name == "locatedVolume" and found.template else type_name
            creating.json_body(created, found, links)
            creating.xml_body(created, found, links)
    try:
        json_decoder.decode_membership(body, "locatedVolume", "insert", links)
    except BadRequest:
        return
