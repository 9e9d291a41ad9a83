"""What values a key of the configuration takes, and how a value becomes the program's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cimi_cim.credentials import Secret
from cimi_cim.yaml_source import nearest_of

_LONGEST_HOST = 253  # RFC 1035 2.3.4
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\Z")
_NAMESPACE = re.compile(r"[^/\s]+(/[^/\s]+)*\Z")


class Tell(Protocol):
    """Says what is wrong with a value, or with one entry of it."""

    def __call__(self, wrong: str, entry: str | int | None = None) -> None:
        """Note the mistake; `wrong` completes a sentence that begins with the key."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Args:
        what: Completes "must be ..."; the reference shows it.
        read: Makes the program's value of YAML's, or tells what is wrong and returns None.
        from_text: Makes YAML's value of an environment variable's text.
    """

    what: str
    read: Callable[[Any, Tell], Any]
    from_text: Callable[[str], Any] = str


def _kind(
    what: str,
    holds: Callable[[Any], bool],
    make: Callable[[Any], Any] = lambda value: value,
    from_text: Callable[[str], Any] = str,
) -> Kind:
    def read(value: Any, tell: Tell) -> Any:
        if holds(value):
            return make(value)
        return tell(f"must be {what}")

    return Kind(what, read, from_text)


def _is_text(value: Any) -> bool:
    """Whether a value is text of one line, with something in it."""
    return isinstance(value, str) and value.strip() != "" and value.isprintable()


def matching(pattern: str, what: str) -> Kind:
    """Text that matches a pattern as a whole."""
    whole = re.compile(pattern)
    return _kind(what, lambda v: isinstance(v, str) and whole.fullmatch(v) is not None)


def whole(least: int, most: int) -> Kind:
    """A whole number within bounds."""
    return _kind(
        f"a whole number from {least} to {most}",
        lambda v: type(v) is int and least <= v <= most,
        from_text=lambda text: int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text,
    )


def _number_of(text: str) -> Any:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else text


def seconds(most: int, *, or_none: bool = False) -> Kind:
    """A time in seconds, above 0 (or 0 where that means something)."""
    return _kind(
        f"a number of seconds from 0 to {most}" if or_none else f"seconds above 0, to {most}",
        lambda v: type(v) in (int, float) and 0 <= v <= most and (or_none or v > 0),
        from_text=_number_of,
    )


def one_of(*words: str) -> Kind:
    """One of some words."""
    return _kind(f"one of {', '.join(words)}", lambda v: isinstance(v, str) and v in words)


def table_of(what: str, holds: Callable[[Any], bool]) -> Kind:
    """A table whose values are all of one kind."""

    def read(value: Any, tell: Tell) -> Any:
        if not isinstance(value, dict):
            return tell(f"must be a table; its values are {what}")
        for name, entry in value.items():
            if name == "" or not holds(entry):
                tell(f"the value of {name!r} must be {what}", name)
        return value

    return Kind(f"a table of {what}", read)


def part_of(kinds: Mapping[str, Kind]) -> Kind:
    """A table of which each key has a kind of its own, and may be left out."""
    known = list(kinds)

    def read(value: Any, tell: Tell) -> Any:
        if not isinstance(value, dict):
            return tell(f"must be a table of keys: {', '.join(known)}")
        found = {}
        for name, entry in value.items():
            if name not in kinds:
                tell(f"unknown key {name!r}{nearest_of(str(name), known, 'known are')}", name)
                continue
            made = kinds[name].read(entry, _under(name, tell))
            if made is not None:
                found[name] = made
        return found

    return Kind(f"a table of {', '.join(known)}", read)


def _under(name: str, tell: Tell) -> Tell:
    """Complaints about an entry of a table begin with its key."""
    return lambda wrong, entry=None: tell(f"{name} {wrong}", name)


def _pairs(text: str) -> Any:
    """A table as a variable says it: `tier=gold,rack=12`; what is none stays text."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(mark for _, mark, _ in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}


