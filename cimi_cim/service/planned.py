"""What one request makes: decided first, then done in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.membership import Membership
from cimi_cim.service.store.writing import Writing, new_token

MOST_MADE = 1000
"""How many resources one request may make."""


@dataclass(slots=True)
class New:
    """A resource that is to be made: its type, the Collection it lives in, its token there.

    `listings` are the Collections of other resources that list it.
    """

    type: str
    collection: str
    token: str = field(default_factory=new_token)
    values: dict[str, Value] = field(default_factory=dict)
    listings: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where it will be."""
        return f"{self.collection}/{self.token}"


class Planned:
    """Resources to make, Collections to list existing ones in, references to set."""

    def __init__(self) -> None:
        self.news: list[New] = []
        self._members: dict[tuple[str, str], None] = {}
        self._claims: list[tuple[str, str, str]] = []

    @property
    def made(self) -> Sequence[str]:
        """The paths of all that is made, the resource asked for first."""
        return [new.path for new in self.news]

    def add(self, new: New) -> New:
        """Make a resource. Raises `BadRequest` for too many."""
        if len(self.news) >= MOST_MADE:
            raise BadRequest(f"one request makes {MOST_MADE} resources at most; ask for fewer",
                             reason="too-many-resources")  # fmt: skip
        self.news.append(new)
        return new

    def put_in(self, collection: str, member: str) -> None:
        """Have a Collection of something new list what exists, once."""
        self._members[collection, member] = None

    def claim(self, target: str, attribute: str, new: New) -> None:
        """Have an existing resource refer to a new one; the newest is the one that counts."""
        self._claims.append((target, attribute, new.path))

    def make(self, writing: Writing, membership: Membership) -> None:
        """Do it. Raises what `Membership.put` does."""
        for new in self.news:
            writing.add(new.type, new.collection, new.values, new.token)
        for new in self.news:
            for collection in new.listings:
                membership.put(writing, collection, new.path)
            membership.follow(writing, new.type, new.path, {}, new.values)
        for collection, member in self._members:
            membership.put(writing, collection, member)
        for target, attribute, path in self._claims:
            writing.amend(target, {attribute: Ref(path)})
