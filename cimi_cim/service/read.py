"""Reading: the CloudEntryPoint, Collections and resources."""

from __future__ import annotations

from cimi_cim.errors import NotFound
from cimi_cim.mapping.results import ReadEngine
from cimi_cim.model.paths import Location, collections
from cimi_cim.model.resources import Collection, Ref, Resource, Value
from cimi_cim.model.types import CimiVersion, Model
from cimi_cim.wbem.deadline import Deadline


class Reader:
    """Reads what a client may see; one per bridge."""

    def __init__(self, model: Model, engine: ReadEngine, *, deadline_s: float = 30) -> None:
        self._model = model
        self._engine = engine
        self._deadline_s = deadline_s

    def read(self, location: Location, version: CimiVersion) -> Resource | Collection:
        """Return what is at a location, within the deadline. Raises `NotFound`."""
        deadline = Deadline.after(self._deadline_s)
        if not location.steps:
            return self._entry_point(version)
        if not self._engine.serves(location.type):
            raise NotFound(f"no {location.type} is served here")
        if not location.is_collection:
            return self._engine.read(location, None, deadline)
        found = self._engine.read_collection(location, None, deadline)
        parent = location.path.rpartition("/")[0]
        return Collection(
            location.type, location.path, found.items, len(found.items),
            parent=parent, warnings=found.warnings,
        )  # fmt: skip

    def _entry_point(self, version: CimiVersion) -> Resource:
        """The CloudEntryPoint (DSP0263 5.12): a collection is there exactly when it is served."""
        values: dict[str, Value] = {
            "name": "cimi-cim",
        }
        for attribute, item_type in collections(self._model, version, "CloudEntryPoint").values():
            if self._engine.serves_globally(item_type):
                values[attribute] = Ref(attribute)
        return Resource("CloudEntryPoint", "", values)
