"""What is kept nowhere, and made anew for each answer."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.errors import NotFound
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT, Catalog
from cimi_cim.service.metadata import Metadata


class Computed:
    """The CloudEntryPoint, and the metadata of types."""

    def __init__(self, catalog: Catalog, metadata: Metadata) -> None:
        self._catalog = catalog
        self._metadata = metadata

    def entry_point(self, version: CimiVersion, kept: Mapping[str, Value]) -> Resource:
        """The CloudEntryPoint (DSP0263 5.12): a Collection is there exactly when it is served."""
        values: dict[str, Value] = {"name": "cimi-cim", **kept}
        for attribute, _ in self._catalog.collections_of(ENTRY_POINT, version).values():
            values[attribute] = Ref(attribute)
        return Resource(ENTRY_POINT, "", values, (OperationOffer("edit", ""),))

    def metadata(self, location: Location, version: CimiVersion) -> Resource:
        """The metadata of a resource type. Raises `NotFound`."""
        found = self._metadata.of(location.tokens[-1], version)
        if found is None:
            raise NotFound(f"there are no metadata {location.path!r}")
        return found

    def all_metadata(self, version: CimiVersion) -> list[Resource]:
        """The metadata of every resource type that is served."""
        return self._metadata.all(version)
