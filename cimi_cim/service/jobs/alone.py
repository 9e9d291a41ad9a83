"""Makes sure that one bridge alone carries out the Jobs of an SQLite store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cimi_cim.errors import ConfigError


class Alone:
    """A lock that goes with the process, however it ends. Raises `ConfigError` if it is taken."""

    def __init__(self, database: Path) -> None:
        path = f"{database}-bridge"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._file)
            raise ConfigError(
                f"store: another bridge uses {database.name}; end it first. Several bridges at the"
                " same time need PostgreSQL"
            ) from exc

    def close(self) -> None:
        """Let others in."""
        os.close(self._file)
