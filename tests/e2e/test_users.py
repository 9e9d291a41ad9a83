"""`cimi-cim user`: the operator's side of logging in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner, Result

from cimi_cim.cli.main import commands, main
from cimi_cim.credentials import Secret
from cimi_cim.errors import CimiCimError
from cimi_cim.service.accounts import Accounts, Principal, Role
from cimi_cim.service.store.database import open_database
from tests.processes import LIMIT_S

PASSWORD = "correct horse"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cimi.db'}"


@pytest.fixture
def accounts(url: str) -> Iterator[Accounts]:
    database = open_database(url)
    yield Accounts(database)
    database.close()


def run(
    *arguments: str, typed: str | bytes | None = None, env: dict[str, str] | None = None
) -> Result:
    return CliRunner(env={"CIMI_CIM_CONFIG": None, **(env or {})}).invoke(
        commands, ["user", *arguments], input=typed, standalone_mode=False
    )


def done(*arguments: str, typed: str | None = None, env: dict[str, str] | None = None) -> str:
    result = run(*arguments, typed=typed, env=env)
    assert result.exception is None, result.exception
    return result.output


def test_users_are_added_listed_changed_and_removed(url: str, accounts: Accounts) -> None:
    where = ("--store", url)
    assert "no users" in done("list", *where)
    done("add", "ada", "--role", "administrator", *where, typed=f"{PASSWORD}\n")
    done("add", "bob", *where, typed=PASSWORD)
    assert accounts.verify("ada", Secret(PASSWORD)) == Principal("ada", Role.ADMINISTRATOR)
    assert accounts.verify("bob", Secret(PASSWORD)) == Principal("bob", Role.USER)
    listed = done("list", *where).splitlines()
    assert [line.split()[:2] for line in listed] == [["ada", "administrator"], ["bob", "user"]]
    done("passwd", "bob", *where, typed="other\r\n")
    assert accounts.verify("bob", Secret("other"))
    assert "no user is left" not in done("remove", "bob", *where)
    assert "no user is left" in done("remove", "ada", *where)
    assert accounts.users() == []


def test_the_store_is_found_as_the_bridge_finds_it(
    url: str, accounts: Accounts, tmp_path: Path
) -> None:
    done("add", "ada", typed=PASSWORD, env={"CIMI_CIM_STORE": url})
    file = tmp_path / "bridge.yaml"
    file.write_text("store: sqlite:///cimi.db")
    done("add", "bob", "--config", str(file), typed=PASSWORD)
    done("add", "eve", typed=PASSWORD, env={"CIMI_CIM_CONFIG": str(file)})
    elsewhere = {"CIMI_CIM_STORE": f"sqlite:///{tmp_path / 'other.db'}"}
    done("add", "joe", "--store", url, typed=PASSWORD, env=elsewhere)
    assert [user.name for user in accounts.users()] == ["ada", "bob", "eve", "joe"]


def test_a_password_may_stand_in_a_file(url: str, accounts: Accounts, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("grün\n", encoding="utf-8")
    done("add", "ada", "--store", url, "--password-file", str(tmp_path / "password"))
    assert accounts.verify("ada", Secret("grün"))


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["list"], None, "no store is configured"),
        (["add", "ada"], PASSWORD, "--store sqlite:///FILE"),
        (["add", "ada", "--store", "mysql://h/x"], PASSWORD, "--store: must be sqlite:///FILE"),
        (["add", "ada", "--store", "URL"], "", "standard input: must hold the password"),
        (["add", "ada", "--store", "URL"], "\n", "in its only line"),
        (["add", "ada", "--store", "URL"], "a\nb\n", "in its only line"),
        (["add", "ada", "--store", "URL"], b"\xff\n", "not UTF-8"),
        (["add", "ada", "--store", "URL"], "x" * 2000, "1024 characters"),
        (["add", "ada", "--store", "URL"], "a\tb", "control characters"),
        (["add", "a:b", "--store", "URL"], PASSWORD, "colon"),
        (["add", "old", "--store", "URL"], PASSWORD, "a user 'old' already"),
        (["passwd", "ada", "--store", "URL"], PASSWORD, "no user 'ada'"),
        (["remove", "ada", "--store", "URL"], None, "no user 'ada'"),
        (["add", "ada", "--store", "URL", "--password-file", "/none"], None, "No such file"),
        (["add", "ada", "--store", "URL", "--role", "god"], PASSWORD, "administrator"),
        (["add", "ada", PASSWORD, "--store", "URL"], None, "unexpected extra argument"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    url: str, accounts: Accounts, arguments: list[str], typed: str | bytes | None, said: str
) -> None:
    accounts.add("old", Secret("old"))
    result = run(*(url if word == "URL" else word for word in arguments), typed=typed)
    assert isinstance(result.exception, CimiCimError | UsageError)
    assert said in result.exception.message
    assert result.output == ""
    assert [user.name for user in accounts.users()] == ["old"]


@pytest.mark.parametrize(("second", "is_added"), [(PASSWORD, True), ("a slip", False)])
def test_on_a_terminal_the_password_is_asked_for_twice_and_never_shown(
    url: str, accounts: Accounts, second: str, is_added: bool
) -> None:
    terminal, its_end = os.openpty()
    command = [sys.executable, "-m", "cimi_cim", "user", "add", "ada", "--store", url]
    with subprocess.Popen(
        command, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True
    ) as program:
        os.close(its_end)
        shown = until(terminal, b"Password: ")
        os.write(terminal, f"{PASSWORD}\n".encode())
        shown += until(terminal, b"Repeat for confirmation: ")
        os.write(terminal, f"{second}\n".encode())
        shown += until(terminal, b"log in as user" if is_added else b"Password: ")
        if not is_added:
            os.write(terminal, b"\x04")  # the end of input: whoever types gives up
        assert program.wait(LIMIT_S) == (0 if is_added else 130)
    os.close(terminal)
    assert PASSWORD.encode() not in shown
    assert bool(accounts.verify("ada", Secret(PASSWORD))) is is_added


def until(terminal: int, expected: bytes) -> bytes:
    seen = b""
    while expected not in seen:
        seen += os.read(terminal, 1024)
    return seen


def test_help_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cimi-cim", "user", "--help"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    assert all(word in said for word in ("add", "list", "passwd", "remove"))
