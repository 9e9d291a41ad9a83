"""Tells the answer that is being made what of a server's instances could not be read."""

from __future__ import annotations

from cimi_cim.incomplete import note
from cimi_cim.wbem.values import Row, Rows


def noted(rows: list[Row], classname: str, target: str) -> list[Row]:
    """Return rows as they are; those that were left out of them are noted for the target."""
    count = rows.left_out if isinstance(rows, Rows) else 0
    if count:
        what = "instance" if count == 1 else "instances"
        note(target, f"in part only, {count} {what} of {classname} cannot be read")
    return rows
