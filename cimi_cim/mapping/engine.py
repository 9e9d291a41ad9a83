"""Reads CIMI resources out of WBEM servers, as the mappings say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cimi_cim.errors import ClientError, NotFound, ProviderError
from cimi_cim.mapping.execution import Execution
from cimi_cim.mapping.identity import IdentityMap, rebuilt_path
from cimi_cim.mapping.items import ItemMaker
from cimi_cim.mapping.plan import plan_read
from cimi_cim.mapping.results import CollectionRead
from cimi_cim.mapping.target import Target
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemNotFound
from cimi_cim.wbem.values import InstancePath

log = logging.getLogger(__name__)

ID_ONLY: frozenset[str] = frozenset({"id"})


class Engine:
    """Implements `ReadEngine` over any number of targets."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = {target.alias: target for target in targets}
        self._identities = IdentityMap()
        self._fan_out = ThreadPoolExecutor(max(1, len(targets)), thread_name_prefix="targets")

    def close(self) -> None:
        """Give back the connections of every target."""
        self._fan_out.shutdown(wait=True)
        for target in self._targets.values():
            target.close()

    def serves(self, type_name: str) -> bool:
        """Whether some target maps this neutral type."""
        return any(type_name in target.mapping.resources for target in self._targets.values())

    def serves_globally(self, type_name: str) -> bool:
        """Whether the type has a collection of its own in the CloudEntryPoint."""
        return any(
            type_name in target.mapping.resources
            and target.mapping.resources[type_name].parent is None
            for target in self._targets.values()
        )

    def read_collection(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Return the items at a Collection's location; see `ReadEngine`."""
        if len(location.tokens) == 0:
            return self._read_all(location.type, wanted, deadline)
        return CollectionRead(self._read_children(location, wanted, deadline))

    def read(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> Resource:
        """Return one resource. Raises `NotFound`."""
        if len(location.tokens) > 1:
            for item in self._read_children(location, wanted, deadline):
                if item.path == location.path:
                    return item
            raise _missing(location)
        found = self._read_at(location, location.type, wanted, deadline, is_collection=False)
        if not found:
            raise _missing(location)
        return found[0]

    def _read_children(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> list[Resource]:
        if len(location.steps) != 2:
            raise _missing(location)
        return self._read_at(location, location.type, wanted, deadline, is_collection=True)

    def _read_at(
        self,
        location: Location,
        type_name: str,
        wanted: frozenset[str] | None,
        deadline: Deadline,
        *,
        is_collection: bool,
    ) -> list[Resource]:
        """Read from the path of the location's first token; a stale path is looked up anew once."""
        owner_type = self._owner(type_name)
        token = location.tokens[0]
        for attempt in (1, 2):
            alias, path = self._locate(owner_type, token, location, deadline)
            target = self._targets[alias]
            resource = target.mapping.resources.get(type_name)
            if resource is None:
                raise _missing(location)
            plan = plan_read(target.mapping, resource, wanted, is_collection=is_collection)
            try:
                bindings = Execution(plan, target, deadline).single(path)
            except WbemNotFound as exc:
                self._identities.forget(owner_type, token)
                if attempt == 2:
                    raise _missing(location) from exc
                continue
            maker = ItemMaker(plan, target.mapping, alias)
            made = [maker.make(binding, token, wanted) for binding in bindings
                    if maker.top(binding) is not None]  # fmt: skip
            return [item for item in made if item is not None]
        raise _missing(location)

    def _owner(self, type_name: str) -> str:
        for target in self._targets.values():
            resource = target.mapping.resources.get(type_name)
            if resource is not None:
                return resource.parent or type_name
        return type_name

    def _locate(
        self, type_name: str, token: str, location: Location, deadline: Deadline
    ) -> tuple[str, InstancePath]:
        """Return target and path of a token: known, rebuilt from it, or after one batch plan."""
        known = self._identities.find(type_name, token)
        if known is None:
            known = self._rebuilt(type_name, token, deadline)
        if known is None:
            self._read_all(type_name, ID_ONLY, deadline)
            known = self._identities.find(type_name, token)
        if known is None:
            raise _missing(location)
        return known

    def _rebuilt(
        self, type_name: str, token: str, deadline: Deadline
    ) -> tuple[str, InstancePath] | None:
        alias = token.partition(".")[0]
        target = self._targets.get(alias)
        resource = target.mapping.resources.get(type_name) if target is not None else None
        if target is None or resource is None or resource.rebuild is None:
            return None
        namespace = target.namespace(resource.rebuild.namespace, deadline)
        path = rebuilt_path(resource, token, alias, namespace)
        return None if path is None else (alias, path)

    def _read_all(
        self, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Run the batch plan on every target that maps the type, all at the same time."""
        targets = [t for t in self._targets.values() if type_name in t.mapping.resources]
        if len(targets) == 1:
            return CollectionRead(self._read_target(targets[0], type_name, wanted, deadline))
        jobs = [
            (target, self._fan_out.submit(self._read_target, target, type_name, wanted, deadline))
            for target in targets
        ]
        items: dict[str, Resource] = {}
        warnings: list[str] = []
        for target, job in jobs:
            failed = _outcome(job.result, items)
            if failed is not None:
                log.warning("target %s is left out: %s", target.alias, failed)
                warnings.append(f"target {target.alias} is left out: {failed}")
        return CollectionRead(tuple(items.values()), tuple(warnings))

    def _read_target(
        self, target: Target, type_name: str, wanted: frozenset[str] | None, deadline: Deadline
    ) -> list[Resource]:
        resource = target.mapping.resources[type_name]
        plan = plan_read(target.mapping, resource, wanted, is_collection=True)
        maker = ItemMaker(plan, target.mapping, target.alias)
        items: list[Resource] = []
        for binding in Execution(plan, target, deadline).batch():
            top = maker.top(binding)
            if top is None:
                continue
            token, path = top
            self._identities.learn(resource.parent or type_name, token, target.alias, path)
            item = maker.make(binding, token, wanted)
            if item is not None:
                items.append(item)
        return items


def _outcome(result: Callable[[], list[Resource]], items: dict[str, Resource]) -> str | None:
    """Take in a target's items (the first to claim an id keeps it), or say why there are none."""
    try:
        for item in result():
            items.setdefault(item.path, item)
    except ProviderError as exc:
        return exc.message
    return None


def _missing(location: Location) -> ClientError:
    return NotFound(f"there is no {location.type} {location.path!r}; it may have been deleted")
