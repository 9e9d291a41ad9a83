"""Which paths there are: all that is served, as path templates, with the methods they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cimi_cim.http.routes import Route, route
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT, Catalog

MEMBERSHIP = ("insert", "remove")
_SOME_TOKEN = "x"  # noqa: S105 - any token: which one does not matter to a route


@dataclass(frozen=True, slots=True)
class Place:
    """One path template of a version.

    Args:
        version: The version that the path speaks.
        path: Begins with a slash; `{machineId}` stands for the token of a Machine.
        route: Where it leads, some token standing for each parameter.
        parameters: Name of each parameter -> wire name of the type it is a token of.
    """

    version: CimiVersion
    path: str
    route: Route
    parameters: dict[str, str]


def places(catalog: Catalog, version: CimiVersion) -> Iterator[Place]:
    """Yield every place of a version, outer ones first; the CloudEntryPoint begins.

    What a Collection only lists has its place elsewhere, so it has none below the list: Systems
    in Systems end after one level.
    """
    walk = _Walk(catalog, version)
    yield walk.place(["cloudEntryPoint"], {})
    yield from walk.below([], {}, ENTRY_POINT)


class _Walk:
    def __init__(self, catalog: Catalog, version: CimiVersion) -> None:
        self._catalog = catalog
        self._version = version

    def place(self, segments: list[str], parameters: dict[str, str]) -> Place:
        """Return the place of a template's segments."""
        some = [_SOME_TOKEN if segment.startswith("{") else segment for segment in segments]
        path = f"/cimi/{self._version.value}/{'/'.join(segments)}"
        found = route(self._catalog, self._version, some)
        return Place(self._version, path, found, parameters)

    def below(self, segments: list[str], parameters: dict[str, str], owner: str) -> Iterator[Place]:
        """Yield the Collections of a resource, and all there is in each."""
        for segment in self._catalog.collections_of(owner, self._version):
            collection = self.place([*segments, segment], parameters)
            yield collection
            yield from self._in(collection, [*segments, segment])

    def _in(self, collection: Place, segments: list[str]) -> Iterator[Place]:
        catalog, version, at = self._catalog, self._version, collection.route.location
        for name in MEMBERSHIP:
            if name in catalog.collection_operations(at):
                yield self.place([*segments, name], collection.parameters)
        if not (catalog.lives_in(at) or catalog.is_join(at.type)):
            return
        form = catalog.model[at.type].form(version)
        name = form.type_name if form is not None else at.type
        token = f"{name[0].lower()}{name[1:]}Id"
        inside = [*segments, f"{{{token}}}"]
        parameters = {**collection.parameters, token: name}
        yield self.place(inside, parameters)
        for action in catalog.actions(at.type, version):
            yield self.place([*inside, action.name], parameters)
        yield from self.below(inside, parameters, at.type)
