"""Who belongs to whom: what Collections list, and whose child a resource is (5.10.2, 5.13.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cimi_cim.errors import BadRequest, ConflictError
from cimi_cim.model.paths import Location, owner_of
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, CimiVersion, Kind
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.store.writing import Writing


class Membership:
    """Keeps to the rules of Collections inside of resources, within a transaction."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._model = catalog.model

    def put(
        self,
        writing: Writing,
        collection: str,
        member: str,
        accessory: Mapping[str, Value] | None = None,
    ) -> None:
        """List a resource in a Collection (5.5.12.2).

        Raises `ConflictError` where it is listed already.
        """
        if not writing.list_in(collection, member, accessory):
            raise ConflictError(f"{member} is in {collection} already", reason="already-listed")

    def take_out(self, writing: Writing, collection: str, member: str) -> None:
        """Take a resource off a list; a child of the Collection is nobody's child then.

        Raises `BadRequest` for what is not listed.
        """
        if not writing.unlist(collection, member):
            raise BadRequest(f"{member} is not in {collection}", reason="not-listed")
        if writing.kept(member).get("parent") == Ref(collection):
            writing.amend(member, {"parent": None})

    def collection_of(self, parent: Ref, child: Location, version: CimiVersion) -> Location | None:
        """Return the Collection that a new `parent` is, None for the one that the child lives in.

        Raises `BadRequest` for what cannot have such a child.
        """
        at = None if parent.url is not None else self._catalog.locate(parent.path, version)
        home = child.path.rpartition("/")[0]
        if at is not None and at.path == home:
            return None
        if at is None or not self._may_adopt(at, child):
            raise BadRequest(
                f"parent: it must be {home}, or a Collection inside of another resource that takes"
                f" in a {child.type}, such as systems/ID/{home}",
                reason="bad-parent",
            )
        return at

    def adopt(self, writing: Writing, collection: Location, child: str) -> None:
        """Have a Collection list a resource that becomes its child. Raises `BadRequest`."""
        owner = owner_of(self._model, collection).path
        if owner == child or owner in writing.dependents(child):
            raise BadRequest(f"parent: {owner} is a child of {child} itself", reason="bad-parent")
        if collection.path not in writing.listings_of([child]).get(child, ()):
            self.put(writing, collection.path, child)

    def follow(
        self,
        writing: Writing,
        type_name: str,
        path: str,
        before: Mapping[str, Value],
        after: Mapping[str, Value],
    ) -> None:
        """Have Collections that only the provider fills show who refers to their owner.

        A port of 1.x is in the `networkPorts` of its `network`.
        """
        for attribute, collection in self._filled(type_name):
            old, new = before.get(attribute), after.get(attribute)
            if old != new and isinstance(old, Ref):
                writing.unlist(f"{old.path}/{collection}", path)
            if old != new and isinstance(new, Ref):
                writing.list_in(f"{new.path}/{collection}", path)

    def _filled(self, type_name: str) -> Iterator[tuple[str, str]]:
        """The references of a type whose targets have a Collection of it that takes nothing."""
        for row in self._model[type_name].attributes.values():
            if row.kind is not Kind.REF or row.is_array or not row.target:
                continue
            for other in self._model[row.target].attributes.values():
                item = self._model.types.get(other.target or "")
                is_join = item is not None and self._catalog.is_join(item.name)
                if item is None or not is_join or item.collection_operations:
                    continue
                if self._catalog.joined_type(item.name) == type_name:
                    yield row.name, other.name

    def _may_adopt(self, at: Location, child: Location) -> bool:
        if not at.is_collection or len(at.steps) < 2 or len(child.steps) > 1:
            return False
        row = self._catalog.row_of(at)
        return (
            self._catalog.item_type(at) == child.type
            and row.is_composition
            and row.access is Access.READ_WRITE
        )
