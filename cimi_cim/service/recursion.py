"""Operations that reach what a resource is made of, however deep (DSP0263 5.16.1.2)."""

from __future__ import annotations

from collections.abc import Iterator

from cimi_cim.model.paths import Location
from cimi_cim.model.types import Action, CimiVersion
from cimi_cim.service.catalog import Catalog
from cimi_cim.service.events import tell_state
from cimi_cim.service.store.reading import Reading
from cimi_cim.service.store.writing import Writing

_ALIKE = {"start": ("start", "enable"), "stop": ("stop", "disable")}
"""What an operation means to the parts: one of these, whichever they have."""


def has_components(catalog: Catalog, type_name: str) -> bool:
    """Whether resources of a type are made of what an operation of theirs can reach."""
    rows = catalog.model[type_name].attributes
    return any(
        rows[attribute].is_composition
        and (item == type_name or any(True for _ in catalog.recorded_actions(item)))
        for attribute, item in catalog.collections_of(type_name, CimiVersion.V2).values()
    )


def components_of(reading: Reading, catalog: Catalog, at: Location) -> Iterator[Location]:
    """Yield what the Collections of a resource list of its components."""
    for attribute, _ in catalog.collections_of(at.type, CimiVersion.V2).values():
        row = catalog.model[at.type].attributes[attribute]
        if row.is_composition and not catalog.is_live_child(at.type, attribute, row.target or ""):
            for listed in reading.listed(f"{at.path}/{attribute}"):
                found = catalog.locate(listed.member, CimiVersion.V2)
                if found is not None:
                    yield found


def bring_along(writing: Writing, catalog: Catalog, at: Location, name: str) -> None:
    """Have an operation of a resource reach what the store keeps of its components."""
    if not has_components(catalog, at.type):
        return
    waiting, seen = [at], {at.path}
    while waiting:
        for part in components_of(writing, catalog, waiting.pop()):
            stored = writing.find(part.path)
            if stored is None or part.path in seen:
                continue
            seen.add(part.path)
            waiting.append(part)
            action = _action_of(catalog, part, name)
            before = stored.resource.values.get("state")
            if action is not None and before in action.from_states:
                writing.amend(part.path, {"state": action.target_state})
                tell_state(writing, part.path, part.type, str(action.target_state), before)


def _action_of(catalog: Catalog, part: Location, name: str) -> Action | None:
    taken = {action.name: action for action in catalog.recorded_actions(part.type)}
    return next((taken[each] for each in _ALIKE.get(name, ()) if each in taken), None)
