"""The recorded servers, as tapes that are kept with the tests."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
SERVERS = ("sfcb", "pegasus")


def tape_folder(server: str) -> Path:
    """Return the tape of libvirt-cim on a WBEM server: `sfcb` or `pegasus`."""
    return FOLDER / f"libvirt-cim-{server}"
