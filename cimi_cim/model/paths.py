"""Neutral resource paths: `machines/TOKEN/interfaces/TOKEN`, relative to a CloudEntryPoint.

A path is a chain of (collection attribute, token) pairs. The wire paths of 1.x use
other names for some segments (`networkInterfaces`); `resolve` takes the names of the
version spoken, and `wire_path` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cimi_cim.model.types import CimiVersion, Kind, Model

TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a path leads.

    Args:
        type: Neutral type of the resource, or of the items of the Collection.
        steps: The chain from the CloudEntryPoint: (neutral collection attribute, token);
            the last token is None for a Collection. Empty for the CloudEntryPoint.
    """

    type: str
    steps: tuple[tuple[str, str | None], ...]

    @property
    def is_collection(self) -> bool:
        """Whether this is a Collection and not one resource."""
        return bool(self.steps) and self.steps[-1][1] is None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens on the way, outermost first."""
        return tuple(token for _, token in self.steps if token is not None)

    @property
    def path(self) -> str:
        """The neutral path."""
        return "/".join(segment for step in self.steps for segment in step if segment is not None)


def owner_of(model: Model, location: Location) -> Location:
    """Return the resource whose attribute the innermost Collection at a location is."""
    owner, steps = "CloudEntryPoint", location.steps[:-1]
    for attribute, _ in steps:
        owner = model[owner].attributes[attribute].target or owner
    return Location(owner, steps)


def collections(model: Model, version: CimiVersion, owner: str) -> dict[str, tuple[str, str]]:
    """Return wire segment -> (neutral attribute, item type) of the collections of a type.

    The item type is that of the version: a 1.x Machine has MachineSnapshots where one of
    2.0 has MachineImages.
    """
    found: dict[str, tuple[str, str]] = {}
    for attribute in model[owner].attributes.values():
        form, item_type = attribute.form(version), attribute.target_in(version)
        if attribute.kind is not Kind.COLLECTION or form is None or item_type is None:
            continue
        if item_type in model.types:
            found[form.json_name] = (attribute.name, item_type)
    return found


def resolve(model: Model, version: CimiVersion, segments: Sequence[str]) -> Location | None:
    """Return where the wire path of a version leads, None if nowhere.

    The CloudEntryPoint is the empty path, or `cloudEntryPoint`.
    """
    if list(segments) in ([], ["cloudEntryPoint"]):
        return Location("CloudEntryPoint", ())
    owner, steps = "CloudEntryPoint", list[tuple[str, str | None]]()
    for index in range(0, len(segments), 2):
        step = collections(model, version, owner).get(segments[index])
        if step is None:
            return None
        attribute, owner = step
        token = segments[index + 1] if index + 1 < len(segments) else None
        if token is not None and not TOKEN.match(token):
            return None
        steps.append((attribute, token))
    return Location(owner, tuple(steps))


def resolve_action(
    model: Model, version: CimiVersion, segments: Sequence[str]
) -> tuple[Location, str] | None:
    """Return the resource and the action of an action's path (`machines/T/start`), or None."""
    if len(segments) < 3 or len(segments) % 2 == 0:
        return None
    location = resolve(model, version, segments[:-1])
    if location is None or segments[-1] not in model[location.type].actions:
        return None
    action = model[location.type].actions[segments[-1]]
    return (location, action.name) if version in action.versions else None


def locate(model: Model, path: str, version: CimiVersion) -> Location | None:
    """Return where a neutral path leads in a version, None if nowhere."""
    return resolve(model, version, wire_path(model, version, path).split("/"))


def wire_path(model: Model, version: CimiVersion, path: str) -> str:
    """Return the wire path of a neutral one: segments as the version names them."""
    if not path:
        return "cloudEntryPoint"
    owner, segments = "CloudEntryPoint", path.split("/")
    for index in range(0, len(segments), 2):
        attribute = model[owner].attributes.get(segments[index])
        if attribute is None:
            break
        form = attribute.form(version)
        segments[index] = form.json_name if form is not None else segments[index]
        owner = attribute.target_in(version) or owner
    return "/".join(segments)
