"""What is kept nowhere, and made anew for each answer."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.model.resources import OperationOffer, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import ENTRY_POINT, Catalog


class Computed:
    """The CloudEntryPoint."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def entry_point(self, version: CimiVersion, kept: Mapping[str, Value]) -> Resource:
        """The CloudEntryPoint (DSP0263 5.12): a Collection is there exactly when it is served."""
        values: dict[str, Value] = {"name": "cimi-cim", **kept}
        for attribute, _ in self._catalog.collections_of(ENTRY_POINT, version).values():
            values[attribute] = Ref(attribute)
        return Resource(ENTRY_POINT, "", values, (OperationOffer("edit", ""),))
