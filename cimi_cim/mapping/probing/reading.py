"""Reads every resource of a mapping from the server, with the engine that serves clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from cimi_cim.config import TargetConfig
from cimi_cim.errors import CimiCimError, ProviderFailed
from cimi_cim.mapping.compiled import CompiledMapping, ResourceMapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.open import open_engine
from cimi_cim.mapping.results import DEFAULT
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.model.types import Model
from cimi_cim.wbem.deadline import Deadline

MOST_PARENTS = 8
"""Resources whose children are read: enough for samples, few enough for a large server."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The resources of one type. `troubles` says why an attribute, or "" all, cannot be read.

    Of children, only those of some parents are here.
    """

    items: tuple[Resource, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


def read_everything(
    config: TargetConfig, mapping: CompiledMapping, model: Model, seconds: float
) -> dict[str, Reading]:
    """Return what the server serves of each type under a mapping, parents first.

    What cannot be read together is read attribute by attribute, so that one that fails
    does not hide the others.
    """
    found: dict[str, Reading] = {}
    with closing(open_engine([config], model)) as engine:
        ordered = sorted(mapping.resources.values(), key=lambda r: r.parent is not None)
        for resource in ordered:
            places = list(_collections(resource, mapping, found))
            found[resource.type] = _read(engine, resource, places, seconds)
    return found


def _collections(
    resource: ResourceMapping, mapping: CompiledMapping, found: Mapping[str, Reading]
) -> Iterable[Location]:
    if resource.parent is None:
        yield Location(resource.type, ((resource.collection, None),))
        return
    above = mapping.resources[resource.parent].collection
    parents = found.get(resource.parent, Reading()).items[:MOST_PARENTS]
    for parent in parents:
        token = parent.path.rpartition("/")[2]
        yield Location(resource.type, ((above, token), (resource.collection, None)))


def _read(
    engine: Engine, resource: ResourceMapping, places: Iterable[Location], seconds: float
) -> Reading:
    lazy = {name for name, attribute in resource.attributes.items() if attribute.is_lazy}
    items: dict[str, Resource] = {}
    troubles: dict[str, str] = {}
    for place in places:
        try:
            whole = _asked(engine, place, frozenset({DEFAULT, *lazy}), seconds)
            items |= {item.path: item for item in whole}
        except CimiCimError:
            for name in ("id", "operations", *resource.attributes):
                _read_one(engine, place, name, seconds, items, troubles)
    return Reading(tuple(items.values()), troubles)


def _read_one(
    engine: Engine,
    place: Location,
    name: str,
    seconds: float,
    items: dict[str, Resource],
    troubles: dict[str, str],
) -> None:
    if "" in troubles:
        return
    try:
        read = _asked(engine, place, frozenset({name}), seconds)
    except CimiCimError as exc:
        troubles["" if name == "id" else name] = exc.message
        return
    for item in read:
        known = items.get(item.path)
        values = {**(known.values if known is not None else {}), **item.values}
        offers = item.operations or (known.operations if known is not None else ())
        items[item.path] = Resource(item.type, item.path, values, offers)


def _asked(
    engine: Engine, place: Location, wanted: frozenset[str], seconds: float
) -> Sequence[Resource]:
    """Return the items at a place. Raises what is wrong with the only target."""
    read = engine.read_collection(place, wanted, Deadline.after(seconds))
    for why in read.left_out.values():
        raise ProviderFailed(why)
    return read.items
