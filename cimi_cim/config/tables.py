"""The keys of the configuration: every key is a field here, with its kind and what it means.

The YAML file, the environment variables and the reference (docs/configuration.md) all
follow these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cimi_cim.config import kinds
from cimi_cim.config.kinds import Kind
from cimi_cim.credentials import Secret


@dataclass(frozen=True, slots=True)
class Key:
    """A key: the kind of its values, and a sentence for the reference."""

    kind: Kind
    meaning: str


@cache
def keys_of(table: type) -> dict[str, Key]:
    """Return the keys of a table by name, in order."""
    hints = get_type_hints(table, include_extras=True)
    found = {}
    for name, hint in hints.items():
        for note in getattr(hint, "__metadata__", ()):
            if isinstance(note, Key):
                found[name] = note
    return found


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When a WBEM server is taken to be down, and when it is asked again."""

    failures: Annotated[
        int,
        Key(
            kinds.whole(1, 1000),
            "So many failures in a row, without an answer in between, and the server is down.",
        ),
    ] = 3
    silence_s: Annotated[
        float,
        Key(
            kinds.seconds(3600),
            "One operation without an answer for so long, or for half of the target's deadline if"
            " that is less, and the server is down.",
        ),
    ] = 10
    probe_s: Annotated[
        float, Key(kinds.seconds(3600), "How soon a server that is down is asked again.")
    ] = 1
    longest_probe_s: Annotated[
        float, Key(kinds.seconds(3600), "The longest of these waits, which double each time.")
    ] = 60


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """One WBEM server. Paths are absolute; `beside` is the folder of the file."""

    alias: Annotated[str, Key(kinds.ALIAS, "Name of the target, unique; ids may begin with it.")]
    url: Annotated[str, Key(kinds.TARGET_URL, "Where it answers CIM-XML.")]
    mapping: Annotated[
        str, Key(kinds.TEXT, "A shipped mapping, or the path of your own (`.yaml`).")
    ] = "base"
    server: Annotated[
        str, Key(kinds.TEXT, "Its software: a shipped dialect, or the path of your own (`.yaml`).")
    ] = "generic"
    user: Annotated[str | None, Key(kinds.TEXT, "Account on the server.")] = None
    password: Annotated[Secret | None, Key(kinds.SECRET, "The account's password.")] = None
    password_file: Annotated[
        Path | None, Key(kinds.FILE, "File that holds the password, in its only line.")
    ] = None
    password_env: Annotated[
        str | None, Key(kinds.VARIABLE, "Environment variable that holds the password.")
    ] = None
    ca: Annotated[
        Path | None, Key(kinds.FILE, "PEM file: whom to trust instead of the system's authorities.")
    ] = None
    client_cert: Annotated[
        Path | None, Key(kinds.FILE, "PEM file: the bridge's own certificate.")
    ] = None
    client_key: Annotated[
        Path | None, Key(kinds.FILE, "PEM file: its key, where it is not in the same file.")
    ] = None
    verify: Annotated[bool, Key(kinds.SWITCH, "Whether the server must prove who it is.")] = True
    namespaces: Annotated[
        Mapping[str, str],
        Key(kinds.NAMESPACES, "Real namespaces by the logical names of the mapping."),
    ] = field(default_factory=dict)
    deadline_s: Annotated[
        float, Key(kinds.seconds(3600), "Longest time all its operations of one request may take.")
    ] = 30
    max_concurrency: Annotated[
        int, Key(kinds.whole(1, 256), "Most operations at the same time.")
    ] = 8
    max_reply_mib: Annotated[
        int, Key(kinds.whole(1, 65_536), "Longest reply in MiB; a longer one is an error.")
    ] = 256
    breaker: Annotated[
        Mapping[str, Any],
        Key(
            kinds.part_of({name: key.kind for name, key in keys_of(BreakerConfig).items()}),
            "What differs for this server from `breaker` of all.",
        ),
    ] = field(default_factory=dict)
    action_wait_s: Annotated[
        float,
        Key(
            kinds.seconds(60, or_none=True),
            "Longest wait for the server to be done before an action answers 202.",
        ),
    ] = 0.5
    labels: Annotated[
        Mapping[str, str], Key(kinds.LABELS, "Words of your own about the target.")
    ] = field(default_factory=dict)
    settings: Annotated[
        Mapping[str, Any], Key(kinds.SETTINGS, "Values for the `settings` of the mapping.")
    ] = field(default_factory=dict)
    beside: Path = Path()


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """How the bridge listens, and what its clients see."""

    host: Annotated[str, Key(kinds.HOST, "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Key(kinds.whole(0, 65535), "Port to listen on; 0 picks a free one.")] = (
        8080
    )
    base_url: Annotated[
        str | None,
        Key(kinds.BASE_URL, "What hrefs begin with; if left out, what the request says."),
    ] = None
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        Key(kinds.NETWORKS, "Who may say with Forwarded or X-Forwarded what the client sees."),
    ] = ()
    authentication: Annotated[
        str,
        Key(
            kinds.one_of("auto", "on", "off"),
            "Who has to log in: `auto` is everybody as soon as there is a user, or the address is"
            " not loopback.",
        ),
    ] = "auto"
    public_entry_point: Annotated[
        bool, Key(kinds.SWITCH, "Whether the CloudEntryPoint alone may be read without login.")
    ] = False
    threads: Annotated[int, Key(kinds.whole(1, 256), "Requests answered at the same time.")] = 16
    max_connections: Annotated[
        int, Key(kinds.whole(1, 65535), "Connections open at the same time; more wait.")
    ] = 500
    max_body_bytes: Annotated[
        int, Key(kinds.whole(1, 2**30), "Longest body of a request; a longer one is a 413.")
    ] = 2**20
    drain_s: Annotated[
        float,
        Key(kinds.seconds(3600, or_none=True), "Longest wait at the end for requests in flight."),
    ] = 30


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """How the bridge carries out Jobs."""

    workers: Annotated[
        int,
        Key(kinds.whole(1, 256), "Jobs at work at the same time; those that wait do not count."),
    ] = 16
    retention_minutes: Annotated[
        int, Key(kinds.whole(1, 5_256_000), "How long finished Jobs are kept, in minutes.")
    ] = 1440
    lease_s: Annotated[
        float,
        Key(
            kinds.seconds(3600),
            "On PostgreSQL: after how long without a sign of life a bridge's Jobs are taken over.",
        ),
    ] = 15
    settle_s: Annotated[
        float,
        Key(
            kinds.seconds(3600, or_none=True),
            "How long a method call whose answer was lost may still take effect on a WBEM server.",
        ),
    ] = 10
    outage_s: Annotated[
        float,
        Key(
            kinds.seconds(86_400, or_none=True),
            "How long a Job waits for a WBEM server that cannot be reached before it fails.",
        ),
    ] = 60


