"""The password of an account that an option names, from the file that another names."""

from __future__ import annotations

from pathlib import Path

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError


def read_password(user: str | None, file: Path | None) -> Secret | None:
    """Return the password in a file; None where no account is said. Raises `ConfigError`."""
    if (user is None) != (file is None):
        raise ConfigError("--user and --password-file go together")
    if file is None:
        return None
    try:
        return Secret(file.read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: the password cannot be read: {exc}") from exc
