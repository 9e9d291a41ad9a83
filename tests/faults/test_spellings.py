"""The same machines, whatever spelling of CIM-XML a server has made its own."""

from __future__ import annotations

import gzip
import re
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence

import falcon.testing
import pytest

from cimi_cim.config import TargetConfig
from cimi_cim.http.app import make_app
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.deadline import Deadline
from tests.faults.proxy import FaultProxy, Play
from tests.faults.raw import spoken
from tests.services import service_over

COLLECTIONS = {"Machine": "machines", "Volume": "volumes", "Network": "networks"}
LIMIT_S = 10


def resources(url: str) -> dict[str, Resource]:
    """All machines, volumes and networks, and some of the machines with their parts by path."""
    engine = open_engine([TargetConfig("lab", url)], load_model())
    try:
        found = {
            item.path: item
            for kind, name in COLLECTIONS.items()
            for item in read(engine, Location(kind, ((name, None),)))
        }
        for path in sorted(found)[:2]:
            token = path.partition("/")[2]
            for kind, part in (("Disk", "disks"), ("NetworkInterface", "interfaces")):
                steps = (("machines", token), (part, None))
                found |= {item.path: item for item in read(engine, Location(kind, steps))}
            machine = Location("Machine", (("machines", token),))
            found[f"alone: {path}"] = engine.read(machine, None, Deadline.after(LIMIT_S))
    finally:
        engine.close()
    return found


def read(engine: Engine, location: Location) -> Sequence[Resource]:
    found = engine.read_collection(location, None, Deadline.after(LIMIT_S))
    assert not found.left_out
    return found.items


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[str, dict[str, Resource]]]:
    with lab_server(Simulation(6, seed=3)) as front:
        found = resources(front.url)
        assert sum(path.startswith("machines/") for path in found) > 6
        yield front.url, found


def names(change: Callable[[bytes], bytes], *attributes: bytes) -> Callable[[bytes], bytes]:
    pattern = re.compile(rb"(" + b"|".join(attributes) + rb')="([^"]*)"')
    return lambda body: pattern.sub(lambda m: m[1] + b'="' + change(m[2]) + b'"', body)


