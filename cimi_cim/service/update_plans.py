"""Updates, planned: what a resource becomes, held against tables, metadata and references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT
from cimi_cim.service.checks import Tables
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.membership import Membership
from cimi_cim.service.outcome import Check
from cimi_cim.service.referring import References
from cimi_cim.service.rules import check_rules
from cimi_cim.service.store.reading import Reading, Stored
from cimi_cim.service.updating import Update
from cimi_cim.wbem.deadline import Deadline

Seen = Stored | dict[str, Value]
"""What the store has of a resource: all of it, or what it keeps of one in a WBEM server."""


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What the store is to have of a resource after an update.

    Args:
        seen: What it had when this was planned.
        before: The attributes that it had.
        wanted: Those that it is to have.
        parent: The Collection that must list the resource, None if nothing changes there.
        references: Where the references in it lead.
    """

    seen: Seen
    before: Mapping[str, Value]
    wanted: dict[str, Value]
    parent: Location | None
    references: References


class UpdatePlans:
    """Plans updates outside of transactions."""

    def __init__(self, holdings: Holdings, membership: Membership) -> None:
        self._holdings = holdings
        self._catalog = holdings.catalog
        self._membership = membership

    def plan(
        self,
        location: Location,
        update: Update,
        check: Check,
        deadline: Deadline,
        written: Mapping[str, Value] | None = None,
    ) -> UpdatePlan:
        """Plan an update; `written` are attributes that the WBEM server is to have by then.

        Raises `NotFound`, `BadRequest`, and what `check` does.
        """
        version, at = update.version, self._seen(location)
        if isinstance(at, Stored):
            check(self._holdings.resource(location, version, None, deadline))
            before = dict(at.resource.values)
            wanted = update.of_stored(before)
            with self._holdings.store.reading() as reading:
                wanted = self._holdings.constraints.check(
                    reading, location.type, version, wanted, before
                )
        else:
            own = self._holdings.without_overlay(location, version, deadline)
            check(self._holdings.with_overlay(own, version))
            before = at
            allowed = self.allowed(location, update, own.values)
            wanted = update.kept_of(allowed, {**own.values, **(written or {})}, before)
        parent = self._parent(location, update, before, wanted)
        references = self._checked(location, version, before, wanted, deadline)
        return UpdatePlan(at, before, wanted, parent, references)

    def allowed(
        self, location: Location, update: Update, own: Mapping[str, Value]
    ) -> dict[str, Value]:
        """Return all attributes of a live resource after an update, as its metadata allow.

        `own` are those that its WBEM server has. Raises `BadRequest`.
        """
        with self._holdings.store.reading() as reading:
            kept = reading.overlay(location.path or ENTRY_POINT)
            asked = update.of_live_whole(own, kept)
            return self._holdings.constraints.check(
                reading, location.type, update.version, asked, {**own, **kept}
            )

    def _seen(self, location: Location) -> Seen:
        with self._holdings.store.reading() as reading:
            return seen_at(reading, location)

    def _parent(
        self,
        location: Location,
        update: Update,
        before: Mapping[str, Value],
        wanted: dict[str, Value],
    ) -> Location | None:
        """Settle whose child a resource is; returns the Collection that must list it for that.

        What is about one other resource stays with that one.
        """
        if location.type in self._catalog.attached_types and "parent" not in wanted:
            wanted |= {"parent": before["parent"]}
        said = wanted.get("parent")
        if not isinstance(said, Ref) or said == before.get("parent"):
            return None
        return self._membership.collection_of(said, location, update.version)

    def _checked(
        self,
        location: Location,
        version: CimiVersion,
        before: Mapping[str, Value],
        wanted: Mapping[str, Value],
        deadline: Deadline,
    ) -> References:
        """Hold what a resource would become against the tables; what it is stays allowed."""
        changed = {n: v for n, v in wanted.items() if v != before.get(n)}
        tables = Tables(self._catalog.model, version)
        tables.check(location.type, changed, is_whole=False)
        tables.check_kept(location.type, before, wanted)
        if changed:
            check_rules(location.type, wanted)
        references = References(self._holdings, version, deadline)
        if isinstance(changed.get("parent"), Ref):
            references.existing(changed["parent"], (), "parent")
        references.check(location.type, changed)
        return references


def seen_at(reading: Reading, location: Location) -> Seen:
    """What a change is planned on; of a join nothing, which is there as long as it is listed."""
    return reading.find(location.path) or reading.overlay(location.path or ENTRY_POINT)
