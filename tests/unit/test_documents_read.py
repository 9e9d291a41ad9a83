"""What documents of clients are taken for; what is none is a `BadRequest` that says where.

Never is it another error.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimi_cim.errors import BadRequest
from cimi_cim.http.codec import json_codec, json_decoder, xml_codec, xml_decoder
from cimi_cim.http.codec.links import Links
from cimi_cim.model.load import load_model
from cimi_cim.model.resources import Ref, Resource
from cimi_cim.model.types import CimiVersion

MODEL = load_model()
V1, V2 = CimiVersion.V1, CimiVersion.V2
NS = 'xmlns="http://schemas.dmtf.org/cimi/2"'


def links(version: CimiVersion) -> Links:
    return Links(f"http://h:1/cimi/{version.value}", version, MODEL)


def from_json(body: bytes, type_name: str = "Machine", version: CimiVersion = V2) -> dict[str, Any]:
    return json_decoder.decode(body, type_name, links(version))


def from_xml(body: bytes, type_name: str = "Machine", version: CimiVersion = V2) -> dict[str, Any]:
    return xml_decoder.decode(body, type_name, links(version))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "line 1, column 2"),
        (b'{"name": "a",\n "cpu" 2}', "line 2, column 8"),
        (b'{"name": "a", "name": "b"}', "'name' stands twice"),
        (b'{"properties": {"k": "1", "k": "2"}}', "'k' stands twice"),
        (b'{"cpu": NaN}', "NaN"),
        (b'{"cpu": -Infinity}', "-Infinity"),
        (b'{"cpu": 1e999}', "out of range"),
        (b'{"cpu": ' + b"9" * 30 + b"}", "out of range"),
        (b'{"cpu": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"cpu": "' + b"9" * 30 + b'"}', "cpu must be an integer"),
        (b'{"cpu": 1.5}', "cpu must be an integer"),
        (b'{"cpu": true}', "cpu must be an integer"),
        (b'{"cpu": 9223372036854775808}', "out of range"),
        (b'{"properties": ' + b"[" * 100_000, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b'{"name": "' + b'\\"' * 200_000, "no JSON"),
        (b'{"name": "\\ud800"}', "U+D800"),
        (b'{"properties": {"\\udfff": "x"}}', "U+DFFF"),
        (b'{"name": "\\u0000"}', "name holds the character U+0000"),
        (b'{"name": "\xff"}', "byte 10"),
        (b'\xef\xbb\xbf{"name": "a"}', "byte order mark"),
        ('{"name": "a"}'.encode("utf-16"), "not UTF-8"),
        (b'{"nmae": "a"}', "no attribute 'nmae'; did you mean 'name'?"),
        (b'{"resourceURI": "http://schemas.dmtf.org/cimi/1/Machine"}', "cimi/2/Machine"),
        (b'{"name": 7}', "name must be a text"),
        (b'{"properties": ["a"]}', "properties must be an object"),
        (b'{"properties": {"k": 1}}', "properties.k must be a text"),
        (b'{"disks": {}}', "disks must have an href"),
        (b'{"disks": 3}', "disks must be an object with an href"),
        (b'"name"', "must be a JSON object"),
    ],
)  # fmt: skip
def test_hostile_json_is_refused_with_its_place(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        from_json(body)
    assert says in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"<Machine", "line 1"),
        (b"<Machine>", "line 1"),
        (f'<!DOCTYPE Machine [<!ENTITY a "b">]><Machine {NS}/>'.encode(), "DOCTYPE"),
        (f'<?xml version="1.0"?><!-- x --><!DOCTYPE m SYSTEM "file:///etc/passwd"><Machine {NS}/>'
         .encode(), "DOCTYPE"),
        (f"<Machine {NS}><name>&a;</name></Machine>".encode(), "Entity 'a' not defined"),
        (b"<a>" * 65 + b"</a>" * 65, "deeper than 64"),
        (b"<a>" * 5000, "no XML"),
        (b'<Machine xmlns="http://schemas.dmtf.org/cimi/1"/>', "namespace"),
        (f'<Machine {NS}><x xmlns="urn:y"/></Machine>'.encode(), "x is in the namespace urn:y"),
        (f"<Machine {NS}><name>\xff</name></Machine>".encode("latin-1"), "not UTF-8"),
        (f'<?xml version="1.0" encoding="utf-16"?><Machine {NS}/>'.encode(), "utf-16"),
        (f"<Machine {NS}/>".encode("utf-16"), "not UTF-8"),
        (f"<Volume {NS}/>".encode(), "is a Volume; what belongs here is a Machine"),
        (f"<Machine {NS}><nmae>a</nmae></Machine>".encode(), "did you mean 'name'"),
        (f"<Machine {NS}><name>a</name><name>b</name></Machine>".encode(), "name stands twice"),
        (f'<Machine {NS} colour="red"/>'.encode(), "no attribute 'colour'"),
        (f"<Machine {NS}>words</Machine>".encode(), "holds the text 'words'"),
        (f"<Machine {NS}><cpu>two</cpu></Machine>".encode(), "cpu must be an integer"),
        (f"<Machine {NS}><cpu><x/></cpu></Machine>".encode(), "cpu must be an integer"),
        (f"<Machine {NS}><name><x/></name></Machine>".encode(), "name: there is no attribute 'x'"),
        (f"<Machine {NS}><properties><property>v</property></properties></Machine>".encode(),
         "properties.property[0] has no key"),
        (f'<Machine {NS}><properties><property key="k">1</property><property key="k">2</property>'
         "</properties></Machine>".encode(), "'k' stands twice"),
        (f"<Machine {NS}><properties><prop/></properties></Machine>".encode(), "'prop'"),
    ],
)  # fmt: skip
def test_hostile_xml_is_refused_with_its_place(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        from_xml(body)
    assert says in caught.value.message
    assert len(caught.value.message) < 300


@settings(max_examples=200, deadline=None, database=None)
@given(body=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_no_bytes_at_all_are_more_than_a_bad_request(body: bytes) -> None:
    for decode in (from_json, from_xml):
        try:
            decode(body)
        except BadRequest:
            continue


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["href", "name", "properties", "disks", "volumes", "machineConfig",
                             "initialLocation", "volume", "capacity", "resourceURI"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(said=_JSON, version=st.sampled_from([V1, V2]))
def test_no_values_in_the_wrong_place_are_more_than_a_bad_request(
    said: object, version: CimiVersion
) -> None:
    for type_name in ("MachineTemplate", "ResourceMetadata", "CloudEntryPoint"):
        try:
            found = from_json(
                json.dumps({"properties": {}, "volumes": said}).encode(), type_name, version
            )
        except BadRequest:
            continue
        else:  # what was taken can be given back
            written = Resource(type_name, "", {n: v for n, v in found.items() if v is not None})
            json_codec.encode(written, links(version))
            xml_codec.encode(written, links(version))


def test_a_member_that_is_null_is_said_to_be_nothing() -> None:
    assert from_json(b'{"name": null, "cpu": 1}') == {"name": None, "cpu": 1}
    assert from_xml(f"<Machine {NS}><name/><cpu>1</cpu></Machine>".encode()) == {
        "name": None,
        "cpu": 1,
    }


def test_overrides_beside_a_reference_may_erase() -> None:
    body = b'{"machineConfig": {"href": "machineConfigs/c", "cpu": null, "memory": 4}}'
    wanted = {"machineConfig": Ref("machineConfigs/c", None, {"cpu": None, "memory": 4})}
    assert from_json(body, "MachineTemplate") == wanted
    xml = (
        f'<MachineTemplate {NS}><machineConfig href="machineConfigs/c"><cpu/><memory> 4 </memory>'
        "</machineConfig></MachineTemplate>"
    )
    assert from_xml(xml.encode(), "MachineTemplate") == wanted


@pytest.mark.parametrize("base", ["http://h:1/cimi/1/", "", "/"])
def test_references_of_1_x_become_neutral(base: str) -> None:
    href = f"{base}machines/m/networkInterfaces"
    body = json.dumps({"networkInterfaces": {"href": href}}).encode()
    assert from_json(body, "Machine", V1) == {"interfaces": Ref("machines/m/interfaces")}


def test_what_the_provider_says_of_itself_is_not_read() -> None:
    body = {
        "resourceURI": "http://schemas.dmtf.org/cimi/2/Machine", "id": "http://h:1/cimi/2/machines/m",
        "operations": [{"rel": "edit", "href": "x"}], "cpu": "2",
        "eventLog": {"href": "eventLogs/e", "name": "expanded", "more": [1]},
    }  # fmt: skip
    assert from_json(json.dumps(body).encode()) == {"cpu": 2, "eventLog": Ref("eventLogs/e")}


def test_what_is_wrong_with_a_read_only_attribute_is_not_looked_at() -> None:
    """DSP0263 4.2.1.3: silently ignored; the name still says that it stood there."""
    said = {"state": 5, "created": "yesterday", "eventLog": {}, "latestSnapshot": [], "cpu": 2}
    nothing = dict.fromkeys(said, None)
    assert from_json(json.dumps(said).encode()) == nothing | {"cpu": 2}
    body = f"<Machine {NS}><state><x/></state><created>yesterday</created><cpu>2</cpu></Machine>"
    assert from_xml(body.encode()) == {"state": None, "created": None, "cpu": 2}
    log = f'<EventLog {NS}><summary low="many" colour="red"/></EventLog>'
    assert from_xml(log.encode(), "EventLog") == {"summary": None}


def test_entries_with_types_of_their_own_may_come_as_json_has_them() -> None:
    """DSP0263 Tables 11 and 33: a map keeps texts, and its keys have types."""
    body = {"parameters": {"prefixLength": 64, "subnetAddress": "2001:db8::"}}
    wanted = {"parameters": {"prefixLength": "64", "subnetAddress": "2001:db8::"}}
    assert from_json(json.dumps(body).encode(), "ProtocolSegment") == wanted
    body = {"parameters": {"heartbeat": 5, "networkServices": {"href": "http://e/s"}}}
    wanted = {"parameters": {"heartbeat": "5", "networkServices": "http://e/s"}}
    assert from_json(json.dumps(body).encode(), "SystemService") == wanted
    with pytest.raises(BadRequest, match=r"parameters\.heartbeat must be a text"):
        from_json(b'{"parameters": {"heartbeat": [5]}}', "SystemService")


@pytest.mark.parametrize(
    ("said", "means"), [("hourly", "PT1H"), ("P1D", "P1D"), (" yearly ", "P1Y"), ("PT90M", "PT90M")]
)
def test_a_span_may_be_called_as_the_tables_call_it(said: str, means: str) -> None:
    """DSP0263 Table 50 lists words, and types the attribute as duration."""
    body = json.dumps({"intervalDuration": said}).encode()
    assert from_json(body, "MeterConfiguration") == {"intervalDuration": means}


@pytest.mark.parametrize(
    ("text", "means"),
    [("4096", 4096), ("-1", -1), ("true", True), ("01", "01"), ("1.5", "1.5"), ("disk", "disk"),
     (" 7\n", 7), ("9" * 19, "9" * 19), (" a ", " a ")],
)  # fmt: skip
def test_what_no_row_types_is_what_it_reads_like(text: str, means: object) -> None:
    body = f'<ResourceMetadata {NS}><capabilities><capability uri="u">{text}</capability>'
    body += f"</capabilities><vscope><valueScope><cpu><value>{text}</value></cpu></valueScope>"
    found = from_xml(f"{body}</vscope></ResourceMetadata>".encode(), "ResourceMetadata")
    assert found["capabilities"] == [{"uri": "u", "value": means}]
    assert found["vscope"] == [{"cpu": {"value": means}}]
    assert type(found["vscope"][0]["cpu"]["value"]) is type(means)


def test_a_word_that_1_x_writes_for_want_of_a_value_is_none() -> None:
    body = b"<MachineConfiguration><disk><capacity>7</capacity><format>unknown</format></disk>"
    found = from_xml(body + b"</MachineConfiguration>", "MachineConfiguration", V1)
    assert found == {"disks": [{"capacity": 7}]}


def test_2_0_may_leave_out_the_wrapper_that_it_prints_without_itself() -> None:
    body = f'<Machine {NS}><property key="env">test</property></Machine>'
    assert from_xml(body.encode()) == {"properties": {"env": "test"}}


@pytest.mark.parametrize("version", [V1, V2])
def test_a_document_may_leave_out_its_namespace(version: CimiVersion) -> None:
    """As the standard prints one in 4.2.1.3.1."""
    body = b"<Machine><name>My New Machine</name></Machine>"
    assert from_xml(body, "Machine", version) == {"name": "My New Machine"}


@pytest.mark.parametrize(
    "item", ["interfaceTemplate", "NetworkInterfaceTemplate", "networkInterfaceTemplate"]
)
def test_an_item_of_an_array_may_be_called_after_its_type(item: str) -> None:
    """DSP0263 5.5.11 says so; nowhere does the standard print one."""
    body = f'<MachineTemplate {NS}><interfaceTemplates><{item} href="interfaceTemplates/a"/>'
    body += f"<{item}><mtu>9</mtu></{item}></interfaceTemplates></MachineTemplate>"
    found = from_xml(body.encode(), "MachineTemplate")
    assert found == {"interfaceTemplates": [Ref("interfaceTemplates/a"), {"mtu": 9}]}


def test_free_text_keeps_its_padding_and_comments_do_not_count() -> None:
    body = f"<Machine {NS}><!-- a --><name> web </name><?pi x?><cpu>\n 2\n</cpu></Machine>"
    assert from_xml(body.encode()) == {"name": " web ", "cpu": 2}


def test_elements_that_a_value_and_a_list_share_are_told_by_their_number() -> None:
    scopes = (
        "<vscope><valueScope><cpu><value>1</value><value>2</value></cpu>"
        "<memory><value>4</value></memory></valueScope></vscope>"
    )
    body = f"<ResourceMetadata {NS}>{scopes}</ResourceMetadata>"
    assert from_xml(body.encode(), "ResourceMetadata") == {
        "vscope": [{"cpu": {"values": [1, 2]}, "memory": {"value": 4}}]
    }
