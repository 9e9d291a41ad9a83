"""Reads the configuration from its three places; every mistake is told, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cimi_cim.config.kinds import Kind, Tell
from cimi_cim.config.tables import (
    SECTIONS,
    BreakerConfig,
    Config,
    HttpConfig,
    JobsConfig,
    Key,
    PlacementConfig,
    TargetConfig,
    keys_of,
    variable,
)
from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.yaml_source import Node, load_file, nearest

# Variables of the same family that are no keys.
OTHER_VARIABLES = {
    "CIMI_CIM_CACHE": "Folder for compiled class declarations.",
    "CIMI_CIM_CONFIG": "The configuration file, where `--config` does not say it.",
}
_LONGEST_SECRET = 64 * 1024
_SQLITE = "sqlite:///"


@dataclass(slots=True)
class _Said:
    """What the three places said, by section and key; a later place wins.

    `owned` are the variables that targets name for their passwords.
    """

    values: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {section: {} for section in SECTIONS}
    )
    targets: list[TargetConfig] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    owned: set[str] = field(default_factory=set)
    tells: dict[tuple[str, str], Tell] = field(default_factory=dict)

    def read(
        self, section: str, key: str, kind: Kind, value: Any, tell: Tell, beside: Path
    ) -> None:
        """Keep a value, or tell its mistakes; a file's path is relative to `beside`."""
        made = kind.read(value, tell)
        if isinstance(made, Path):
            made = beside / made
        if isinstance(made, Secret):
            made = _beside_file(made, beside)
        if made is not None:
            self.values[section][key] = made
            self.tells[section, key] = tell


