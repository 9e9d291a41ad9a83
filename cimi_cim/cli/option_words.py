"""Errors of servers in the words of a command: options where a target has keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cimi_cim.errors import ConfigError, ProviderError

_OTHERS = {"url": "the URL", "namespaces": "--namespace", "server": "the server's dialect"}


@contextmanager
def in_words_of_the_command() -> Iterator[None]:
    """Raise errors of servers as `ConfigError`, with options where a target has keys."""
    try:
        yield
    except ProviderError as exc:
        said = exc.message.replace("the target's deadline_s", "--timeout")
        said = said.replace("the target's host and port", "host and port of the URL")
        said = re.sub(r"`namespaces: \{'?(\w+)'?: \.\.\.\}`", r"--namespace \1=...", said)
        said = re.sub(r"`(\w+)`", _option, said)
        said = said.replace("the target's --", "--").replace("the target's the ", "the ")
        said = said.replace("the target's ", "the ").replace(" of the target", "")
        raise ConfigError(said) from exc


def _option(match: re.Match[str]) -> str:
    return _OTHERS.get(match[1], f"--{match[1].replace('_', '-')}")
