"""Images of one Machine, one after another (DSP0263 5.14.7).

The Collection of a Machine's snapshots is in the order in which they were taken or gone back
to: the last one is what the Machine was last.
"""

from __future__ import annotations

from cimi_cim.model.resources import Ref
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

RELATED = "relatedImage"
TYPES = {"snapshot": "SNAPSHOT", "capture": "IMAGE"}
"""The `type` of the MachineImage that an action makes."""


def last_of(reading: Reading, listing: str) -> Ref | None:
    """Return the snapshot that a new one is related to, None for the first."""
    listed = reading.listed(listing)
    return Ref(listed[-1].member) if listed else None


def went_back(writing: Writing, listing: str, image: str) -> None:
    """Keep that the owner of a Collection of snapshots has gone back to one of them."""
    if writing.unlist(listing, image):
        writing.list_in(listing, image)


def close_up(writing: Writing, image: str) -> None:
    """Relate what was related to an image that goes to the one before it."""
    before = writing.kept(image).get(RELATED)
    for path in writing.referring(image):
        if writing.kept(path).get(RELATED) == Ref(image):
            writing.amend(path, {RELATED: before})
