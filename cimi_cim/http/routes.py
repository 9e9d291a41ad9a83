"""What a path leads to, and which methods it takes: told by the catalog alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cimi_cim.errors import NotFound
from cimi_cim.model.paths import Location, resolve
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog

_READS = ("GET", "HEAD", "OPTIONS")
_MEMBERSHIP = ("insert", "remove")


class Target(Enum):
    """What kind of thing is at a path."""

    RESOURCE = "resource"
    COLLECTION = "collection"
    ACTION = "action"  # of a resource: machines/T/start
    MEMBERSHIP = "membership"  # of a Collection: systems/T/machines/insert


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads.

    Args:
        target: What is there.
        location: The resource or Collection itself, or the one that is acted on.
        methods: What it takes, as `Allow` says.
        name: Of the action, or "insert" or "remove".
    """

    target: Target
    location: Location
    methods: tuple[str, ...]
    name: str = ""


def route(catalog: Catalog, version: CimiVersion, segments: Sequence[str]) -> Route:
    """Return what is at the wire path of a version. Raises `NotFound`."""
    location = resolve(catalog.model, version, segments)
    if location is not None and _is_served(catalog, version, location):
        found = _membership(catalog, location)
        if found is not None:
            return found
        if catalog.is_address(location):
            return _plain(catalog, location)
    if len(segments) > 2 and segments[-1]:
        owner = resolve(catalog.model, version, segments[:-1])
        if owner is not None and _takes_actions(catalog, version, owner):
            for action in catalog.actions(owner.type, version):
                if action.name == segments[-1]:
                    return Route(Target.ACTION, owner, ("POST", "OPTIONS"), action.name)
    raise NotFound(
        f"nothing is at {'/'.join(segments)[:200]}; follow the links of the CloudEntryPoint"
    )


def _is_served(catalog: Catalog, version: CimiVersion, location: Location) -> bool:
    return not location.steps or catalog.serves(location.type, version)


def _takes_actions(catalog: Catalog, version: CimiVersion, location: Location) -> bool:
    """Whether it is a resource: what a Collection lists has its actions where it lives."""
    is_there = _is_served(catalog, version, location) and catalog.is_address(location)
    return is_there and not location.is_collection


def _plain(catalog: Catalog, location: Location) -> Route:
    if location.is_collection:
        posts = ("POST",) if catalog.collection_operations(location) else ()
        return Route(Target.COLLECTION, location, (*_READS, *posts))
    taken = catalog.operations_at(location)
    methods = [*_READS]
    methods += ["PUT"] if "edit" in taken else []
    methods += ["DELETE"] if "delete" in taken else []
    return Route(Target.RESOURCE, location, tuple(methods))


def _membership(catalog: Catalog, location: Location) -> Route | None:
    """`insert` and `remove` of a Collection stand where the tokens of its items do."""
    if location.is_collection or not location.steps:
        return None
    *outer, (attribute, token) = location.steps
    if token not in _MEMBERSHIP:
        return None
    collection = Location(location.type, (*outer, (attribute, None)))
    if token not in catalog.collection_operations(collection):
        return None
    return Route(Target.MEMBERSHIP, collection, ("POST", "OPTIONS"), token)
