"""The files of a probe: an overlay, the class declarations it needs, and a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cimi_cim.config import TargetConfig
from cimi_cim.errors import ConfigError
from cimi_cim.mapping.probing.draft import Draft

CONFIGURATION = "bridge.yaml"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
"""What a mapping may be called."""


def files_of(draft: Draft) -> dict[str, str]:
    """Return the overlay and its declarations, by path relative to the overlay's folder."""
    declared = {f"{draft.name}-mof/{name}": text for name, text in draft.mof.items()}
    return {f"{draft.name}.yaml": draft.text(), **declared}


def stanza(config: TargetConfig, mapping: str) -> str:
    """Return a configuration of one target that `cimi-cim serve --config` takes.

    Passwords stay where they are: in the file that the target names.
    """
    said: dict[str, Any] = {
        "alias": config.alias,
        "url": config.url,
        "mapping": mapping,
        "server": config.server,
    }
    files = ("password_file", "ca", "client_cert", "client_key")
    if config.user is not None:
        said["user"] = config.user
    said |= {key: str(path) for key in files if (path := getattr(config, key)) is not None}
    if not config.verify:
        said["verify"] = False
    if config.namespaces:
        said["namespaces"] = dict(config.namespaces)
    text: str = yaml.safe_dump({"targets": [said]}, sort_keys=False, width=10_000)
    return text


def refuse_existing(folder: Path, names: Iterable[str], *, force: bool) -> list[str]:
    """Return the files that are there already. Raises `ConfigError` without `force`."""
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ConfigError(
            f"{folder / there[0]}{more}: there already; say another --out, or --force to replace it"
        )
    return there


def write_files(folder: Path, files: Mapping[str, str], *, force: bool) -> list[str]:
    """Write files below a folder; returns those that were there before and are no more.

    Without `force` nothing is written where one of them is there. Raises `ConfigError`.
    """
    there = refuse_existing(folder, files, force=force)
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be written: {exc.strerror}") from exc
    return there