def is_host(text: str) -> bool:
    """Whether a text is a host name or an IP address (an IPv6 one without brackets)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST_HOST and _HOST.match(text) is not None
    return True


def _url_complaint(value: Any) -> str | None:
    """Return the first thing that is wrong with an http or https URL, None if nothing is.

    The URL itself is never shown: an account in it would be, too.
    """
    if not _is_text(value) or " " in value:
        return ""
    try:
        parts = urlsplit(value)
        has_port = parts.port != 0
    except ValueError:
        has_port = False
        parts = urlsplit("")
    if "@" in value.partition("://")[2].partition("/")[0]:
        return ", without an account in it; user and password_file say that of a target"
    if not has_port:
        return "; its port is a number from 1 to 65535, and an IPv6 address stands in brackets"
    if parts.scheme not in ("http", "https"):
        return "; it begins with http:// or https://"
    if parts.hostname is None or not is_host(parts.hostname):
        return "; its host is a name or an address"
    if "?" in value or "#" in value:
        return ", without ? and #"
    return None


def _url(example: str, make: Callable[[str], str]) -> Kind:
    def read(value: Any, tell: Tell) -> Any:
        wrong = _url_complaint(value)
        return make(value) if wrong is None else tell(f"must be a URL such as {example}{wrong}")

    return Kind(f"a URL such as {example}", read)


def _network(text: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _networks(value: Any, tell: Tell) -> Any:
    if not isinstance(value, list):
        return tell(f"must be {NETWORKS.what}")
    found = []
    for position, text in enumerate(value):
        network = _network(text)
        if network is None:
            tell(f"{text!r} is no address and no network such as 10.0.0.0/8", position)
        found.append(network)
    return tuple(found)


def _database(value: Any, tell: Tell) -> Any:
    """A database URL, as a secret: it may hold a password. Nothing of it is told."""
    shown = "must be sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    if not _is_text(value):
        return tell(shown)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return tell(f"{shown}; what stands between // and / is not a host and a port")
    name = parts.path.removeprefix("/")
    if parts.scheme == "postgres":
        return tell(f"{shown}; write postgresql://, not postgres://")
    if parts.scheme not in ("sqlite", "postgresql"):
        return tell(shown)
    if parts.scheme == "sqlite" and parts.netloc:
        return tell(f"{shown}; a file wants three slashes, an absolute path four")
    if not name or name == ":memory:":
        return tell(f"{shown}; it names no {'file' if parts.scheme == 'sqlite' else 'database'}")
    return Secret(value)


TEXT = _kind("text", _is_text)
SECRET = _kind("text", lambda v: isinstance(v, str) and v != "", Secret)
FILE = _kind("the path of a file", _is_text, Path)
SWITCH = _kind(
    "true or false",
    lambda v: isinstance(v, bool),
    from_text=lambda text: {"true": True, "false": False}.get(text, text),
)
HOST = _kind("a host name or an IP address", lambda v: isinstance(v, str) and is_host(v))
VARIABLE = matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")
ALIAS = matching(r"[a-z0-9-]{1,32}", "1 to 32 lower-case letters, digits and dashes")
TARGET_URL = _url("http://wbem.example:5988", str)
BASE_URL = _url("https://cloud.example", lambda url: url.rstrip("/"))
DATABASE = Kind("a database URL", _database)
NETWORKS = Kind(
    "a list of addresses and networks",
    _networks,
    lambda text: [word.strip() for word in text.split(",") if word.strip()],
)
NAMESPACES = table_of(
    "namespaces such as root/cimv2", lambda v: isinstance(v, str) and bool(_NAMESPACE.match(v))
)
LABELS = replace(table_of("text (a number wants quotes)", _is_text), from_text=_pairs)
SETTINGS = table_of(
    "text, numbers, true or false", lambda v: isinstance(v, (str, int, float)) and v != ""
)
