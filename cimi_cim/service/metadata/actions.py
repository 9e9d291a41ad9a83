"""The operations that a resource of a type may offer (DSP0263 5.11, `actions`).

They are those that stand in `operations` of some resource of the type; those of its
Collection are the Collection's.
"""

from __future__ import annotations

from cimi_cim.model.resources import Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.catalog import Catalog

# Documents come and go as XML, too; one media type can be told.
DOCUMENT = "application/json"

_PLAIN: tuple[tuple[str, str, str, dict[str, Value]], ...] = (
    ("edit", "PUT", "Changes attributes.", {"inputMessage": DOCUMENT, "outputMessage": DOCUMENT}),
    ("delete", "DELETE", "Deletes the resource, and its children.", {"outputMessage": DOCUMENT}),
)


def actions_of(catalog: Catalog, type_name: str, version: CimiVersion) -> list[dict[str, Value]]:
    """Return every action of a type, as the metadata of a version tell it.

    URIs are those of 2.0. What leaves no resource behind answers with its Job.
    """
    taken = catalog.resource_operations(type_name)
    plain = [
        {"name": name, "uri": _uri(name), "description": doc, "method": method, **messages}
        for name, method, doc, messages in _PLAIN
        if name in taken
    ]
    return plain + [
        {
            "name": action.name,
            "uri": _uri(action.name),
            "description": action.doc,
            "method": "POST",
            "inputMessage": DOCUMENT,
            "outputMessage": DOCUMENT,
        }
        for action in catalog.actions(type_name, version)
    ]


def _uri(name: str) -> str:
    return f"{CimiVersion.V2.namespace}/action/{name}"
