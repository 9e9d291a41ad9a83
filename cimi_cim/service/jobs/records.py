"""Jobs as resources, and Jobs of work that is over when the request is answered (4.2.1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.store.writing import Writing

COLLECTION = "jobs"
DONE = 10200
"""`returnCode` of success; 0 to 9999 belong to the standard (Table 46)."""

_ACTIONS = f"{CimiVersion.V2.namespace}/action"


@dataclass(frozen=True, slots=True)
class Work:
    """What a request did, or is to do.

    Args:
        action: Name of the operation: add, edit, delete, insert, start, ...
        target: Path of what the request was sent to; for add, the Collection.
        affected: Paths of what was changed or made, the target left out.
    """

    action: str
    target: str
    affected: Sequence[str] = ()


def described(work: Work) -> dict[str, Value]:
    """Return the attributes of a Job that say what it does."""
    paths = dict.fromkeys((work.target, *work.affected))
    return {
        "targetResource": Ref(work.target),
        "affectedResources": [Ref(path) for path in paths],
        "action": f"{_ACTIONS}/{work.action}",
    }


def record(writing: Writing, work: Work) -> str:
    """Keep a finished Job of some work; returns its path.

    What was deleted is no affected resource any more, and no target either.
    """
    values = described(work) | {
        "state": "SUCCESS",
        "returnCode": DONE,
        "progress": 100,
        "timeOfStatusChange": writing.now,
    }
    return writing.add("Job", COLLECTION, values).resource.path
