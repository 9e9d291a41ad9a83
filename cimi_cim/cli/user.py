"""`cimi-cim user`: who may log in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from cimi_cim.cli.stores import opened_store
from cimi_cim.config import load_config
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.service.accounts import LONGEST_PASSWORD, Accounts, Role, checked_name

_LONGEST_UTF8 = 4  # bytes of a character


@click.group()
def user() -> None:
    """Add, list and remove the users who may log in, and set their passwords.

    A running bridge lets them in, and out, at once.
    """


def _of_a_store(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--store", help="URL of the store; overrides the configuration."),
        click.option(
            "--config", "file", type=click.Path(path_type=Path), envvar="CIMI_CIM_CONFIG",
            help="Configuration that names the store.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _with_a_password(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--password-file", type=click.Path(path_type=Path),
        help="Holds the password in its only line; else it is asked for, or read from a pipe.",
    )(command)  # fmt: skip


@user.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.USER.value,
    show_default=True, help="What the user is.",
)  # fmt: skip
@_with_a_password
@_of_a_store
def add(
    name: str, role: str, password_file: Path | None, file: Path | None, store: str | None
) -> None:
    """Add the user NAME."""
    with _accounts(file, store) as accounts:
        accounts.add(checked_name(name), _password(password_file), Role(role))
    click.echo(f"{name} may log in as {role}")


@user.command(name="list")
@_of_a_store
def list_(file: Path | None, store: str | None) -> None:
    """Show all users: name, role, when added, when the password was set last."""
    with _accounts(file, store) as accounts:
        users = accounts.users()
    width = max((len(each.name) for each in users), default=0)
    for each in users:
        click.echo(f"{each.name:{width}}  {each.role:13}  {each.created}  {each.updated}")
    if not users:
        click.echo("there are no users; `cimi-cim user add NAME` adds one", err=True)


@user.command()
@click.argument("name")
@_with_a_password
@_of_a_store
def passwd(name: str, password_file: Path | None, file: Path | None, store: str | None) -> None:
    """Set the password of the user NAME."""
    with _accounts(file, store) as accounts:
        accounts.set_password(name, _password(password_file))
    click.echo(f"{name} has a new password")


@user.command()
@click.argument("name")
@_of_a_store
def remove(name: str, file: Path | None, store: str | None) -> None:
    """Remove the user NAME."""
    with _accounts(file, store) as accounts:
        accounts.remove(name)
        are_left = accounts.are_there()
    click.echo(f"{name} may not log in any more")
    if not are_left:
        click.echo("no user is left: a bridge on a loopback address asks nobody to log in, unless"
                   " it has `authentication: on`")  # fmt: skip


@contextmanager
def _accounts(file: Path | None, store: str | None) -> Iterator[Accounts]:
    config = load_config(file, environment=os.environ, flags={"store": store})
    if config.store is None:
        raise ConfigError(
            "no store is configured, so there is no place for users; say --store sqlite:///FILE,"
            " or --config with a file that has `store:`"
        )
    with opened_store(config) as database:
        yield Accounts(database)


def _password(file: Path | None) -> Secret:
    """From the file, from the terminal (asked for twice), or from a pipe: never an argument."""
    if file is not None:
        try:
            with file.open("rb") as stream:
                return _only_line(stream, str(file))
        except OSError as exc:
            raise ConfigError(f"--password-file {file}: {exc.strerror}") from exc
    if sys.stdin.isatty():
        return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return _only_line(sys.stdin.buffer, "standard input")


def _only_line(stream: IO[bytes], where: str) -> Secret:
    said = stream.read(LONGEST_PASSWORD * _LONGEST_UTF8 + 2)
    try:
        text = said.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{where}: the password is not UTF-8 text") from exc
    if not text or "\n" in text:
        raise ConfigError(f"{where}: must hold the password in its only line")
    return Secret(text)
