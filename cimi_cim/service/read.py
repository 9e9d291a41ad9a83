"""Reading: the CloudEntryPoint, Collections and resources."""

from __future__ import annotations

from dataclasses import replace

from cimi_cim.errors import BadRequest, NotFound, ProviderError
from cimi_cim.incomplete import note
from cimi_cim.mapping.results import DEFAULT
from cimi_cim.model.filters import Text
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import Collection, OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.query import Query
from cimi_cim.wbem.deadline import Deadline

MOST_EXPANSIONS = 500
EVERYTHING = Query()


def neutral_path(ref: Ref) -> str:
    """How a reference reads where nobody says how clients know it."""
    return ref.path


class Reader:
    """Reads what a client may see; one per bridge."""

    def __init__(self, holdings: Holdings, *, deadline_s: float = 30) -> None:
        self._holdings = holdings
        self._deadline_s = deadline_s

    def read(
        self,
        location: Location,
        version: CimiVersion,
        query: Query = EVERYTHING,
        href: Text = neutral_path,
    ) -> Resource | Collection:
        """Return what is at a location, as far as the query asks for it.

        `href` writes a reference as clients know it, for filters that compare one. The
        deadline bounds all of it, expansion included. Raises `NotFound`.
        """
        return self._read(location, version, query, href, Deadline.after(self._deadline_s))

    def locate(self, path: str, version: CimiVersion) -> Location | None:
        """Return where a neutral path leads in a version, None if nowhere."""
        return self._holdings.locate(path, version)

    def _read(
        self,
        location: Location,
        version: CimiVersion,
        query: Query,
        href: Text,
        deadline: Deadline,
    ) -> Resource | Collection:
        if location.is_collection:
            return self._collection(location, version, query, href, deadline)
        found = self._holdings.resource(location, version, query.selected, deadline)
        return self._expanded(
            replace(found, selected=query.selected), version, query.expanded, deadline
        )

    def _collection(
        self,
        location: Location,
        version: CimiVersion,
        query: Query,
        href: Text,
        deadline: Deadline,
    ) -> Collection:
        wanted = query.selected_items
        if query.needs:
            wanted = (frozenset({DEFAULT}) if wanted is None else wanted) | query.needs
        page = self._holdings.page(location, version, query, wanted, href, deadline)
        if sum(len(query.expanded & item.values.keys()) for item in page.items) > MOST_EXPANSIONS:
            raise BadRequest(
                f"at most {MOST_EXPANSIONS} references are expanded at a time; ask for fewer"
                " items with $first and $last",
                reason="too-many-expansions",
            )
        shown = [
            self._expanded(
                replace(item, selected=query.selected_items), version, query.expanded, deadline
            )
            for item in page.items
        ]
        return Collection(
            location.type, location.path, shown, page.count,
            operations=self._offers(location),
            parent=owner_of(self._holdings.catalog.model, location).path, updated=page.updated,
            selected=query.selected,
        )  # fmt: skip

    def _offers(self, location: Location) -> list[OperationOffer]:
        """What the Collection takes; insert and remove have addresses of their own."""
        return [
            OperationOffer(name, location.path if name == "add" else f"{location.path}/{name}")
            for name in self._holdings.catalog.collection_operations(location)
        ]

    def _expanded(
        self, resource: Resource, version: CimiVersion, names: frozenset[str], deadline: Deadline
    ) -> Resource:
        """Put the targets of references in their place (4.1.6.4).

        One that is gone stays a link, as does one that its server cannot tell now.
        """
        values = dict(resource.values)
        for name in names & values.keys():
            target = self._target(values[name], version)
            if target is not None:
                try:
                    values[name] = self._read(target, version, EVERYTHING, neutral_path, deadline)
                except NotFound:
                    continue
                except ProviderError as exc:
                    if "target" not in exc.fields:
                        raise
                    note(exc.fields["target"], exc.message)
        return replace(resource, values=values)

    def _target(self, value: Value, version: CimiVersion) -> Location | None:
        if not isinstance(value, Ref) or value.url is not None:
            return None
        return self._holdings.locate(value.path, version)
