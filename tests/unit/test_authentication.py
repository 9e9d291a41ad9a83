"""HTTP Basic: who is let in, and what everybody else is told."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimi_cim.credentials import Secret
from cimi_cim.http.app import make_app
from cimi_cim.http.authentication import CHALLENGE, STILL_THERE_S, BasicAuthentication
from cimi_cim.mapping.engine import Engine
from cimi_cim.service.accounts import ANYBODY, STRANGER, Accounts, Principal, Role
from cimi_cim.service.passwords import Passwords
from cimi_cim.service.store.database import open_database
from tests.services import service_over

PASSWORD = "päss:wörd"
ADA = Principal("ada", Role.ADMINISTRATOR)
NEVER = "/cimi/2/nothing"


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    database = open_database(f"sqlite:///{tmp_path / 'users.db'}")
    yield Accounts(database, Passwords(PasswordHasher.from_parameters(CHEAPEST)))
    database.close()


@pytest.fixture
def ada(accounts: Accounts) -> Principal:
    accounts.add("ada", Secret(PASSWORD), Role.ADMINISTRATOR)
    return ADA


class Client:
    """Sends requests to an app that asks who it is."""

    def __init__(self, service: Any, authentication: BasicAuthentication) -> None:
        self.seen: list[Principal] = []

        def seeing(req: falcon.Request, segments: Any) -> Principal:
            principal = authentication(req, segments)
            self.seen.append(principal)
            return principal

        self._client = falcon.testing.TestClient(make_app(service, authenticator=seeing))

    def send(
        self, path: str = "/cimi/2", header: str | None = None, method: str = "GET", **headers: str
    ) -> Any:
        if header is not None:
            headers["Authorization"] = header
        path, _, query = path.partition("?")
        return self._client.simulate_request(method, path, query_string=query, headers=headers)


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    with service_over(Engine([])) as opened:
        yield opened


@pytest.fixture
def client(service: Any, accounts: Accounts, time: Time) -> Client:
    """Of a bridge at which one logs in as soon as there is a user."""
    return Client(service, BasicAuthentication(accounts, is_always_needed=False, clock=time))


@pytest.fixture
def strict(service: Any, accounts: Accounts) -> Client:
    """Of a bridge at which everybody logs in."""
    return Client(service, BasicAuthentication(accounts, is_always_needed=True))


@pytest.fixture
def public(service: Any, accounts: Accounts) -> Client:
    """Of a bridge whose CloudEntryPoint is public."""
    return Client(
        service,
        BasicAuthentication(accounts, is_always_needed=True, has_public_entry_point=True),
    )


def basic(name: str, password: str, charset: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(charset)).decode()


def assert_refused(reply: Any, reason: str) -> None:
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == CHALLENGE
    assert (reply.json["state"], reply.json["returnCode"]) == ("FAILED", 10401)
    assert reply.json["statusMessage"].endswith(f"({reason})")


@pytest.mark.parametrize("path", ["/cimi/2", "/cimi/1", "/cimi", "/cimi/1/cloudEntryPoint"])
def test_who_logs_in_is_let_in_and_known(strict: Client, ada: Principal, path: str) -> None:
    assert strict.send(path, basic("ada", PASSWORD)).status_code == 200
    assert strict.seen == [ada]


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc  "])
def test_the_name_of_the_scheme_has_no_case(strict: Client, ada: Principal, scheme: str) -> None:
    header = basic("ada", PASSWORD).replace("Basic", scheme)
    assert strict.send(header=header).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/cimi/2", "/cimi/1/machines", NEVER, "/cimi/2/machines/1/start"])
def test_nothing_is_told_to_who_does_not_log_in(
    strict: Client, ada: Principal, method: str, path: str
) -> None:
    """Neither what is there, nor what may be done with it."""
    reply = strict.send(path, method=method)
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == CHALLENGE
    assert "Allow" not in reply.headers
    assert strict.seen == []


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_refusal_is_a_job_in_the_form_asked_for(strict: Client, accept: str) -> None:
    reply = strict.send(Accept=accept)
    assert reply.status_code == 401
    assert reply.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert "login-required" in reply.text
    assert strict.send("/cimi/1?$format=xml").text.startswith("<?xml")


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("ada", ""), ("eve", PASSWORD), ("", ""), ("a\0", "b")]
)
def test_wrong_users_and_wrong_passwords_look_the_same(
    strict: Client, ada: Principal, name: str, password: str
) -> None:
    replies = [strict.send(header=basic(*said)) for said in ((name, password), ("x", "y"))]
    for reply in replies:
        assert_refused(reply, "bad-credentials")
    assert len({reply.json["statusMessage"] for reply in replies}) == 1


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWRh",  # no colon in it
        "Basic YWRhOn=",  # broken padding
        "Basic YWRhOng= YWRhOng=",
        "Basic YWRhOng=, Basic YWRhOng=",
        "Basic\u00a0YWRhOng=",
        "Bearer YWRhOng=",
        "Digest username=ada",
        "YWRhOng=",
        ",",
        basic("ada", PASSWORD, "latin-1"),
    ],
)
def test_a_header_that_is_none_is_refused_with_the_way_to_say_it(
    strict: Client, ada: Principal, header: str
) -> None:
    assert_refused(strict.send(header=header), "bad-authorization")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
    st.sampled_from(["", "Basic ", "basic "]),
)
def test_no_header_gives_anything_but_a_refusal(strict: Client, text: str, scheme: str) -> None:
    assert strict.send(header=scheme + text).status_code == 401


@pytest.mark.parametrize("header", [None, "Basic !!!", "Bearer x", basic("eve", "wrong")])
def test_while_there_is_no_user_nobody_logs_in_and_credentials_are_ignored(
    client: Client, header: str | None
) -> None:
    assert client.send(header=header).status_code == 200
    assert client.seen == [ANYBODY]
    assert ANYBODY.is_anonymous


def test_the_first_user_closes_the_door_at_once_and_the_last_one_opens_it(
    client: Client, accounts: Accounts, time: Time
) -> None:
    assert client.send().status_code == 200
    accounts.add("ada", Secret(PASSWORD))
    assert_refused(client.send(), "login-required")
    assert client.send(header=basic("ada", PASSWORD)).status_code == 200
    accounts.remove("ada")
    assert_refused(client.send(header=basic("ada", PASSWORD)), "bad-credentials")
    time.seconds += STILL_THERE_S
    assert client.send().status_code == 200


def test_where_everybody_logs_in_no_user_means_nobody(strict: Client) -> None:
    assert_refused(strict.send(), "login-required")
    assert_refused(strict.send(header=basic("", "")), "bad-credentials")


@pytest.mark.parametrize("header", [None, "Basic !!!", "Bearer x", basic("eve", "wrong")])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/cimi", "/cimi/1", "/cimi/2/cloudEntryPoint", "/cimi/2?$select=id"]
)
def test_the_entry_point_may_be_public(
    public: Client, ada: Principal, path: str, method: str, header: str | None
) -> None:
    assert public.send(path, header, method).status_code in (200, 204)
    assert public.seen == [STRANGER]
    assert STRANGER.is_anonymous


def test_at_a_public_entry_point_good_credentials_count(public: Client, ada: Principal) -> None:
    assert public.send(header=basic("ada", PASSWORD)).status_code == 200
    assert public.seen == [ada]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/cimi/2"),
        ("POST", "/cimi/2/cloudEntryPoint"),
        ("DELETE", "/cimi/1"),
        ("GET", "/cimi/2/machines"),
        ("GET", "/cimi/2/cloudEntryPoint/machines"),
        ("GET", "/cimi/2?$expand=machines"),
        ("GET", "/cimi/2?$expand"),
        ("GET", "/cimi/2?%24expand=*"),
        ("GET", NEVER),
    ],
)
def test_a_public_entry_point_makes_nothing_else_public(
    public: Client, ada: Principal, method: str, path: str
) -> None:
    assert_refused(public.send(path, method=method), "login-required")


def test_no_password_is_logged_or_told(
    strict: Client, ada: Principal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cimi_cim")
    said = [basic("ada", PASSWORD), basic("ada", "Geheimnis"), "Basic Geheimnis", "Geheimnis"]
    for header in said:
        told = caplog.text + strict.send(header=header).text
        assert not any(word in told for word in (PASSWORD, "Geheimnis", header.split()[-1]))
    assert "401" in caplog.text