def keys(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    pattern = re.compile(rb'(<KEYBINDING NAME=")([^"]*)')
    return lambda body: pattern.sub(lambda m: m[1] + change(m[2]), body)


def values(kinds: bytes, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the values of properties of some types."""
    start = rb'(<PROPERTY(?:\.ARRAY)? [^>]*TYPE="(?:' + kinds + rb')"[^>]*>)'
    pattern = re.compile(start + rb"(.*?)(</PROPERTY)", re.DOTALL)
    value = re.compile(rb"(<VALUE>)([^<]*)(</VALUE>)")

    def inside(match: re.Match[bytes]) -> bytes:
        changed = value.sub(lambda m: m[1] + change(m[2]) + m[3], match[2])
        return match[1] + changed + match[3]

    return lambda body: pattern.sub(inside, body)


def without_paths(body: bytes) -> bytes:
    """Instance names only: neither host nor namespace."""
    body = re.sub(rb"<NAMESPACEPATH>.*?</NAMESPACEPATH>", b"", body, flags=re.DOTALL)
    body = re.sub(rb"<LOCALNAMESPACEPATH>.*?</LOCALNAMESPACEPATH>", b"", body, flags=re.DOTALL)
    return re.sub(rb"</?(?:LOCAL)?INSTANCEPATH>", b"", body)


def local_paths(body: bytes) -> bytes:
    body = re.sub(rb"</?NAMESPACEPATH>|<HOST>.*?</HOST>", b"", body)
    return re.sub(rb"(</?)INSTANCEPATH>", rb"\1LOCALINSTANCEPATH>", body)


_REFERENCE = re.compile(
    rb'<PROPERTY.REFERENCE NAME="(\w+)"[^>]*>(.*?)</PROPERTY.REFERENCE>', re.DOTALL
)


def uri_references(form: bytes) -> Callable[[bytes], bytes]:
    """References as strings that hold WBEM URIs; `form` has %s for namespace and the rest."""

    def written(match: re.Match[bytes]) -> bytes:
        found = re.search(rb'CLASSNAME="(\w+)"', match[2])
        assert found is not None
        pairs = re.findall(rb'KEYBINDING NAME="(\w+)"><KEYVALUE[^>]*>([^<]*)</KEYVALUE>', match[2])
        said = b",".join(name + b"=&quot;" + value + b"&quot;" for name, value in pairs)
        spaces = b"/".join(re.findall(rb'<NAMESPACE NAME="([^"]*)"', match[2])) or b"root/virt"
        uri = form % (spaces, found[1] + b"." + said)
        return (
            b'<PROPERTY NAME="'
            + match[1]
            + b'" TYPE="string"><VALUE>'
            + uri
            + b"</VALUE></PROPERTY>"
        )

    return lambda body: _REFERENCE.sub(written, body)


def qualified(body: bytes) -> bytes:
    """Qualifiers, though nobody asked."""
    qualifier = b'<QUALIFIER NAME="Key" TYPE="boolean"><VALUE>TRUE</VALUE></QUALIFIER>'
    return re.sub(rb"(<PROPERTY(?:\.ARRAY|\.REFERENCE)? [^>]*[^/]>)", rb"\1" + qualifier, body)


def arrays_without_arrays(body: bytes) -> bytes:
    return re.sub(rb"</?VALUE\.ARRAY>", b"", body)


def in_encoding(name: str, declared: str) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        text = body.decode().replace('encoding="utf-8"', f'encoding="{declared}"')
        return text.encode(name)

    return change


def numeric_keys(body: bytes) -> bytes:
    return re.sub(rb' VALUETYPE="\w+"', b"", body)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "classes in lower case": names(bytes.lower, b"CLASSNAME"),
    "classes in upper case": names(bytes.upper, b"CLASSNAME"),
    "properties and keys in lower case": names(bytes.lower, b"NAME"),
    "keys in upper case": keys(bytes.upper),
    "no host and no namespace": without_paths,
    "local paths": local_paths,
    "other hosts": lambda body: body.replace(b"lab.example", b"10.0.0.1:5988"),
    "hexadecimal": values(b"[us]int[0-9]+", lambda v: b"0x%X" % int(v) if v.isdigit() else v),
    "numbers with blanks": values(b"[us]int[0-9]+", lambda v: b" \n%s " % v),
    "numbers with a point": values(b"[us]int[0-9]+", lambda v: v + b".0"),
    "booleans": values(b"boolean", lambda v: v.strip().title()),
    "types in upper case": names(bytes.upper, b"TYPE"),
    "keys without types": numeric_keys,
    "URIs": uri_references(b"//lab.example/%s:%s"),
    "URIs with a scheme": uri_references(b"https://lab.example:5989/%s:%s"),
    "local URIs": uri_references(b"/%s:%s"),
    "object paths": uri_references(b"%s:%s"),
    "qualifiers": qualified,
    "arrays without arrays": arrays_without_arrays,
    "UTF-8 with a mark": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": in_encoding("utf-16", "utf-16"),
    "UTF-16 without a mark": in_encoding("utf-16-be", "utf-16"),
    "Latin-1": in_encoding("latin-1", "ISO-8859-1"),
    "an unknown encoding": in_encoding("utf-8", "x-nobody-knows"),
    "padding behind the document": lambda body: body + b"\0\0\0",
    "the last tags are missing": lambda body: body.rstrip()[:-25],
    "a document type": lambda body: body.replace(
        b"?>", b'?><!DOCTYPE CIM SYSTEM "cim.dtd">', 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_serves_the_same_resources(
    lab: tuple[str, dict[str, Resource]], name: str
) -> None:
    with FaultProxy(lab[0], spoken(SPELLINGS[name])) as proxy:
        found = resources(proxy.url)
    assert found == lab[1]


def chunked(trailer: bytes) -> Play:
    def play(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
        start = head.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n"
        start += b"Trailer: CIMError\r\n\r\n"
        middle = len(body) // 3
        parts = (body[:middle], body[middle : middle + 1], body[middle + 1 :])
        chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts if part)
        connection.sendall(start + chunks + b"0\r\n" + trailer + b"\r\n")

    return play


def longer(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """More is announced than comes."""
    said = b"Content-Length: %d" % (len(body) + 500)
    connection.sendall(head.replace(b"Content-Length: %d" % len(body), said) + body)


def in_characters(proxy: FaultProxy, connection: socket.socket, head: bytes, body: bytes) -> None:
    """The length counts characters, and there are some of several bytes."""
    said = b"Content-Length: %d" % (len(body) - 20)
    connection.sendall(head.replace(b"Content-Length: %d" % len(body), said) + body)


WIRES: dict[str, Play] = {
    "gzip": spoken(gzip.compress, b"\r\nContent-Encoding: gzip"),
    "deflate": spoken(zlib.compress, b"\r\nContent-Encoding: deflate"),
    "chunks with a trailer": chunked(b"X-Time: 12\r\nX-Load: 3\r\n"),
    "more announced than sent": longer,
    "less announced than sent": in_characters,
}


@pytest.mark.parametrize("name", WIRES)
def test_another_way_over_the_wire_serves_the_same_resources(
    lab: tuple[str, dict[str, Resource]], name: str
) -> None:
    with FaultProxy(lab[0], WIRES[name]) as proxy:
        found = resources(proxy.url)
    assert found == lab[1]


def test_one_broken_machine_among_many_is_left_out_and_told(
    lab: tuple[str, dict[str, Resource]],
) -> None:
    def spoil(body: bytes) -> bytes:
        """Take the path from the first machine of a listing."""
        start = rb'(<VALUE.NAMEDINSTANCE>)<INSTANCENAME CLASSNAME="LAB_VirtualSystem">'
        key = rb"<KEYBINDING [^>]*><KEYVALUE[^>]*>[^<]*</KEYVALUE></KEYBINDING>"
        return re.sub(start + b"(?:" + key + b")+</INSTANCENAME>", rb"\1", body, count=1)

    with FaultProxy(lab[0], spoken(spoil)) as proxy:
        engine = open_engine([TargetConfig("lab", proxy.url)], load_model())
        with service_over(engine) as service:
            client = falcon.testing.TestClient(make_app(service))
            answer = client.simulate_get("/cimi/2/machines")
        engine.close()
    assert answer.status_code == 200
    assert answer.json["count"] == 5
    assert answer.headers["X-CIMI-Incomplete"] == "lab"
    assert "1 instance of CIM_ComputerSystem cannot be read" in answer.headers["Warning"]


def test_a_value_that_no_map_knows_leaves_its_attribute_out_and_no_machine(
    lab: tuple[str, dict[str, Resource]], caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(body: bytes) -> bytes:
        body = re.sub(rb'(<PROPERTY NAME="EnabledState" [^>]*><VALUE>)\d+', rb"\g<1>31999", body)
        return body.replace(b"DMTF:x86:64", b"ACME:turbo")

    with FaultProxy(lab[0], spoken(unknown)) as proxy:
        found = resources(proxy.url)
    assert found.keys() == lab[1].keys()
    machines = [item for path, item in found.items() if re.fullmatch("machines/[^/]+", path)]
    assert {item.values.get("state") for item in machines} <= {"STARTED", "STOPPED", "ERROR"}
    assert {item.values.get("cpuArch") for item in machines} == {None}
    told = [r.getMessage() for r in caplog.records if "ACME:turbo" in r.getMessage()]
    assert len(told) <= 1