def load_config(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration of a file, under environment variables, under flags.

    `environment` are all variables of the process; `flags` are values by dotted key
    (`http.port`), None for a flag that was not given. Raises `ConfigError` with every
    mistake, a line each.
    """
    environment = environment or {}
    said = _Said()
    if path is not None:
        _read_file(path, environment, said)
    _read_environment(environment, said)
    _read_flags(flags or {}, said)
    if said.targets and not said.mistakes:
        _check_placement(said)
    if {"store_key", "store_key_file"} <= said.values[""].keys():
        said.mistakes.append("say one of store_key and store_key_file, not both")
    if said.mistakes:
        raise ConfigError("\n".join(said.mistakes))
    return Config(
        **said.values[""],
        targets=tuple(said.targets),
        http=HttpConfig(**said.values["http"]),
        jobs=JobsConfig(**said.values["jobs"]),
        breaker=BreakerConfig(**said.values["breaker"]),
        placement=PlacementConfig(**said.values["placement"]),
    )


def _read_file(path: Path, environment: Mapping[str, str], said: _Said) -> None:
    root = load_file(path)
    if root.value == {}:
        raise ConfigError(
            f"{path}: says nothing; name your WBEM servers under `targets`, or leave the file"
            " out to get a lab"
        )
    beside = path.absolute().parent
    tables = [section for section in SECTIONS if section]
    top = _entries(root, keys_of(Config), said.mistakes, also=[*tables, "targets"])
    for key, node in top:
        if key == "targets":
            _read_targets(node, beside, environment, said)
        elif key in tables:
            known = keys_of(SECTIONS[key])
            for name, value in _entries(node, known, said.mistakes):
                tell = _at_node(name, value, said.mistakes)
                said.read(key, name, known[name].kind, value.plain(), tell, beside)
        else:
            tell = _at_node(key, node, said.mistakes)
            said.read("", key, keys_of(Config)[key].kind, node.plain(), tell, beside)


def _check_placement(said: _Said) -> None:
    """Labels by which nothing could ever be placed."""
    wanted = said.values["placement"].get("labels") or {}
    if not wanted or any(wanted.items() <= target.labels.items() for target in said.targets):
        return
    shown = ", ".join(f"{name}={value}" for name, value in wanted.items())
    known = {f"{name}={value}" for target in said.targets for name, value in target.labels.items()}
    there = f"; there are {', '.join(sorted(known))}" if known else ""
    said.tells["placement", "labels"](
        f"no target has {'all of ' if len(wanted) > 1 else ''}{shown}, so nothing could be made"
        f" anywhere{there}. Give a target these `labels`, or leave them out here"
    )


def _beside_file(store: Secret, beside: Path) -> Secret:
    """The path of an SQLite file is relative to the configuration that says it."""
    url = store.reveal()
    if not url.startswith(_SQLITE):
        return store
    name, mark, options = url.removeprefix(_SQLITE).partition("?")
    return Secret(f"{_SQLITE}{beside / name}{mark}{options}")


def _entries(
    node: Node, known: Mapping[str, Key], mistakes: list[str], *, also: list[str] | None = None
) -> Iterator[tuple[str, Node]]:
    """Yield the entries of a table whose keys are known; complain of the others."""
    names = [*known, *(also or [])]
    if not isinstance(node.value, dict):
        mistakes.append(f"{node.where}: must be a table of keys: {', '.join(names)}")
    for key, value in node.items():
        if key in names:
            yield key, value
        else:
            place = (node.key_places or {}).get(key, node.where)
            mistakes.append(f"{place}: unknown key {key!r}{_nearest_or_all(key, names)}")


def _nearest_or_all(word: str, names: list[str]) -> str:
    return nearest(word, names) or f"; known are {', '.join(names)}"


def _at_node(key: str, node: Node, mistakes: list[str]) -> Tell:
    """Complaints about a value in the file stand at the value, or at the entry they mean."""

    def tell(wrong: str, entry: str | int | None = None) -> None:
        inner: Any = node.value
        where = node.where if entry is None else inner[entry].where
        mistakes.append(f"{where}: {key}: {wrong}")

    return tell


def _at(name: str, mistakes: list[str]) -> Tell:
    """Complaints about a variable or a flag stand at its name."""

    def tell(wrong: str, entry: str | int | None = None) -> None:
        mistakes.append(f"{name}: {wrong}")

    return tell


def _read_environment(environment: Mapping[str, str], said: _Said) -> None:
    keys = {
        variable(section, key): (section, key, row.kind)
        for section, table in SECTIONS.items()
        for key, row in keys_of(table).items()
    }
    for name in sorted(environment):
        if not name.startswith("CIMI_CIM_") or name in OTHER_VARIABLES or name in said.owned:
            continue
        if name not in keys:
            known = [*keys, *OTHER_VARIABLES]
            hint = nearest(name, known) or "; docs/configuration.md lists those there are"
            said.mistakes.append(f"{name}: unknown environment variable{hint}")
            continue
        section, key, kind = keys[name]
        value, tell = kind.from_text(environment[name]), _at(name, said.mistakes)
        said.read(section, key, kind, value, tell, Path.cwd())


def _read_flags(flags: Mapping[str, Any], said: _Said) -> None:
    for dotted, value in flags.items():
        if value is None:
            continue
        section, _, key = dotted.rpartition(".")
        tell = _at(f"--{key.replace('_', '-')}", said.mistakes)
        said.read(section, key, keys_of(SECTIONS[section])[key].kind, value, tell, Path.cwd())


def _read_targets(node: Node, beside: Path, environment: Mapping[str, str], said: _Said) -> None:
    if not isinstance(node.value, list):
        said.mistakes.append(f"{node.where}: targets: must be a list of tables")
        return
    first: dict[str, Node] = {}
    for item in node.value:
        alias = item.value.get("alias") if isinstance(item.value, dict) else None
        if alias is not None and isinstance(alias.value, str):
            if alias.value in first:
                before = first[alias.value].where
                said.mistakes.append(
                    f"{alias.where}: alias: another target is called {alias.value!r}, on {before}"
                )
            first.setdefault(alias.value, alias)
        target = _target(item, beside, environment, said)
        if target is not None:
            said.targets.append(target)


def _target(
    node: Node, beside: Path, environment: Mapping[str, str], said: _Said
) -> TargetConfig | None:
    mistakes = said.mistakes
    before = len(mistakes)
    known = keys_of(TargetConfig)
    values: dict[str, Any] = {}
    tellers: dict[str, Tell] = {}
    for name, entry in _entries(node, known, mistakes):
        tellers[name] = _at_node(name, entry, mistakes)
        value = known[name].kind.read(entry.plain(), tellers[name])
        values[name] = beside / value if isinstance(value, Path) else value
    if isinstance(node.value, dict):
        mistakes += [
            f"{node.where}: a target wants the key {key}"
            for key in ("alias", "url")
            if key not in node.value
        ]
    said.owned.add(values.get("password_env") or "")
    _check_together(values, tellers)
    if len(mistakes) > before:
        return None
    target = TargetConfig(**values, beside=beside)
    password = _password(target, tellers, environment)
    return replace(target, password=password) if len(mistakes) == before else None


def target_of_flags(flags: Mapping[str, Any]) -> TargetConfig:
    """Return a target as flags of a command say it, by key; None for a flag that was not given.

    Paths are relative to the working directory. Raises `ConfigError` with every mistake.
    """
    mistakes: list[str] = []
    values: dict[str, Any] = {}
    tellers: dict[str, Tell] = {}
    for name, said in flags.items():
        if said is None:
            continue
        tellers[name] = _at("URL" if name == "url" else f"--{name.replace('_', '-')}", mistakes)
        value = keys_of(TargetConfig)[name].kind.read(said, tellers[name])
        values[name] = Path.cwd() / value if isinstance(value, Path) else value
    _check_together(values, tellers)
    target = None if mistakes else TargetConfig(**values, beside=Path.cwd())
    password = None if target is None else _password(target, tellers, {})
    if target is None or mistakes:
        raise ConfigError("\n".join(mistakes))
    return replace(target, password=password)


def _check_together(values: dict[str, Any], tellers: dict[str, Tell]) -> None:
    """What one key says about another; files that must be there."""
    passwords: list[str] = [
        key for key in ("password", "password_file", "password_env") if key in values
    ]
    for key in passwords[1:]:
        tellers[key](f"say one of {' and '.join(passwords)}, not both")
    if passwords and "user" not in values:
        tellers[passwords[0]]("a password wants a user")
    if ":" in (values.get("user") or ""):
        tellers["user"]("must not hold a colon (RFC 7617 2)")
    if "client_key" in values and "client_cert" not in values:
        tellers["client_key"]("a key wants its certificate, client_cert")
    for key in ("ca", "client_cert", "client_key"):
        if values.get(key) is not None and not values[key].is_file():
            tellers[key](f"no such file: {values[key]}")


def _password(
    target: TargetConfig, tellers: dict[str, Tell], environment: Mapping[str, str]
) -> Secret | None:
    if target.password_env is not None:
        text = environment.get(target.password_env, "")
        if not text:
            tellers["password_env"](f"the environment variable {target.password_env} is not set")
        return Secret(text)
    if target.password_file is None:
        return target.password
    tell, file = tellers["password_file"], target.password_file
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(_LONGEST_SECRET).rstrip("\r\n")
    except UnicodeDecodeError:
        tell(f"not UTF-8 text: {file}")
        return None
    except OSError as exc:
        tell(f"{exc.strerror}: {file}")
        return None
    if not text or not text.isprintable():
        tell(f"must hold the password in its only line: {file}")
    return Secret(text)
