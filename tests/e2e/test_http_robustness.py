"""The bridge's HTTP side as sockets see it: what is refused, how, and what hrefs say."""

from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cimi_cim.config import HttpConfig
from cimi_cim.errors import BadRequest
from cimi_cim.http.admission import MAX_PARAMETERS, MAX_URI_BYTES
from cimi_cim.http.app import make_app
from cimi_cim.http.origin import origin
from cimi_cim.http.server import MAX_HEADER_BYTES, HttpServer
from cimi_cim.mapping.engine import Engine
from cimi_cim.model.load import load_model
from tests.services import service_over

MODEL = load_model()
LIMIT_S = 30
BODY_LIMIT = 1000


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def entry_id(self) -> str:
        return str(json.loads(self.body)["id"])


@contextmanager
def serving(config: HttpConfig) -> Iterator[int]:
    """Serve an engine without targets: enough for what never reaches a target."""
    with service_over(Engine([])) as service:
        server = HttpServer(make_app(service, http=config), config)
        server.start()
        try:
            yield int(server.url.rpartition(":")[2])
        finally:
            assert server.drain(LIMIT_S)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(HttpConfig(port=0, threads=2, max_body_bytes=BODY_LIMIT)) as found:
        yield found


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[int]:
    trusted = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
    with serving(HttpConfig(port=0, threads=2, trusted_proxies=trusted)) as found:
        yield found


def send(port: int, request: bytes, method: str = "GET") -> Answer:
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
        connection.sendall(request)
        reply = http.client.HTTPResponse(connection, method=method)
        reply.begin()
        return Answer(reply.status, reply.headers, reply.read())


def get(port: int, target: str = "/cimi/2", *headers: str, host: str = "h") -> Answer:
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return send(port, "\r\n".join(lines).encode("latin-1"))


def assert_refused(answer: Answer, status: int) -> None:
    """Every refusal is a Job with a request id, whoever refused."""
    assert answer.status == status
    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    job = json.loads(answer.body)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10000 + status)
    assert job["resourceURI"] == "http://schemas.dmtf.org/cimi/2/Job"


@pytest.mark.parametrize(
    "target",
    [
        "/cimi/2/%", "/cimi/2/%4", "/cimi/2/%zz", "/cimi/2/%C3", "/cimi/2/\xff",
        "/cimi/2/%00", "/cimi/2/%0A", "/cimi/2/%7f",
        "/cimi/2/machines%2Fx", "/cimi%2f2",
        "//cimi/2", "/cimi//2", "/cimi/2//", "/cimi/2//machines", "//",
        "/cimi/2/.", "/cimi/2/..", "/cimi/../cimi/2", "/cimi/./2", "/cimi/%2e%2E/cimi/2",
        "http://h//cimi", "/cimi/2#x",
        "/cimi/2?a=%", "/cimi/2?$filter=%fe", "/cimi/2?a=%00",
        "/cimi/2?" + "&".join(["a=1"] * (MAX_PARAMETERS + 1)),
    ],
)  # fmt: skip
def test_a_uri_that_is_not_clean_is_a_bad_request(port: int, target: str) -> None:
    assert_refused(get(port, target), 400)


@pytest.mark.parametrize(
    "target",
    ["/cimi/2/", "/%63imi/2", "http://other:81/cimi/2", "HTTP://other/cimi/2?a=b",
     "/cimi/2?a=//../%2F%0A", "/cimi/2?" + "&".join(["a=1"] * MAX_PARAMETERS)],
)  # fmt: skip
def test_a_uri_that_is_clean_is_served(port: int, target: str) -> None:
    assert get(port, target).status == 200


@pytest.mark.parametrize("target", ["*", "cimi/2", "h:80"])
def test_a_target_that_is_no_path_is_refused(port: int, target: str) -> None:
    assert_refused(get(port, target), 400)


def test_what_is_too_long_is_refused_and_the_server_goes_on(port: int) -> None:
    room = MAX_URI_BYTES - len("/cimi/2?")
    assert get(port, "/cimi/2?" + "a" * room).status == 200
    assert_refused(get(port, "/cimi/2?" + "a" * (room + 1)), 414)
    assert_refused(get(port, "/cimi/2", f"X-Long: {'a' * MAX_HEADER_BYTES}"), 431)
    assert get(port).status == 200


