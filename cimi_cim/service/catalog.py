"""What is served here, and what may be done with it: the one source of `operations`.

Allowed methods, metadata and the OpenAPI document are told from here, too. Names are
neutral; whether a resource takes an operation *now* is for its state to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from cimi_cim.errors import CimiCimError
from cimi_cim.mapping.results import Coverage, Engine
from cimi_cim.model.paths import Location, collections, locate, owner_of
from cimi_cim.model.types import Access, Action, Attribute, CimiVersion, Home, Model, ResourceType

METADATA = "ResourceMetadata"
ENTRY_POINT = "CloudEntryPoint"
JOB = "Job"
SYSTEM = "System"
JOIN_OPERATIONS = frozenset({"delete"})
JOB_ACTIONS = frozenset({"snapshot", "capture", "restore"})
"""The actions that make or use images, and take their time."""
ACTION_OF_STATE = {
    "STARTED": "start", "PAUSED": "pause", "SUSPENDED": "suspend",
    "ENABLED": "enable", "DISABLED": "disable",
}  # fmt: skip
DEFAULT_STATE = {"Machine": "STOPPED", "Network": "STOPPED", "NetworkInterface": "DISABLED"}
"""The state of what WBEM servers make, if nothing else is asked for (5.14.2.1, 5.16)."""
KEPT_FOR_LIVE = frozenset({"name", "description", "properties", "parent"})
"""What the store keeps of a resource that lives in a WBEM server."""


class Catalog:
    """Derived from the model tables and from what the targets map."""

    def __init__(self, model: Model, engine: Engine, *, can_provision: bool = False) -> None:
        """`can_provision` says that Jobs carry out what takes WBEM servers their time."""
        self.model = model
        self._engine = engine
        self._can_provision = can_provision
        self._collections: dict[tuple[str, CimiVersion], dict[str, tuple[str, str]]] = {}

    def serves(self, type_name: str, version: CimiVersion) -> bool:
        """Whether a version has resources of a type here, or could have."""
        resource = self.model[type_name]
        if resource.form(version) is None:
            return False
        if self.is_join(type_name):
            return self.serves(self.joined_type(type_name), version)
        return resource.home is not Home.PROVIDER or self.is_live(type_name)

    def is_live(self, type_name: str) -> bool:
        """Whether WBEM servers hold resources of the type."""
        return self._engine.serves(type_name)

    def provisions(self, type_name: str, operation: str) -> bool:
        """Whether WBEM servers "add" or "delete" resources of a type here, or do an action."""
        return self._can_provision and self._engine.maps(type_name, operation)

    def reaches(self, type_name: str, state: str) -> bool:
        """Whether what WBEM servers make, stopped, can be brought to a state."""
        action = ACTION_OF_STATE.get(state)
        return state == "STOPPED" or (action is not None and self.provisions(type_name, action))

    def default_state(self, type_name: str) -> str | None:
        """The state of a new resource whose template says none, None if nobody knows."""
        if not self.provisions(type_name, "add"):
            initial = self.model[type_name].attributes["state"].initial
            return None if initial is None else str(initial)
        state = DEFAULT_STATE.get(type_name)
        return state if state is not None and self.reaches(type_name, state) else None

    def coverage(self, type_name: str) -> Coverage:
        """Which attributes of a type WBEM servers hold."""
        return self._engine.attributes_of(type_name)

    def takes_parameter(self, type_name: str, operation: str, parameter: str) -> bool:
        """Whether WBEM servers do an operation differently by a parameter."""
        return self._engine.takes_parameter(type_name, operation, parameter)

    def _provisions_in(self, collection: Location) -> bool:
        """Whether WBEM servers make resources in a Collection, as its children at least."""
        is_child = len(collection.steps) > 1 and self.lives_in(collection)
        can_be_there = is_child or self._engine.serves_globally(collection.type)
        return can_be_there and self.provisions(collection.type, "add")

    def is_stored(self, type_name: str) -> bool:
        """Whether the store holds resources of the type."""
        return self.model[type_name].home is Home.STORE and not self.is_join(type_name)

    def is_join(self, type_name: str) -> bool:
        """Whether it only tells that a Collection lists another resource (1.x)."""
        resource = self.model[type_name]
        return resource.refers_to is not None and resource.home is not Home.PROVIDER

    def joined_type(self, type_name: str) -> str:
        """The type at the other end of a join."""
        resource = self.model[type_name]
        return resource.attributes[resource.refers_to or ""].target or ""

    def collections_of(self, type_name: str, version: CimiVersion) -> dict[str, tuple[str, str]]:
        """Wire segment -> (neutral attribute, item type) of the Collections that are served."""
        key = (type_name, version)
        if key not in self._collections:
            every = collections(self.model, version, type_name)
            self._collections[key] = {
                segment: (attribute, item_type)
                for segment, (attribute, item_type) in every.items()
                if self.serves(item_type, version)
            }
        return self._collections[key]

    def is_live_child(self, owner: str, attribute: str, item_type: str) -> bool:
        """Whether the items of a Collection are parts of their owner in the WBEM server."""
        item = self.model[item_type]
        return item.home is Home.PROVIDER and item.parent == (owner, attribute)

    def lives_in(self, location: Location) -> bool:
        """Whether the items at a Collection's location live there, and are not only listed."""
        if len(location.steps) == 1:
            return True
        if self.is_join(location.type):
            return False
        owner = owner_of(self.model, location).type
        return self.model[location.type].parent == (owner, location.steps[-1][0])

    def home_of(self, collection: Location) -> Location:
        """The Collection in which what is added at a Collection's location lives (5.10.2)."""
        if self.is_join(collection.type) or self.lives_in(collection):
            return collection
        return Location(collection.type, ((self.global_collection(collection.type), None),))

    def is_address(self, location: Location) -> bool:
        """Whether resources have such addresses: those that a Collection lists have others."""
        return all(
            self.is_join(item) or self.lives_in(Location(item, steps))
            for item, steps in self._ways(location)
        )

    def locate(self, path: str, version: CimiVersion) -> Location | None:
        """Return where a neutral path leads in a version, None if nowhere."""
        found = locate(self.model, path, version)
        return found if found is not None and self.is_address(found) else None

    def at(self, path: str) -> Location:
        """Return where the neutral path of something that was here leads."""
        found = locate(self.model, path, CimiVersion.V2)
        if found is None:
            raise CimiCimError(f"nothing can be at {path!r}")
        return found

    def version_with(self, type_name: str, spoken: CimiVersion) -> CimiVersion:
        """The version spoken, if it has the type; else the other one."""
        versions = self.model[type_name].forms
        return spoken if spoken in versions else next(iter(versions))

    def collection_in(
        self, owner: Location, type_name: str, version: CimiVersion
    ) -> Location | None:
        """The Collection of a resource whose items are its children, and of a type."""
        for attribute, item_type in self.collections_of(owner.type, version).values():
            at = Location(item_type, (*owner.steps, (attribute, None)))
            is_of_type = item_type == type_name or self.item_type(at) == type_name
            if is_of_type and self.row_of(at).is_composition:
                return at
        return None

    def item_type(self, collection: Location) -> str:
        """The type of the resources that a Collection is of, whatever joins them to it."""
        return (
            self.joined_type(collection.type) if self.is_join(collection.type) else collection.type
        )

    def lives_in_store(self, type_name: str) -> bool:
        """Whether all resources of the type live in the store."""
        return self.is_stored(type_name) and not self.is_live(type_name)

    def _ways(self, location: Location) -> Iterator[tuple[str, tuple[tuple[str, str | None], ...]]]:
        """Yield the Collections on the way to a resource, with the types of their items."""
        while location.steps:
            (*outer, (attribute, token)) = location.steps
            if token is not None:
                yield location.type, (*outer, (attribute, None))
            location = owner_of(self.model, location)

    def row_of(self, location: Location) -> Attribute:
        """The attribute that the Collection at a location is."""
        return self.model[owner_of(self.model, location).type].attributes[location.steps[-1][0]]

    def resource_operations(self, type_name: str) -> frozenset[str]:
        """Which of "edit" and "delete" a resource of the type takes."""
        resource = self.model[type_name]
        if self.is_join(type_name):
            return JOIN_OPERATIONS
        taken = {"edit"} if "update" in resource.crud else set()
        is_kept = _is_kept_here(resource)
        if "delete" in resource.crud and (is_kept or self.provisions(type_name, "delete")):
            taken.add("delete")
        return frozenset(taken)

    def changeable(self, type_name: str) -> frozenset[str]:
        """Which attributes a consumer can change of a resource that lives in a WBEM server.

        The store keeps some; others are written back; none that the mappings make read-only.
        """
        if not self.is_live(type_name):
            return frozenset()
        written = self._engine.writable(type_name) if self._can_provision else frozenset()
        return (KEPT_FOR_LIVE | written) - self._engine.fixed(type_name)

    def operations_at(self, location: Location) -> frozenset[str]:
        """Which of "edit" and "delete" the resource at a location takes.

        The metadata of a type are there as long as the type is.
        """
        taken = self.resource_operations(location.type)
        if location.type == METADATA and self._names_a_type(location.tokens[-1]):
            return taken - {"delete"}
        return taken

    def collection_operations(self, location: Location) -> tuple[str, ...]:
        """Which of "add", "insert" and "remove" the Collection at a location takes."""
        item, row = self.model[location.type], self.row_of(location)
        offered = item.collection_operations
        if self.is_join(location.type):
            return ("add",) if "add" in offered else ()
        taken = []
        can_add = row.access is Access.READ_WRITE or row.is_composition
        is_makeable = _is_kept_here(item) or self._provisions_in(location)
        if "add" in offered and is_makeable and can_add:
            taken.append("add")
        if item.refers_to is not None and self.lives_in(location):
            if self.provisions(location.type, "add"):
                taken.append("insert")  # of what exists, with accessory attributes (5.5.12.2)
            if self.provisions(location.type, "delete"):
                taken.append("remove")
        elif not self.lives_in(location) and row.access is Access.READ_WRITE:
            taken += [name for name in ("insert", "remove") if name in offered]
        return tuple(taken)

    def actions(self, type_name: str, version: CimiVersion) -> tuple[Action, ...]:
        """The actions that some resource of the type takes."""
        return tuple(
            action
            for action in self.model[type_name].actions.values()
            if version in action.versions
            and (self._is_live_action(type_name, action) or self._is_recorded(type_name, action))
        )

    def _is_live_action(self, type_name: str, action: Action) -> bool:
        if type_name == JOB:
            return self._can_provision
        if type_name == SYSTEM:
            return self.provisions("Machine", action.name)  # it is that of all its Machines
        if action.name in JOB_ACTIONS:
            return self.provisions(type_name, action.name)
        if action.name == "connectvolume":
            return self.provisions("locatedVolume", "add")
        return self._engine.maps_action(type_name, action.name)

    def _is_recorded(self, type_name: str, action: Action) -> bool:
        return action in self.recorded_actions(type_name)

    def recorded_actions(self, type_name: str) -> Iterable[Action]:
        """The actions that only change the state that the store keeps."""
        resource = self.model[type_name]
        if not self.is_stored(type_name) or "add" not in resource.collection_operations:
            return ()
        return [a for a in resource.actions.values() if a.from_states and a.target_state]

    def _names_a_type(self, token: str) -> bool:
        forms = (form for each in self.model.types.values() for form in each.forms.values())
        return any(form.type_name == token for form in forms)

    @cached_property
    def attached_types(self) -> frozenset[str]:
        """The types whose resources are about one other resource, and go with it (5.17.3)."""
        return frozenset(
            name
            for name, resource in self.model.types.items()
            if (row := resource.attributes.get("targetResource")) is not None
            and row.access is Access.CREATE_ONLY
        )

    def global_collection(self, type_name: str) -> str:
        """The path of the Collection of all resources of a type: an attribute of the entry point.

        Raises `LookupError` for a type that has none.
        """
        rows = self.model[ENTRY_POINT].attributes.values()
        return next(row.name for row in rows if row.target == type_name)

    def template_of(self, type_name: str) -> ResourceType | None:
        """The type that resources of a type are made from, None if there is none."""
        name = self.model[type_name].create_template_type
        return self.model.types.get(name) if name else None


def _is_kept_here(resource: ResourceType) -> bool:
    """Whether what a consumer makes of the type is kept in the store, metadata included."""
    return resource.home is Home.STORE or resource.name == METADATA
