"""Replies decode to the values pywbem would give, straight to the wanted properties."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import pywbem
from pywbem._tupleparse import TupleParser
from pywbem._tupletree import xml_to_tupletree_sax

from cimi_cim.wbem.decode import _FED_BYTES, InstanceDecoder, _sliced, decode_method
from cimi_cim.wbem.errors import WbemBadReply, WbemNotCimXml, WbemNotFound
from cimi_cim.wbem.values import CimDateTime, EmbeddedInstance, InstancePath
from tests.shared_files import SHARED, needs_shared

CAPTURES = SHARED / "captures" / "libvirt-cim"


def recorded() -> list[Path]:
    return [
        path
        for folder in ("instances", "associations")
        for path in sorted(CAPTURES.glob(f"*/{folder}/*.response.xml*"))
    ]


def body_of(path: Path) -> bytes:
    body = path.read_bytes()
    return gzip.decompress(body) if path.suffix == ".gz" else body


def plain(value: Any) -> Any:
    """A pywbem value in the form of ours."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, list):
        return tuple(plain(item) for item in value)
    if isinstance(value, pywbem.CIMDateTime):
        return CimDateTime(str(value))
    if isinstance(value, pywbem.CIMInstanceName):
        keys = tuple((name, plain(key)) for name, key in value.keybindings.items())
        return InstancePath(value.namespace or "root/virt", value.classname, keys)
    if isinstance(value, pywbem.CIMInstance):
        return EmbeddedInstance(
            value.classname, {p.name: plain(p.value) for p in value.properties.values()}
        )
    return float(value) if isinstance(value, float) else int(value)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, EmbeddedInstance) and isinstance(theirs, EmbeddedInstance):
        return (ours.classname, dict(ours.values)) == (theirs.classname, dict(theirs.values))
    return bool(ours == theirs)


def objects_in(tree: Any) -> list[pywbem.CIMInstance]:
    if isinstance(tree, pywbem.CIMInstance):
        return [tree]
    if isinstance(tree, tuple | list):
        return [found for part in tree for found in objects_in(part)]
    return []


@needs_shared
@pytest.mark.parametrize(
    "path", recorded(), ids=lambda p: f"{p.parts[-3]}-{p.name.split('.resp')[0]}"
)
def test_recorded_replies_decode_to_pywbems_values(path: Path) -> None:
    body = body_of(path)
    if b"<ERROR" in body or b"<INSTANCE " not in body or "get." in path.name:
        return
    tree = TupleParser().parse_cim(xml_to_tupletree_sax(body, "recorded reply"))
    theirs = objects_in(tree)
    names = sorted({name for instance in theirs for name in instance.properties})
    rows = InstanceDecoder(names, "root/virt").decode([body])
    assert len(rows) == len(theirs) > 0
    for row, instance in zip(rows, theirs, strict=True):
        for prop in instance.properties.values():
            assert same(row.get(prop.name), plain(prop.value)), prop.name
        if instance.path is not None:
            assert row.path == plain(instance.path)


REPLY = (
    '<?xml version="1.0" encoding="utf-8"?><CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1"'
    ' PROTOCOLVERSION="1.0"><SIMPLERSP><IMETHODRESPONSE NAME="X">{}</IMETHODRESPONSE></SIMPLERSP>'
    "</MESSAGE></CIM>"
)
NAMED = (
    '<VALUE.NAMEDINSTANCE><INSTANCENAME CLASSNAME="C"><KEYBINDING NAME="K"><KEYVALUE>k</KEYVALUE>'
    '</KEYBINDING></INSTANCENAME><INSTANCE CLASSNAME="C">{}</INSTANCE></VALUE.NAMEDINSTANCE>'
)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        (
            '<PROPERTY NAME="P" TYPE="uint64"><VALUE>18446744073709551615</VALUE></PROPERTY>',
            2**64 - 1,
        ),
        ('<PROPERTY NAME="P" TYPE="sint8"><VALUE>-128</VALUE></PROPERTY>', -128),
        ('<PROPERTY NAME="P" TYPE="uint16"><VALUE>0x1F</VALUE></PROPERTY>', 31),
        ('<PROPERTY NAME="P" TYPE="real64"><VALUE>1.5E3</VALUE></PROPERTY>', 1500.0),
        ('<PROPERTY NAME="P" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>', True),
        ('<PROPERTY NAME="P" TYPE="boolean"><VALUE>false</VALUE></PROPERTY>', False),
        ('<PROPERTY NAME="P" TYPE="char16"><VALUE>x</VALUE></PROPERTY>', "x"),
        ('<PROPERTY NAME="P" TYPE="string"><VALUE></VALUE></PROPERTY>', ""),
        ('<PROPERTY NAME="P" TYPE="string"></PROPERTY>', None),
        (
            '<PROPERTY NAME="P" TYPE="datetime"><VALUE>20261124031500.000000+060</VALUE>'
            "</PROPERTY>",
            CimDateTime("20261124031500.000000+060"),
        ),
        (
            '<PROPERTY.ARRAY NAME="P" TYPE="uint16"><VALUE.ARRAY><VALUE>1</VALUE><VALUE.NULL/>'
            "</VALUE.ARRAY></PROPERTY.ARRAY>",
            (1, None),
        ),
        (
            '<PROPERTY.REFERENCE NAME="P"><VALUE.REFERENCE><INSTANCENAME CLASSNAME="D"><KEYBINDING'
            ' NAME="N"><KEYVALUE VALUETYPE="numeric">7</KEYVALUE></KEYBINDING></INSTANCENAME>'
            "</VALUE.REFERENCE></PROPERTY.REFERENCE>",
            InstancePath("root/virt", "D", (("N", 7),)),
        ),
    ],
)
def test_every_cim_type_decodes(element: str, value: Any) -> None:
    body = REPLY.format(f"<IRETURNVALUE>{NAMED.format(element)}</IRETURNVALUE>").encode()
    [row] = InstanceDecoder(["p"], "root/virt").decode([body[:90], body[90:]])
    assert row.get("p") == value