def post(length: int, *, said: int | None = None, chunked: bool = False) -> bytes:
    if chunked:
        return (
            b"POST /cimi/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%b\r\n0\r\n\r\n" % (length, b"x" * length)
        )
    head = "POST /cimi/2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    return (head % (length if said is None else said)).encode() + b"x" * length


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(port: int, chunked: bool) -> None:
    assert_refused(send(port, post(BODY_LIMIT, chunked=chunked)), 405)
    assert_refused(send(port, post(BODY_LIMIT + 1, chunked=chunked)), 413)
    assert_refused(send(port, post(2**21, chunked=chunked)), 413)


def test_a_body_far_beyond_the_limit_is_refused_before_it_comes(port: int) -> None:
    assert_refused(send(port, post(0, said=2**40)), 413)
    waiting = post(0, said=2**40).replace(b"Host", b"Expect: 100-continue\r\nHost")
    assert_refused(send(port, waiting), 413)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /cimi/2 HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"get /cimi/2 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /cimi/2 HTTP/1.1\r\nHost: h\r\nA: b\n\r\n\r\n",
        b"POST /cimi/2 HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST /cimi/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /cimi/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /cimi/2 HTTP/1.1\r\n\r\n",
        b"GET /cimi/2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(port: int, request_: bytes) -> None:
    assert_refused(send(port, request_), 400)


def test_a_refusal_of_the_server_is_in_the_form_that_was_asked_for(port: int) -> None:
    answer = get(port, "/cimi/2", "Accept: application/xml", "Content-Length: x")
    assert answer.status == 400
    assert etree.fromstring(answer.body).tag == "{http://schemas.dmtf.org/cimi/2}Job"


def test_http_1_0_needs_no_host(port: int) -> None:
    answer = send(port, b"GET /cimi/2 HTTP/1.0\r\n\r\n")
    assert answer.entry_id == f"http://127.0.0.1:{port}/cimi/2/cloudEntryPoint"


@pytest.mark.parametrize("host", ["h", "H.example:80", "127.0.0.1:1", "[::1]:65535", "a_b-c.d"])
def test_hrefs_begin_with_the_host_that_was_asked(port: int, host: str) -> None:
    assert get(port, host=host).entry_id == f"http://{host}/cimi/2/cloudEntryPoint"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a/b", "a@b", "h:", "h:x", "h:0", "h:65536", "[::1", "::1", "[::g]", "a,b",
     'a"b', "<a>", "a\\b", "\xe9", "h?", "h#", "-", "a" * 254],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(port: int, host: str) -> None:
    answer = get(port, host=host)
    assert_refused(answer, 400)
    assert "bad-host" in answer.body.decode()


def test_an_absolute_target_wins_over_host(port: int) -> None:
    answer = get(port, "http://other:81/cimi/2", host="h")
    assert answer.entry_id == "http://other:81/cimi/2/cloudEntryPoint"
    assert_refused(get(port, "http://a@b/cimi/2"), 400)


def test_the_configured_base_wins_over_all() -> None:
    with serving(HttpConfig(port=0, base_url="https://cloud.example/x")) as port:
        assert get(port).entry_id == "https://cloud.example/x/cimi/2/cloudEntryPoint"
        assert_refused(get(port, host="a b"), 400)


FORWARDED = [
    (["Forwarded: proto=https;host=c.example"], "https://c.example"),
    (['Forwarded: for=1.2.3.4; Host="c.example:81" ;PROTO=HTTPS'], "https://c.example:81"),
    (["Forwarded: proto=https"], "https://h"),
    (["X-Forwarded-Proto: https", "X-Forwarded-Host: c.example"], "https://c.example"),
    (["X-Forwarded-Host: evil.example, c.example"], "http://c.example"),
    # The client's own element stands before the proxy's, which says where it came from.
    (["Forwarded: host=evil.example, for=1.2.3.4;host=c.example"], "http://c.example"),
    (["Forwarded: host=c.example, for=10.1.2.3;host=inner"], "http://c.example"),
    (['Forwarded: host=c.example, for="10.1.2.3:99";host=inner'], "http://c.example"),
    (["Forwarded: host=evil.example, for=unknown;host=c.example"], "http://c.example"),
    (["Forwarded: host=c.example", "X-Forwarded-Host: c.example"], "http://c.example"),
]


