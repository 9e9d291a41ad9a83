"""Who has to log in to the bridge that starts, and to the one that runs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cimi_cim.cli.login import authenticator_of
from cimi_cim.config import Config, load_config
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.http.authentication import Authenticator, BasicAuthentication, anybody
from cimi_cim.service.accounts import Accounts
from cimi_cim.service.store.database import Database, open_database
from tests.processes import running

OPEN = ["0.0.0.0", "::", "192.0.2.7", "bridge.example"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'cimi.db'}")
    yield opened
    opened.close()


@pytest.fixture
def starts(database: Database, tmp_path: Path) -> Callable[..., Authenticator]:
    """Says who lets clients in, by the keys under `http`; `has_store` names the store."""

    def start(host: str, mode: str = "auto", *, has_store: bool = True) -> Authenticator:
        flags = {"http.host": host, "http.authentication": mode}
        if has_store:
            flags["store"] = f"sqlite:///{tmp_path / 'cimi.db'}"
        return authenticator_of(load_config(flags=flags), database, tmp_path / "bridge.yaml")

    return start


def add_user(database: Database) -> None:
    Accounts(database).add("ada", Secret("correct horse"))


@pytest.mark.parametrize("host", LOOPBACK)
def test_on_loopback_users_make_the_difference(
    starts: Callable[..., Authenticator], database: Database, host: str
) -> None:
    assert isinstance(starts(host), BasicAuthentication)
    assert isinstance(starts(host, "on"), BasicAuthentication)
    assert starts(host, "off") is anybody
    assert starts(host, has_store=False) is anybody


@pytest.mark.parametrize("host", OPEN)
def test_others_reach_the_bridge_only_when_they_have_to_log_in(
    starts: Callable[..., Authenticator], database: Database, host: str, tmp_path: Path
) -> None:
    for mode in ("auto", "on"):
        with pytest.raises(ConfigError, match="without a `store:`"):
            starts(host, mode, has_store=False)
        with pytest.raises(ConfigError, match="no user yet") as caught:
            starts(host, mode)
        command = "cimi-cim user add NAME --role administrator --config"
        assert f"`{command} {tmp_path / 'bridge.yaml'}`" in caught.value.message
    add_user(database)
    assert isinstance(starts(host), BasicAuthentication)
    assert isinstance(starts(host, "on"), BasicAuthentication)
    with pytest.raises(ConfigError, match="no loopback address"):
        starts(host, "off")


def test_login_that_nobody_could_pass_is_refused(starts: Callable[..., Authenticator]) -> None:
    with pytest.raises(ConfigError, match="without a `store:`"):
        starts("127.0.0.1", "on", has_store=False)


def test_a_bridge_that_may_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "bridge.yaml").write_text("store: sqlite:///cimi.db\nhttp: {host: 0.0.0.0}")
    command = [sys.executable, "-m", "cimi_cim", "serve", "--config", str(tmp_path / "bridge.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cimi-cim user add NAME" in done.stderr


def test_a_user_who_is_added_while_the_bridge_runs_is_let_in_and_strangers_out(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(json.dumps({
        "store": "sqlite:///cimi.db", "http": {"public_entry_point": True}, "log_level": "debug",
    }))  # fmt: skip
    with running(tmp_path, "serve", "--config", str(file)) as urls:
        machines = f"{urls['cimi2'].rpartition('/')[0]}/machines"
        assert status(machines) == 200
        database = open_database(f"sqlite:///{tmp_path / 'cimi.db'}")
        add_user(database)
        assert status(machines) == 401
        assert status(machines, "ada:wrong") == 401
        assert status(machines, "ada:correct horse") == 200
        assert status(urls["cimi1"]) == 200
        database.close()


def test_the_defaults_ask_nobody_on_this_machine(database: Database) -> None:
    assert authenticator_of(Config(), database, None) is anybody


def status(url: str, credentials: str | None = None) -> int:
    headers = {}
    if credentials is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
