"""`cimi-cim record`: a live WBEM server as a tape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cimi_cim.cli.option_words import in_words_of_the_command
from cimi_cim.cli.passwords import read_password
from cimi_cim.cli.seconds import Seconds
from cimi_cim.cli.serving import (
    ReadyFile,
    leave_when_asked,
    removed_at_the_end,
    wait_for_the_end,
)
from cimi_cim.errors import ConfigError, ProviderError
from cimi_cim.lab.listening import ListeningTransport
from cimi_cim.lab.passing import Passing, passing_server
from cimi_cim.lab.recorder import Needed, Recorder
from cimi_cim.lab.replay import load_recording
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.problems import Problems
from cimi_cim.mapping.source import find_mapping, read_source
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.thorough import classes_of, read_thoroughly, walks_of
from cimi_cim.model.load import load_model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.tape.anonymous import anonymised
from cimi_cim.wbem.tape.files import growing_folder, must_be_new, write_new_tape
from cimi_cim.wbem.tape.pseudonyms import WORD
from cimi_cim.wbem.tape.records import Header, Tape
from cimi_cim.wbem.transport import ConnectionSettings, Transport

_LONGEST_S = 24 * 3600.0  # of a whole recording; each operation has a time of its own


@click.command()
@click.argument("url")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--mapping", default="base", show_default=True,
    help="Whose classes are read: a shipped mapping, or the path of your own (.yaml).",
)  # fmt: skip
@click.option(
    "--namespace", "namespaces", multiple=True, metavar="[NAME=]NAMESPACE",
    help="Where the mapping's classes are (impl), or NAME=... for another logical name."
    " Repeatable; found out where it is not said.",
)  # fmt: skip
@click.option("--user", help="Account on the server.")
@click.option("--password-file", type=click.Path(path_type=Path), help="Holds its password.")
@click.option("--ca", type=click.Path(path_type=Path), help="PEM file: whom to trust.")
@click.option("--no-verify", is_flag=True, help="Take any certificate.")
@click.option(
    "--timeout", type=Seconds(), default=60.0, show_default=True,
    help="Seconds that one operation may take.",
)  # fmt: skip
@click.option(
    "--max-concurrency", type=click.IntRange(1, 64), default=4, show_default=True,
    help="Most operations at the same time.",
)  # fmt: skip
@click.option(
    "--anonymise", is_flag=True,
    help="Other words for names, ids, paths, addresses and free texts, the same everywhere.",
)  # fmt: skip
@click.option(
    "--keep", "words", multiple=True, metavar="WORD",
    help="With --anonymise: a word that stays as it is. Repeatable.",
)  # fmt: skip
@click.option(
    "--through", is_flag=True,
    help="Record what clients say to the server instead: they speak to --port, until the end.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5988, show_default=True,
    help="With --through: where to listen; 0 picks a free one.",
)  # fmt: skip
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def record(
    url: str, folder: Path, mapping: str, namespaces: tuple[str, ...], user: str | None,
    password_file: Path | None, ca: Path | None, no_verify: bool, timeout: float,
    max_concurrency: int, anonymise: bool, words: tuple[str, ...],
    through: bool, port: int, ready_file: Path | None,
) -> None:  # fmt: skip
    """Record the WBEM server at URL as a tape in FOLDER, for `cimi-cim replay`.

    Everything is read that the mapping can ask for; nothing on the server is changed. URL may
    be the folder of another tape, to make one of it that tells nobody whose server it was.
    """
    if words and not anonymise:
        raise click.UsageError("--keep WORD goes with --anonymise; say both.")
    if "://" not in url and not Path(url).is_dir():
        raise ConfigError(f"{url}: neither the URL of a server, http://HOST:PORT, nor a folder")
    must_be_new(folder)
    settings = ConnectionSettings(
        url, user, read_password(user, password_file), ca, verify=not no_verify,
        max_concurrency=max_concurrency,
    )  # fmt: skip
    with removed_at_the_end(growing_folder(folder)), in_words_of_the_command():
        if through:
            tape, effort = _session(settings, timeout, port, ReadyFile(ready_file))
        elif Path(url).is_dir():
            tape, effort = load_recording(Path(url)), "no operations"
        else:
            leave_when_asked()
            tape, operations = record_server(
                settings, mapping, _named(namespaces), operation_s=timeout, tell=_tell
            )
            effort = f"{operations} operations"
        if anonymise:
            tape = anonymised(tape, (*words_of(mapping), *words))
        write_new_tape(tape, folder)
    click.echo(
        f"{effort}, {len(tape.answers)} answers, {len(tape.classes)} classes:"
        f" `cimi-cim replay {folder}` answers as the server did"
    )


def _session(
    settings: ConnectionSettings, operation_s: float, port: int, ready: ReadyFile
) -> tuple[Tape, str]:
    """Pass on what clients say until the end is asked for, and make a tape of it."""
    plain = Transport(settings)
    listening = ListeningTransport(plain, operation_s)
    passing = Passing(plain, listening, operation_s, logs_in=settings.user is not None)
    try:
        with passing_server(passing, port) as front:
            click.echo(f"what comes to {front.url} is passed on and recorded, until Ctrl-C")
            wait_for_the_end(ready, {"wbem": front.url})
        about = _about(f"a session of {passing.passed} operations")
        recorder = Recorder(listening, plain, operation_s)
        try:
            tape = recorder.tape(Needed(passing.named, ()), about)
        except ProviderError as exc:  # what was said is worth more than what is missing
            _tell(f"the tape lacks declarations and quirks: {exc.message}")
            tape = recorder.bare_tape(about)
        return replace(tape, outcomes=passing.outcomes), f"{passing.passed} operations"
    finally:
        plain.close()


def _about(provider: str) -> Header:
    return Header("unknown", provider, datetime.now(UTC).strftime("%Y-%m-%d"), "", ())


def words_of(mapping: str) -> Iterator[str]:
    """Yield the words that a mapping, and what it extends, is written in."""
    source = read_source(find_mapping(mapping, Path()), Problems())
    yield from WORD.findall("" if source is None else _scalars(source.root.plain()))


def _scalars(form: Any) -> str:
    if isinstance(form, dict):
        return " ".join(f"{key} {_scalars(value)}" for key, value in form.items())
    return " ".join(map(_scalars, form)) if isinstance(form, list) else str(form)


def record_server(
    settings: ConnectionSettings,
    mapping: str,
    namespaces: dict[str, str] | None = None,
    *,
    operation_s: float = 60,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Tape, int]:
    """Return the tape of a server, and how many operations it took.

    Raises `ConfigError` for what is said wrong, and the errors of the gateway.
    """
    compiled = load_mapping(mapping, load_model(), beside=Path())
    for name in sorted((namespaces or {}).keys() - compiled.namespaces.keys()):
        raise ConfigError(
            f"--namespace {name}=...: the mapping {compiled.name} has no namespace of that name;"
            f" it has {', '.join(sorted(compiled.namespaces))}"
        )
    plain = Transport(settings)
    listening = ListeningTransport(plain, operation_s)
    whole = replace(load_dialect("generic"), property_list=False, pull=False)
    target = Target(
        "tape", WbemClient(settings, whole, listening), compiled,
        namespaces=namespaces, max_concurrency=settings.max_concurrency,
    )  # fmt: skip
    deadline = Deadline.after(_LONGEST_S)
    try:
        read_thoroughly(target, deadline, tell)
        named: dict[str, set[str]] = {}
        for logical, classname in classes_of(compiled):
            named.setdefault(target.namespace(logical, deadline), set()).add(classname)
        recorder = Recorder(listening, plain, operation_s)
        about = _about(f"read by the mapping {compiled.name}")
        return recorder.tape(Needed(named, walks_of(compiled)), about), listening.heard
    finally:
        target.close()


def _named(said: tuple[str, ...]) -> dict[str, str]:
    """The namespaces by logical name; a bare one is `impl`."""
    found = {}
    for each in said:
        name, has_name, namespace = each.rpartition("=")
        if not namespace.strip("/"):
            raise ConfigError(f"--namespace {each}: say a namespace, such as root/cimv2")
        found[name if has_name else "impl"] = namespace.strip("/")
    return found


def _tell(line: str) -> None:
    click.echo(f"cimi-cim: {line}", err=True)