def properties(*names: str) -> str:
    return "".join(
        f'<PROPERTY NAME="{name}" TYPE="string"><VALUE>{name.lower()}</VALUE></PROPERTY>'
        for name in names
    )


@pytest.mark.parametrize(
    "order",
    [
        "PABCDEFG",  # as the first one
        "ABCDEFGP",  # the same ones in another order
        "APCDEFGB",
        "pABCDEFG",  # in another case
        "PABCDEF",  # one is missing
        "PABCDEFGH",
        "XABCDEFG",  # the wanted one is missing
    ],
)
def test_values_are_read_by_name_wherever_they_stand(order: str) -> None:
    """Places are learned of the first instance, and held against the names of the others."""
    items = [NAMED.format(properties(*names)) for names in ("PABCDEFG", "PABCDEFG", order)]
    body = REPLY.format(f"<IRETURNVALUE>{''.join(items)}</IRETURNVALUE>").encode()
    rows = InstanceDecoder(["p", "b"], "root/virt").decode([body])
    expected = ("p" if "p" in order.lower() else None, "b")
    assert [(row.get("p"), row.get("b")) for row in rows] == [("p", "b"), ("p", "b"), expected]


def test_a_long_chunk_is_parsed_piece_by_piece() -> None:
    """What was read is cleared before more is built, however much comes at once."""
    long = properties("P").replace(">p<", f">{'x' * 1000}<")
    body = REPLY.format(f"<IRETURNVALUE>{NAMED.format(long) * 400}</IRETURNVALUE>").encode()
    assert len(body) > 10 * _FED_BYTES
    pieces = list(_sliced([body]))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == _FED_BYTES
    assert len(InstanceDecoder(["p"], "root/virt").decode([body])) == 400


def test_a_cim_error_in_the_reply_is_raised() -> None:
    body = REPLY.format('<ERROR CODE="6" DESCRIPTION="gone"/>').encode()
    with pytest.raises(WbemNotFound) as caught:
        InstanceDecoder([], "root/virt").decode([body])
    assert (caught.value.code, caught.value.description) == (6, "gone")


@pytest.mark.parametrize(
    "body", [b"<html><body>hello</body></html>", b"{}", b"<!DOCTYPE html><p/>"]
)
def test_what_is_no_wbem_server_is_told_so(body: bytes) -> None:
    with pytest.raises(WbemNotCimXml, match="check host, port"):
        InstanceDecoder([], "root/virt").decode([body])


def test_a_reply_cut_short_is_no_short_answer() -> None:
    body = REPLY.format(f"<IRETURNVALUE>{NAMED.format('') * 3}</IRETURNVALUE>").encode()
    with pytest.raises(WbemBadReply):
        InstanceDecoder([], "root/virt").decode([body[: len(body) // 2]])


def test_entities_are_not_expanded() -> None:
    body = b'<?xml version="1.0"?><!DOCTYPE CIM [<!ENTITY a "b">]><CIM>&a;</CIM>'
    with pytest.raises((WbemNotCimXml, WbemBadReply)):
        InstanceDecoder([], "root/virt").decode([body])


def test_method_replies_give_return_value_and_out_parameters() -> None:
    reply = REPLY.replace("IMETHODRESPONSE", "METHODRESPONSE").format(
        '<RETURNVALUE PARAMTYPE="uint32"><VALUE>4096</VALUE></RETURNVALUE>'
        '<PARAMVALUE NAME="Job" PARAMTYPE="reference"><VALUE.REFERENCE>'
        '<INSTANCENAME CLASSNAME="J"><KEYBINDING NAME="I"><KEYVALUE>1</KEYVALUE></KEYBINDING>'
        "</INSTANCENAME></VALUE.REFERENCE></PARAMVALUE>"
    )
    returned, out = decode_method([reply.encode()], "root/virt")
    assert returned == 4096
    assert out == {"Job": InstancePath("root/virt", "J", (("I", "1"),))}


def test_paths_compare_without_case_and_order_but_values_exactly() -> None:
    one = InstancePath("root/virt", "CIM_X", (("A", "v"), ("B", 1)))
    assert one == InstancePath("Root/Virt", "cim_x", (("b", 1), ("a", "v")))
    assert one != InstancePath("root/virt", "CIM_X", (("A", "V"), ("B", 1)))