@pytest.mark.parametrize(("headers", "base"), FORWARDED)
def test_a_trusted_proxy_says_what_the_client_sees(
    behind_proxy: int, headers: list[str], base: str
) -> None:
    answer = get(behind_proxy, "/cimi/2", *headers)
    assert answer.entry_id == f"{base}/cimi/2/cloudEntryPoint"


@pytest.mark.parametrize(("headers", "base"), FORWARDED)
def test_nobody_else_says_what_the_client_sees(port: int, headers: list[str], base: str) -> None:
    assert get(port, "/cimi/2", *headers).entry_id == "http://h/cimi/2/cloudEntryPoint"


@pytest.mark.parametrize(
    "headers",
    [
        ["Forwarded: host=a", "X-Forwarded-Host: b"],
        ["Forwarded: proto=javascript"],
        ["X-Forwarded-Proto: ftp"],
        ["Forwarded: host=a/b"],
        ["X-Forwarded-Host: a b"],
        ['Forwarded: host="a'],
        ["Forwarded: host"],
        ["Forwarded: =a"],
    ],
)
def test_what_a_proxy_says_is_checked(behind_proxy: int, headers: list[str]) -> None:
    assert_refused(get(behind_proxy, "/cimi/2", *headers), 400)


@given(header=st.text(st.sampled_from('for=host;,"\\ []:.1a'), max_size=40))
@settings(max_examples=200)
def test_any_forwarded_header_gives_an_origin_or_a_refusal(header: str) -> None:
    environ = {
        "wsgi.url_scheme": "http", "SERVER_NAME": "s", "SERVER_PORT": "1", "HTTP_HOST": "h",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": header,
    }  # fmt: skip
    try:
        found = origin(environ, (ip_network("127.0.0.1"),))
    except BadRequest:
        return
    assert found.startswith("http://")


@pytest.mark.parametrize(
    ("target", "accept"), [("/cimi/2", "application/xml"), ("/cimi/1", "*/*"), ("/nothing", "*/*"),
                           ("/cimi/2", "text/plain")],
)  # fmt: skip
def test_head_is_get_without_the_body(port: int, target: str, accept: str) -> None:
    asked = f" {target} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n".encode()
    full, head = send(port, b"GET" + asked), send(port, b"HEAD" + asked, "HEAD")
    assert (head.status, head.body) == (full.status, b"")
    moving = {"X-Request-Id", "Date"}
    # A Job tells which method failed: the lengths of two failures differ by that word alone.
    if full.status >= 400:
        assert int(head.headers["Content-Length"]) == len(full.body) + 1
        moving.add("Content-Length")
    assert [h for h in head.headers.items() if h[0] not in moving] == [
        h for h in full.headers.items() if h[0] not in moving
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO", "WEBSOCKET"])
def test_other_methods_are_refused_with_those_there_are(port: int, method: str) -> None:
    answer = send(port, f"{method} /cimi/2/jobs HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    assert_refused(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_options_tells_the_methods(port: int) -> None:
    answer = send(port, b"OPTIONS /cimi/2/jobs HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_every_request_is_a_line_in_the_log_without_secrets(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "cimi_cim.access"):
        ids = [
            get(port, target, "Authorization: Basic s3cret").headers["X-Request-Id"]
            for target in ("/cimi/2?password=s3cret", "/cimi/2/%0A\x1b[31m", "/" + "x" * 9000)
        ]
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in lines] == ids
    assert lines[0].split()[1:6] == ["127.0.0.1", "GET", "/cimi/2", "200", lines[0].split()[5]]
    assert "s3cret" not in caplog.text
    for line in lines:
        assert line.isprintable()
        assert len(line) < 400


def test_more_connections_than_the_limit_wait_and_are_served_later() -> None:
    with serving(HttpConfig(port=0, threads=1, max_connections=1)) as port:
        request = b"GET /cimi/2 HTTP/1.1\r\nHost: h\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as first:
            first.sendall(request)
            http.client.HTTPResponse(first).begin()
            second = socket.create_connection(("127.0.0.1", port), LIMIT_S)
            second.sendall(request)
        with second:
            reply = http.client.HTTPResponse(second)
            reply.begin()
            assert reply.status == 200
