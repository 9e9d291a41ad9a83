"""The configuration: one YAML file, read strictly, every mistake told with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError
from cimi_cim.yaml_source import Node, load_file, nearest

_ALIAS = re.compile(r"[a-z0-9-]{1,32}\Z")


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """One WBEM server. Paths are absolute; `beside` is the folder of the file.

    `action_wait_s` is how long an action waits for the server to be done before it is
    answered as still running.
    """

    alias: str
    url: str
    mapping: str = "base"
    server: str = "generic"
    user: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    verify: bool = True
    namespaces: dict[str, str] = field(default_factory=dict)
    deadline_s: float = 30
    max_concurrency: int = 8
    action_wait_s: float = 0.5
    settings: dict[str, Any] = field(default_factory=dict)
    beside: Path = Path()


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Where the bridge listens, and what clients see (`base_url`, else the request's host)."""

    host: str = "127.0.0.1"
    port: int = 8080
    base_url: str | None = None
    threads: int = 16


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    targets: tuple[TargetConfig, ...] = ()
    http: HttpConfig = field(default_factory=HttpConfig)


_Check = Callable[[Any], bool]
_TEXT: tuple[str, _Check] = ("text", lambda v: isinstance(v, str) and v != "")
_WHOLE: tuple[str, _Check] = ("a whole number", lambda v: type(v) is int and v >= 0)
_NUMBER: tuple[str, _Check] = ("a number above 0", lambda v: type(v) in (int, float) and v > 0)
_SWITCH: tuple[str, _Check] = ("true or false", lambda v: isinstance(v, bool))
_TABLE: tuple[str, _Check] = ("a table", lambda v: isinstance(v, dict))
_LIST: tuple[str, _Check] = ("a list", lambda v: isinstance(v, list))

_TOP = {"targets": _LIST, "http": _TABLE}
_HTTP = {"host": _TEXT, "port": _WHOLE, "base_url": _TEXT, "threads": _WHOLE}
_TARGET = {
    "alias": ("lower-case letters, digits and dashes", lambda v: bool(_ALIAS.match(str(v)))),
    "url": _TEXT, "mapping": _TEXT, "server": _TEXT, "user": _TEXT, "password": _TEXT,
    "password_file": _TEXT, "ca": _TEXT, "client_cert": _TEXT, "client_key": _TEXT,
    "verify": _SWITCH, "namespaces": _TABLE, "deadline_s": _NUMBER, "max_concurrency": _WHOLE,
    "action_wait_s": _NUMBER,
    "settings": _TABLE,
}  # fmt: skip


def load_config(path: Path) -> Config:
    """Read a configuration file. Raises `ConfigError` with every mistake, a line each."""
    root = load_file(path)
    mistakes: list[str] = []
    top = _fields(root, _TOP, mistakes)
    http = _fields(top["http"], _HTTP, mistakes) if "http" in top else {}
    said = top["targets"].value if "targets" in top else []
    nodes = said if isinstance(said, list) else []
    targets = [_target(node, path.parent, mistakes) for node in nodes]
    aliases = [target.alias for target in targets if target is not None]
    mistakes += [
        f"{path}: two targets are called {a!r}" for a in set(aliases) if aliases.count(a) > 1
    ]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return Config(
        tuple(target for target in targets if target is not None),
        HttpConfig(**{key: node.plain() for key, node in http.items()}),
    )


def _fields(
    node: Node, known: dict[str, tuple[str, _Check]], mistakes: list[str]
) -> dict[str, Node]:
    """Return the entries that are known and of the right kind; complain of the others."""
    if not isinstance(node.value, dict):
        mistakes.append(f"{node.where}: must be a table of keys: {', '.join(known)}")
        return {}
    found = {}
    for key, value in node.items():
        place = (node.key_places or {}).get(key, node.where)
        if key not in known:
            mistakes.append(f"{place}: unknown key {key!r}{nearest(key, list(known))}")
        elif not known[key][1](value.value):
            mistakes.append(f"{value.where}: {key} must be {known[key][0]}")
        else:
            found[key] = value
    return found


def _target(node: Node, beside: Path, mistakes: list[str]) -> TargetConfig | None:
    before = len(mistakes)
    values = {key: value.plain() for key, value in _fields(node, _TARGET, mistakes).items()}
    for key in ("alias", "url"):
        if key not in values and len(mistakes) == before:
            mistakes.append(f"{node.where}: a target has an {key}")
    if "password" in values and "password_file" in values:
        mistakes.append(f"{node.where}: say either password or password_file")
    if len(mistakes) > before:
        return None
    password = values.pop("password", None)
    file = values.pop("password_file", None)
    if file is not None:
        try:
            password = (beside / file).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as exc:
            mistakes.append(f"{node.where}: password_file: {exc.strerror}: {beside / file}")
            return None
    for key in ("ca", "client_cert", "client_key"):
        if key in values:
            values[key] = beside / values[key]
    secret = None if password is None else Secret(password)
    return TargetConfig(**values, password=secret, beside=beside)
