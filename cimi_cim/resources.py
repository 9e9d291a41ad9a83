"""Finds `mof/` and `mappings/`, in an installed wheel and in a source tree alike.

A wheel carries both folders inside the package (`_data/`, see setup.py); an
editable install and a checkout have them beside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"


def data_folder(name: str) -> Path:
    """Return the folder `name` ("mof" or "mappings") that belongs to this installation.

    Raises `FileNotFoundError` if the installation is incomplete.
    """
    for root in (_INSTALLED, _PACKAGE.parent):
        folder = root / name
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"this installation of cimi-cim has no {name}/ folder; install it again from the wheel"
    )


def mof_folder() -> Path:
    """The class declarations: `dmtf/` and one folder per vendor overlay."""
    return data_folder("mof")


def mappings_folder() -> Path:
    """The shipped mappings, and the server dialects in `servers/`."""
    return data_folder("mappings")
