"""Kinds of the Jobs that have WBEM servers make, change and delete things.

They are kept in the database, and outlive the program (see `jobs.bodies.Kinds`).
"""

from __future__ import annotations

CREATE, DELETE, CHANGE, UNMAKE = "create", "delete", "change", "unmake"
CHANGE_BACK, SNAPSHOT, RESTORE = "change-back", "snapshot", "restore"
ACT, SYSTEM, FORGET, DELETE_TREE, ACT_ON_ALL = (
    "act",
    "system",
    "forget",
    "delete-tree",
    "act-on-all",
)