@dataclass(frozen=True, slots=True)
class PlacementConfig:
    """On which target new resources are made, where neither they nor their client say it."""

    rule: Annotated[
        str,
        Key(
            kinds.one_of("first", "most-free"),
            "Which of the targets that are up: the first one, or the one with most room left.",
        ),
    ] = "first"
    labels: Annotated[
        Mapping[str, str], Key(kinds.LABELS, "Only targets that have all these labels.")
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. `store` is a secret because its URL may hold a password.

    Paths are absolute.
    """

    store: Annotated[
        Secret | None,
        Key(kinds.DATABASE, "Database for what no WBEM server holds."),
    ] = None
    store_key: Annotated[
        Secret | None,
        Key(kinds.SECRET, "Key that secrets in the store are sealed with; old ones behind it."),
    ] = None
    store_key_file: Annotated[
        Path | None,
        Key(kinds.FILE, "File that holds that key; old ones in further lines."),
    ] = None
    log_level: Annotated[
        str,
        Key(
            kinds.one_of("error", "warning", "info", "debug"),
            "What is logged on stderr; `info` has a line per request.",
        ),
    ] = "warning"
    targets: tuple[TargetConfig, ...] = ()
    http: HttpConfig = field(default_factory=HttpConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)
    breaker: BreakerConfig = field(default_factory=BreakerConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)


# The tables that stand once in a file, by the key they stand under; "" is the top.
SECTIONS: dict[str, type] = {
    "": Config, "http": HttpConfig, "jobs": JobsConfig, "breaker": BreakerConfig,
    "placement": PlacementConfig,
}  # fmt: skip


def variable(section: str, key: str) -> str:
    """Return the environment variable of a key: CIMI_CIM_HTTP_PORT is `http: {port: ...}`."""
    return "_".join(word for word in ("CIMI_CIM", section.upper(), key.upper()) if word)
