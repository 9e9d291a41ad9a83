"""ResourceMetadata (DSP0263 5.11): what holds for the resources of each type here."""

from __future__ import annotations

from cimi_cim.model.resources import Resource, Value
from cimi_cim.model.types import CimiVersion, ResourceType
from cimi_cim.service.catalog import ENTRY_POINT, METADATA, Catalog


class Metadata:
    """Told from the model tables and the catalog; one per bridge."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, token: str, version: CimiVersion) -> Resource | None:
        """Return the metadata of the type that a version calls so, None if it has none."""
        for resource in self._described(version):
            form = resource.form(version)
            if form is not None and form.type_name == token:
                return self._made(resource, token, version)
        return None

    def all(self, version: CimiVersion) -> list[Resource]:
        """Return the metadata of every type that is served in a version."""
        return [
            self._made(resource, form.type_name, version)
            for resource in self._described(version)
            if (form := resource.form(version)) is not None
        ]

    def _described(self, version: CimiVersion) -> list[ResourceType]:
        return [
            resource
            for name, resource in self._catalog.model.types.items()
            if name == ENTRY_POINT or self._catalog.serves(name, version)
        ]

    def _made(self, resource: ResourceType, token: str, version: CimiVersion) -> Resource:
        values: dict[str, Value] = {
            "typeURI": f"{CimiVersion.V2.namespace}/{token}",
            "name": token,
            "attributes": [
                {
                    "name": form.json_name,
                    "providerMandatory": row.is_provider_mandatory,
                    "consumerMandatory": row.is_consumer_mandatory,
                    "mutable": row.is_mutable,
                    "consumerWritable": row.is_consumer_writable,
                }
                for row in resource.attributes.values()
                if (form := row.form(version)) is not None
            ],
        }
        return Resource(METADATA, f"resourceMetadata/{token}", values)
