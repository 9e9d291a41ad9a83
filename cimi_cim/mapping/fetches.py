"""Which classes a batch enumerates, each once however many relations are of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cimi_cim.mapping.compiled import DERIVED, Relation, Way
from cimi_cim.mapping.plan import Plan
from cimi_cim.mapping.story import TargetInSight
from cimi_cim.mapping.threads import Threads
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.gateway import Gateway

ClassKey: TypeAlias = "tuple[str, str]"
"""Namespace and class."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """The properties to read of a class, and whether the server may lack it."""

    properties: frozenset[str]
    is_optional: bool


class TargetView(TargetInSight, Protocol):
    """What the execution needs to know of a target."""

    gateway: Gateway

    @property
    def pool(self) -> Threads:
        """Threads for operations on this target."""

    def namespace(self, logical: str, deadline: Deadline) -> str:
        """Return the real namespace behind a logical name."""

    def is_walked(self, association: str) -> bool:
        """Whether an association class cannot be trusted to enumerate."""

    def distrust(self, association: str) -> None:
        """Remember that an association class enumerates to nothing though it has instances."""

    def is_subclass(
        self, classname: str, ancestor: str, namespace: str, deadline: Deadline
    ) -> bool:
        """Whether a class of the server derives from `ancestor`."""


class Fetches:
    """Which classes a batch enumerates, each once, with the union of the wanted properties."""

    def __init__(self, plan: Plan, target: TargetView, deadline: Deadline) -> None:
        self._plan = plan
        self._target = target
        self._deadline = deadline

    def wanted(self) -> dict[ClassKey, Fetch]:
        """Return what to read of each class, once however many relations are of it."""
        found: dict[ClassKey, Fetch] = {}
        for relation in (*self._plan.outer, *self._plan.inner):
            if relation.way in DERIVED:
                continue
            namespace = self._target.namespace(relation.namespace, self._deadline)
            is_walked = relation.way is Way.VIA and self._target.is_walked(relation.association)
            if is_walked:
                continue
            own = self._plan.properties.get(relation.alias, ())
            _add(found, (namespace, relation.classname), own, relation)
            if relation.way is Way.VIA:
                ends = {relation.role, relation.result}
                if relation.link is not None:
                    ends.update(self._plan.properties.get(relation.link, ()))
                _add(found, (namespace, relation.association), ends, relation)
        return found


def _add(
    found: dict[ClassKey, Fetch], key: ClassKey, properties: Iterable[str], relation: Relation
) -> None:
    """Take in what a relation wants of a class; the server must have it if one needs it."""
    known = found.get(key, Fetch(frozenset(), is_optional=True))
    found[key] = Fetch(
        known.properties.union(properties),
        is_optional=known.is_optional and relation.is_optional,
    )
