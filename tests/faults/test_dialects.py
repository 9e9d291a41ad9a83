"""What known WBEM servers answer instead of what the standard says, over real HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cimi_cim.errors import CimiCimError
from cimi_cim.wbem.cleaning import tell_once
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import InstanceDecoder
from cimi_cim.wbem.dialect import Dialect, load_dialect
from cimi_cim.wbem.errors import (
    WbemBadReply,
    WbemFailed,
    WbemInvalidParameter,
    WbemNotCimXml,
    WbemNotFound,
    WbemNotSupported,
    WbemOutcomeUnknown,
)
from cimi_cim.wbem.gateway import TypedValue
from cimi_cim.wbem.transport import ConnectionSettings
from cimi_cim.wbem.values import InstancePath, Row, Rows
from tests.faults.raw import error, listing, named, raw_server, reply

NS = "root/x"
THING = InstancePath(NS, "X_Thing", (("Name", "one"),))
PULLING = replace(load_dialect("generic"), pull=True)
VALUE = '<PROPERTY NAME="{}" TYPE="{}"><VALUE>{}</VALUE></PROPERTY>'


@pytest.fixture(autouse=True)
def every_warning_is_told() -> None:
    tell_once.cache_clear()


@contextmanager
def gateway(url: str, dialect: Dialect | None = None) -> Iterator[WbemClient]:
    client = WbemClient(ConnectionSettings(url), dialect or load_dialect("generic"))
    with closing(client):
        yield client


def soon() -> Deadline:
    return Deadline.after(10)


def things(client: WbemClient, *properties: str) -> list[Row]:
    return client.enumerate_instances("X_Thing", NS, properties or ("Name",), deadline=soon())


def listed(body: bytes, *properties: str) -> list[Row]:
    with raw_server(lambda *_: body) as raw, gateway(raw.url) as client:
        return things(client, *properties)


def value(element: str, name: str = "P") -> Any:
    [row] = listed(listing(named("one", element)), name)
    return row.get(name)


# --- values


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("uint16", "0x10", 16),
        ("uint16", "0X1f", 31),
        ("uint64", " 42 ", 42),
        ("sint32", "-42.0", -42),
        ("uint32", "+7", 7),
        ("uint32", "0042", 42),
        ("UINT32", "42", 42),
        ("uint32", "", None),
        ("real32", "inf", None),
        ("real64", " 1e3 ", 1000.0),
        ("boolean", "True", True),
        ("boolean", " false\n", False),
        ("boolean", "1", True),
        ("boolean", "", None),
        ("colour", "red", "red"),
        ("string", "&lt;b&gt;", "<b>"),
    ],
)
def test_a_value_is_read_as_it_is_meant(kind: str, text: str, expected: Any) -> None:
    found = value(VALUE.format("P", kind, text))
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "text"), [("uint16", "many"), ("uint16", "1.5"), ("boolean", "maybe")]
)
def test_a_value_of_another_type_is_null_and_told_once(
    kind: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    element = VALUE.format("P", kind, text) + VALUE.format("Q", "string", "kept")
    body = listing(*(named(f"t{number}", element) for number in range(50)))
    with caplog.at_level(logging.WARNING, "cimi_cim"):
        rows = listed(body, "P", "Q")
    assert [row.get("P") for row in rows] == [None] * 50
    assert [row.get("Q") for row in rows] == ["kept"] * 50
    [told] = [record.getMessage() for record in caplog.records]
    assert "X_Thing.P cannot be read and is left out" in told


PATH = '<INSTANCENAME CLASSNAME="Y"><KEYBINDING NAME="K"><KEYVALUE>v</KEYVALUE></KEYBINDING>'
PATH += "</INSTANCENAME>"
LOCAL = '<LOCALNAMESPACEPATH><NAMESPACE NAME="root"/><NAMESPACE NAME="y"/></LOCALNAMESPACEPATH>'


@pytest.mark.parametrize(
    ("inner", "namespace"),
    [
        (PATH, NS),
        (f"<LOCALINSTANCEPATH>{LOCAL}{PATH}</LOCALINSTANCEPATH>", "root/y"),
        (
            f"<INSTANCEPATH><NAMESPACEPATH><HOST>h</HOST>{LOCAL}</NAMESPACEPATH>{PATH}"
            "</INSTANCEPATH>", "root/y",
        ),
        (f"<INSTANCEPATH><NAMESPACEPATH><HOST>h</HOST></NAMESPACEPATH>{PATH}</INSTANCEPATH>", NS),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "outer",
    [
        '<PROPERTY.REFERENCE NAME="P"><VALUE.REFERENCE>{}</VALUE.REFERENCE></PROPERTY.REFERENCE>',
        '<PROPERTY.REFERENCE NAME="P">{}</PROPERTY.REFERENCE>',
        '<PROPERTY NAME="P" TYPE="reference"><VALUE.REFERENCE>{}</VALUE.REFERENCE></PROPERTY>',
    ],
)
def test_a_reference_is_read_in_every_spelling(outer: str, inner: str, namespace: str) -> None:
    assert value(outer.format(inner)) == InstancePath(namespace, "Y", (("K", "v"),))


def test_a_reference_to_a_class_or_to_nothing_is_null() -> None:
    for inner in ('<VALUE.REFERENCE><CLASSNAME NAME="Y"/></VALUE.REFERENCE>', "", "<VALUE.NULL/>"):
        assert value(f'<PROPERTY.REFERENCE NAME="P">{inner}</PROPERTY.REFERENCE>') is None


def test_keys_compare_whether_they_come_as_numbers_or_as_text() -> None:
    number, text = (InstancePath(NS, "X", (("Id", value),)) for value in (7, "7"))
    assert number == text
    assert hash(number) == hash(text)


# --- characters


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"a\x01b\x1fc", "a\ufffdb\ufffdc"),
        (b"end\x00", "end\ufffd"),
        (b"a&#1;b&#x1F;c", "a\ufffdb\ufffdc"),
        (b"&#0;", "\ufffd"),
        (b"&#xFFFF;&#xD800;", "\ufffd\ufffd"),
        (b"\xef\xbf\xbf", "\ufffd"),
        (b"tab&#9;&#65;&#x1F600;", "tab\tA\U0001f600"),
        (b"M\xfcller \xe9t\xe9", "Müller été"),
        ("Müller \u20ac".encode(), "Müller \u20ac"),
        ("M\u00fcller".encode() + b" M\xfcller", "Müller Müller"),
        (b"\x80 and \x93quoted\x94", "\u20ac and \u201cquoted\u201d"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 65536])
def test_illegal_characters_cost_nothing_but_themselves(
    sent: bytes, expected: str, size: int
) -> None:
    """Wherever the network cuts them."""
    element = VALUE.format("P", "string", "@")
    body = listing(named("one", element), named("two")).replace(b"@", sent)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    rows = InstanceDecoder(["P"], NS).decode(chunks)
    assert [row.get("P") for row in rows] == [expected, None]
    assert [row.get("P") for row in listed(body, "P")] == [expected, None]


# --- instances and paths


BROKEN = (
    '<VALUE.NAMEDINSTANCE><INSTANCE CLASSNAME="X_Thing"></INSTANCE></VALUE.NAMEDINSTANCE>',
    '<VALUE.NAMEDINSTANCE><INSTANCENAME CLASSNAME="X_Thing"><KEYBINDING NAME="Name"/>'
    '</INSTANCENAME><INSTANCE CLASSNAME="X_Thing"></INSTANCE></VALUE.NAMEDINSTANCE>',
    "<VALUE.NAMEDINSTANCE><INSTANCENAME/></VALUE.NAMEDINSTANCE>",
    '<VALUE.NAMEDINSTANCE><CLASSNAME NAME="X_Thing"/></VALUE.NAMEDINSTANCE>',
    '<INSTANCE CLASSNAME="X_Thing"></INSTANCE>',
    "<INSTANCEPATH><NAMESPACEPATH/></INSTANCEPATH>",
)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_instance_among_thousands_is_left_out(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = [named(f"t{number}") for number in range(2000)]
    with caplog.at_level(logging.WARNING, "cimi_cim"):
        rows = listed(listing(*good[:1000], broken, *good[1000:], broken))
    assert len(rows) == 2000
    assert isinstance(rows, Rows)
    assert rows.left_out == 2
    assert 1 <= len(caplog.records) <= 2


def test_a_listing_of_nothing_but_broken_instances_is_an_error_and_not_empty() -> None:
    with pytest.raises(WbemBadReply, match="none of the 3 instances"):
        listed(listing(*BROKEN[:1] * 3))


def test_a_path_without_keys_or_with_a_nameless_key_is_sent_back_as_it_came() -> None:
    bare = '<VALUE.NAMEDINSTANCE><INSTANCENAME CLASSNAME="X_Thing">{}</INSTANCENAME>'
    bare += '<INSTANCE CLASSNAME="X_Thing"></INSTANCE></VALUE.NAMEDINSTANCE>'
    for keys in ("", '<KEYVALUE VALUETYPE="string">one</KEYVALUE>'):
        body = listing(bare.format(keys))
        got = reply('<IRETURNVALUE><INSTANCE CLASSNAME="X_Thing"/></IRETURNVALUE>')

        def answer(name: str, _: str, body: bytes = body, got: bytes = got) -> bytes:
            return got if name == "GetInstance" else body

        with raw_server(answer) as raw, gateway(raw.url) as client:
            [row] = things(client)
            client.get_instance(row.path, ["Name"], deadline=soon())
        assert "KEYBINDING" not in raw.requests[-1]
        assert ("one</KEYVALUE></INSTANCENAME>" in raw.requests[-1]) is bool(keys)


# --- operations


def pulls_refused(answer: bytes) -> Callable[[str, str], bytes]:
    return lambda name, _: answer if name.startswith("Open") else listing(named("one"))


@pytest.mark.parametrize(
    "answer",
    [error(7), error(17, "OpenEnumerateInstances"), error(16), error(1, "not supported"), error(1)],
)
def test_a_server_that_refuses_pulls_is_asked_the_classic_way_from_then_on(answer: bytes) -> None:
    with raw_server(pulls_refused(answer)) as raw, gateway(raw.url, PULLING) as client:
        assert len(things(client)) == 1
        assert len(things(client)) == 1
    assert raw.asked == ["OpenEnumerateInstances", "EnumerateInstances", "EnumerateInstances"]


def test_a_failure_that_is_not_about_pulls_is_told_and_forgotten() -> None:
    with raw_server(lambda *_: error(1, "broken")) as raw, gateway(raw.url, PULLING) as client:
        for _ in range(2):
            with pytest.raises(WbemFailed, match="broken"):
                things(client)
    assert raw.asked == ["OpenEnumerateInstances", "EnumerateInstances"] * 2


def test_a_pull_answered_like_the_classic_operation_is_whole() -> None:
    body = listing(named("one"), named("two"))
    with raw_server(lambda *_: body) as raw, gateway(raw.url, PULLING) as client:
        assert len(things(client)) == 2
        assert len(things(client)) == 2
    assert raw.asked == ["OpenEnumerateInstances", "EnumerateInstances"]


def test_an_enumeration_that_the_server_forgot_is_read_the_classic_way() -> None:
    opened = listing(named("one")).replace(
        b"</IRETURNVALUE>",
        b'</IRETURNVALUE><PARAMVALUE NAME="EndOfSequence"><VALUE>FALSE</VALUE></PARAMVALUE>'
        b'<PARAMVALUE NAME="EnumerationContext"><VALUE>c1</VALUE></PARAMVALUE>',
    )
    answers = {
        "OpenEnumerateInstances": opened,
        "PullInstancesWithPath": error(21),
        "EnumerateInstances": listing(named("one"), named("two")),
    }
    with raw_server(lambda name, _: answers[name]) as raw, gateway(raw.url, PULLING) as client:
        assert [row.path for row in things(client)] == [
            THING, InstancePath(NS, "X_Thing", (("Name", "two"),)),
        ]  # fmt: skip
        things(client)
    assert raw.asked[3] == "OpenEnumerateInstances"  # the next time it may remember


@pytest.mark.parametrize("code", [4, 12])
def test_a_server_that_minds_property_lists_is_asked_without(code: int) -> None:
    def answer(_: str, request: str) -> bytes:
        return error(code) if "PropertyList" in request else listing(named("one"))

    with raw_server(answer) as raw, gateway(raw.url) as client:
        assert len(things(client)) == 1
        assert len(things(client)) == 1
    assert ["PropertyList" in request for request in raw.requests] == [True, False, False]


def test_a_parameter_that_is_wrong_for_another_reason_is_told() -> None:
    with raw_server(lambda *_: error(4, "no")) as raw, gateway(raw.url) as client:
        for _ in range(2):
            with pytest.raises(WbemInvalidParameter):
                things(client)
    assert ["PropertyList" in request for request in raw.requests] == [True, False] * 2


def test_a_dialect_without_property_lists_never_sends_one() -> None:
    with (
        raw_server(lambda *_: listing(named("one"))) as raw,
        gateway(raw.url, load_dialect("sfcb")) as client,
    ):
        things(client)
    assert "PropertyList" not in raw.requests[0]


def test_a_dialect_says_by_which_words_a_server_lacks_something(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nnot_supported: ['no provider', '^method .* unknown']\n")
    for text, is_meant in (("No Provider for X", True), ("Method Y unknown", True), ("no", False)):
        expected = WbemNotSupported if is_meant else WbemFailed
        with (
            raw_server(lambda *_, t=text: error(1, t)) as raw,
            gateway(raw.url, load_dialect(str(file))) as client,
            pytest.raises(expected) as caught,
        ):
            things(client)
        assert type(caught.value) is expected
        assert caught.value.code == 1


def test_a_walk_that_sfcb_has_no_provider_for_is_not_supported() -> None:
    words = "Provider not found or not loadable"
    with raw_server(lambda *_: error(6, words)) as raw:
        with gateway(raw.url, load_dialect("sfcb")) as client, pytest.raises(WbemNotSupported):
            client.associators(THING, ["Name"], assoc_class="X_Link", deadline=soon())
        with gateway(raw.url) as client, pytest.raises(WbemNotFound):
            client.associators(THING, ["Name"], assoc_class="X_Link", deadline=soon())


# --- methods


def called(inner: str) -> Any:
    body = reply(inner, "Start", "METHODRESPONSE")
    with raw_server(lambda *_: body) as raw, gateway(raw.url) as client:
        return client.invoke_method(THING, "Start", {}, deadline=soon())


ZERO = '<RETURNVALUE PARAMTYPE="uint32"><VALUE>0</VALUE></RETURNVALUE>'


def test_a_method_that_returns_0_with_a_job_hands_out_the_job() -> None:
    job = f'<PARAMVALUE NAME="Job" PARAMTYPE="reference"><VALUE.REFERENCE>{PATH}</VALUE.REFERENCE>'
    outcome = called(f"{ZERO}{job}</PARAMVALUE>")
    assert outcome.return_value == 0
    assert outcome.out["Job"] == InstancePath(NS, "Y", (("K", "v"),))


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<RETURNVALUE><VALUE>4096</VALUE></RETURNVALUE>", 4096),
        ('<RETURNVALUE PARAMTYPE="UINT32"><VALUE> 0x1000 </VALUE></RETURNVALUE>', 4096),
        ('<RETURNVALUE PARAMTYPE="string"><VALUE>done</VALUE></RETURNVALUE>', "done"),
        ("<RETURNVALUE/>", None),
        ("", None),
    ],
)
def test_return_values_are_read_as_they_are_meant(inner: str, expected: Any) -> None:
    assert called(inner).return_value == expected


def test_an_out_parameter_that_cannot_be_read_is_null() -> None:
    keyless = '<VALUE.REFERENCE><INSTANCENAME CLASSNAME="Y"/></VALUE.REFERENCE>'
    outcome = called(
        f'{ZERO}<PARAMVALUE NAME="A" PARAMTYPE="uint8"><VALUE>x</VALUE></PARAMVALUE>'
        f'<PARAMVALUE NAME="B" PARAMTYPE="reference">{keyless}</PARAMVALUE>'
        '<PARAMVALUE NAME="C" PARAMTYPE="string"><VALUE>kept</VALUE></PARAMVALUE>'
    )
    assert outcome.out == {"A": None, "B": None, "C": "kept"}


def test_a_return_value_that_is_no_number_leaves_the_outcome_unknown() -> None:
    with pytest.raises(WbemOutcomeUnknown):
        called('<RETURNVALUE PARAMTYPE="uint32"><VALUE>fine</VALUE></RETURNVALUE>')


def test_a_change_answered_with_nothing_has_happened() -> None:
    for inner in ("<IRETURNVALUE/>", "<IRETURNVALUE></IRETURNVALUE>", ""):
        with raw_server(lambda *_, i=inner: reply(i)) as raw, gateway(raw.url) as client:
            client.modify_instance(THING, {"Name": TypedValue("string", "x")}, deadline=soon())
        assert raw.asked == ["ModifyInstance"]


# --- HTTP


def refusal(status: int, headers: dict[str, str], body: bytes = b"") -> CimiCimError:
    with (
        raw_server(lambda *_: body, status, headers) as raw,
        gateway(raw.url) as client,
        pytest.raises(CimiCimError) as caught,
    ):
        things(client)
    return caught.value


def test_a_request_that_the_server_does_not_take_is_told_with_its_words() -> None:
    said = {"CIMError": "request-not-valid", "PGErrorDetail": "Bad%20element%20VALUE.ARRAY"}
    error = refusal(400, said)
    assert isinstance(error, WbemBadReply)
    assert "HTTP 400, request-not-valid (Bad element VALUE.ARRAY)" in error.message
    assert isinstance(refusal(501, {"CIMError": "unsupported-operation"}), WbemNotSupported)


@pytest.mark.parametrize(
    ("status", "media", "body"),
    [
        (200, "text/html", b"<html><body>It works!</body></html>"),
        (200, "application/xml", b"<!DOCTYPE html><html><body>Log in</body></html>"),
        (200, "application/xml", b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>"),
        (200, "application/xml", b"<feed/>"),
        (404, "text/plain", b"no"),
    ],
)
def test_something_else_than_a_wbem_server_is_told(status: int, media: str, body: bytes) -> None:
    error = refusal(status, {"Content-Type": media}, body)
    assert isinstance(error, WbemNotCimXml)
    assert "check host, port" in error.message


@pytest.mark.parametrize("body", [b"<CIM/>", b"<CIM><MESSAGE></MESSAGE></CIM>", b"  "])
def test_a_reply_without_a_response_is_no_empty_answer(body: bytes) -> None:
    with pytest.raises(WbemBadReply):
        listed(body)


def test_bad_replies_cost_no_connection() -> None:
    with raw_server(lambda *_: b"<CIM><MESSAGE>") as raw:
        client = WbemClient(ConnectionSettings(raw.url, max_concurrency=2), PULLING)
        with closing(client):
            for _ in range(5):
                with pytest.raises(WbemBadReply):
                    things(client)
