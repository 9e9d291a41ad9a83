"""Routing, negotiation and error bodies, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon.testing
import pytest

from cimi_cim.http.app import make_app
from cimi_cim.mapping.engine import Engine
from tests.services import service_over


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """An app over an engine without targets: enough for what never reaches a target."""
    with service_over(Engine([])) as service:
        yield falcon.testing.TestClient(make_app(service))


@pytest.mark.parametrize(
    ("path", "header", "version"),
    [
        ("/cimi/2", None, "2.0.0"),
        ("/cimi/1", None, "1.0.1"),
        ("/cimi/2/cloudEntryPoint", "2", "2.0.0"),
        ("/cimi/1/cloudEntryPoint", "2.0.0, 1.0", "1.0.1"),
        ("/cimi", None, "2.0.0"),
        ("/cimi", "1.0.1", "1.0.1"),
        ("/cimi", "3, 1, 2", "1.0.1"),
    ],
)
def test_path_and_header_choose_the_version(
    client: Any, path: str, header: str | None, version: str
) -> None:
    headers = {"CIMI-Specification-Version": header} if header else {}
    reply = client.simulate_get(path, headers=headers)
    assert reply.status_code == 200
    assert reply.headers["CIMI-Specification-Version"] == version
    assert f"/cimi/{version[0]}/cloudEntryPoint" in reply.json["id"]


@pytest.mark.parametrize(
    ("path", "header"),
    [("/cimi/2", "1.0.1"), ("/cimi", "3.0"), ("/cimi", "1.1"), ("/cimi/1", "20")],
)
def test_a_version_that_is_excluded_is_a_bad_request(client: Any, path: str, header: str) -> None:
    reply = client.simulate_get(path, headers={"CIMI-Specification-Version": header})
    assert reply.status_code == 400
    assert reply.json["state"] == "FAILED"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_is_not_allowed_says_what_is(client: Any, method: str) -> None:
    reply = client.simulate_request(method, "/cimi/2/jobs")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("", "*/*", "application/json"),
        ("", "application/xml", "application/xml"),
        ("", "application/json;q=0.5, application/xml", "application/xml"),
        ("$format=XML", "application/json", "application/xml"),
        ("$format=xml&$format=json", "application/json", "application/xml"),
        ("$format=json", "application/xml", "application/json"),
        ("$format=nonsense", "application/xml", "application/xml"),
    ],
)
def test_format_wins_over_accept(client: Any, query: str, accept: str, media: str) -> None:
    reply = client.simulate_get("/cimi/2", query_string=query, headers={"Accept": accept})
    assert reply.headers["Content-Type"] == f"{media}; charset=utf-8"


def test_head_and_options_answer_without_a_body(client: Any) -> None:
    assert client.simulate_head("/cimi/2").content == b""
    options = client.simulate_options("/cimi/2/jobs")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/", "/cimi/3", "/cimi/2/x/y/z", "/cimi/2/machines", "/x\u00e9"])
def test_what_is_not_there_is_a_job_that_says_so(client: Any, path: str) -> None:
    reply = client.simulate_get(path)
    assert reply.status_code == 404
    assert reply.json["id"] == ""
    assert reply.json["returnCode"] == 10404


@pytest.mark.parametrize(
    ("path", "header"), [("/cimi/1/machines/%00", "1"), ("/cimi/1", "nonsense"), ("/cimi/1/x", "1")]
)
def test_what_is_refused_on_a_path_of_1x_is_told_in_1x(client: Any, path: str, header: str) -> None:
    reply = client.simulate_get(path, headers={"CIMI-Specification-Version": header})
    assert reply.status_code in (400, 404)
    assert reply.headers["CIMI-Specification-Version"] == "1.0.1"
    assert reply.json["resourceURI"] == "http://schemas.dmtf.org/cimi/1/Job"
