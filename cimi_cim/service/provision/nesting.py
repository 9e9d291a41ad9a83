"""What nested Jobs are told, and what they made.

The arguments of their bodies are made from those of the Job around.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cimi_cim.errors import ConflictError
from cimi_cim.model.resources import Ref
from cimi_cim.service.creation import is_pending
from cimi_cim.service.jobs.bodies import Child, Json
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.provision.kinds import ACT
from cimi_cim.service.store.documents import read_document, write_document
from cimi_cim.service.store.references import targets_of
from cimi_cim.service.store.store import Store


def acting(path: str, name: str, arguments: Mapping[str, Json]) -> Child:
    """A nested Job that carries out the same action on something else."""
    parameters = arguments.get("parameters", "{}")
    return Child(
        path, ACT, Work(name, path), {"path": path, "action": name, "parameters": parameters}
    )


def child_of(listing: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """The arguments of what is made as a child of the owner of a Collection."""
    overlay = read_document(arguments["overlay"])
    kept = write_document({**overlay, "parent": Ref(listing)})
    return {**arguments, "overlay": kept, "listings": [listing]}


def needs(component: Mapping[str, Json]) -> set[str]:
    """The placeholders of what a component refers to."""
    values = read_document(component["values"])
    inner = (needs(each) for each in component.get("subnetworks", ()))
    return {path for path in targets_of(values) if is_pending(path)}.union(*inner)


def named(component: Mapping[str, Json], made: Mapping[str, str]) -> dict[str, Json]:
    """The arguments of a component, with the paths of what was made for their placeholders."""
    arguments = {name: value for name, value in component.items() if name != "placeholder"}
    for name in ("values", "parts"):
        text = str(arguments[name])
        for placeholder, path in made.items():
            text = text.replace(json.dumps(placeholder), json.dumps(path))
        arguments[name] = text
    arguments["subnetworks"] = [named(each, made) for each in component.get("subnetworks", ())]
    return arguments


def made_by(store: Store, job: str, collection: str) -> str | None:
    """Return what a Job made in a Collection: what it affected there, None for nothing."""
    with store.reading() as reading:
        found = reading.find(job)
    affected = found.resource.values.get("affectedResources", []) if found else []
    made = (ref.path for ref in affected if ref.path.rpartition("/")[0] == collection)
    return next(map(str, made), None)


def must_have_made(store: Store, job: str, collection: str) -> str:
    """Return what a Job made in a Collection. Raises `ConflictError` for nothing."""
    path = made_by(store, job, collection)
    if path is None:
        raise ConflictError(f"{job} does not tell what it made", reason="not-found-again")
    return path
