"""Instances, indexed by class, by path and by what refers to them; safe under threads.

pywbem's mock copies a whole namespace for each read and is not safe under threads; here
a read costs what it returns. Instances are immutable, so a reader that got a list needs
no lock to render it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeAlias

from cimi_cim.lab.instances import ClassTable, Identity, Instance, identity_of
from cimi_cim.wbem.values import InstancePath

Observer: TypeAlias = Callable[[Instance | None, Instance | None], None]
"""Is told what an instance was and what it is now; None before it is made, and once it is gone."""


class Repository:
    """All instances of all namespaces of the simulated server.

    `observers` are told of every change, under the lock.
    """

    def __init__(self, classes: ClassTable) -> None:
        self.classes = classes
        self.lock = threading.RLock()
        self.observers: list[Observer] = []
        self._by_identity: dict[Identity, Instance] = {}
        self._by_class: dict[tuple[str, str], dict[Identity, Instance]] = {}
        self._referring: dict[str, dict[Identity, Instance]] = {}

    def __len__(self) -> int:
        return len(self._by_identity)

    def put(self, instance: Instance) -> None:
        """Add an instance, or replace the one at its path (its place in the order stays)."""
        identity = instance.identity
        key = (instance.namespace.lower(), instance.cls.name.lower())
        with self.lock:
            before = self._by_identity.get(identity)
            self._by_identity[identity] = instance
            self._by_class.setdefault(key, {})[identity] = instance
            for _, end in instance.ends():
                self._referring.setdefault(end.canonical, {})[identity] = instance
            for tell in self.observers:
                tell(before, instance)

    def remove(self, path: InstancePath) -> None:
        """Take out an instance and every association that refers to it."""
        with self.lock:
            for link in self.referring(path):
                self._drop(link)
            found = self._by_identity.get(identity_of(path))
            if found is not None:
                self._drop(found)

    def _drop(self, instance: Instance) -> None:
        identity = instance.identity
        self._by_identity.pop(identity, None)
        self._by_class[(instance.namespace.lower(), instance.cls.name.lower())].pop(identity, None)
        for _, end in instance.ends():
            links = self._referring.get(end.canonical, {})
            links.pop(identity, None)
            if not links:
                self._referring.pop(end.canonical, None)
        for tell in self.observers:
            tell(instance, None)

    def get(self, path: InstancePath) -> Instance | None:
        """Return the instance at a path, or None."""
        with self.lock:
            return self._by_identity.get(identity_of(path))

    def of_class(self, namespace: str, classname: str) -> list[Instance]:
        """Return the instances of a class and its subclasses, class by class."""
        below = self.classes.below(classname)
        lowered = namespace.lower()
        with self.lock:
            return [
                instance
                for name in sorted(below)
                for instance in self._by_class.get((lowered, name), {}).values()
            ]

    def referring(self, path: InstancePath) -> list[Instance]:
        """Return the associations with an end at `path`."""
        with self.lock:
            return list(self._referring.get(path.canonical, {}).values())

    def linked(
        self,
        path: InstancePath,
        *,
        association: str | None = None,
        result: str | None = None,
        role: str | None = None,
        result_role: str | None = None,
    ) -> list[Instance]:
        """Return the instances at the other ends of the associations of `path`, each once.

        The filters are those of the operation Associators (DSP0200 5.3.2.13).
        """
        results = None if result is None else self.classes.below(result)
        found: dict[Identity, Instance] = {}
        with self.lock:
            for link in self.links(path, association=association, role=role):
                for name, end in _others(link, path, role):
                    if result_role is not None and name.lower() != result_role.lower():
                        continue
                    other = self._by_identity.get(identity_of(end))
                    if other is None or (results and other.cls.name.lower() not in results):
                        continue
                    found.setdefault(other.identity, other)
        return list(found.values())

    def links(
        self, path: InstancePath, *, association: str | None = None, role: str | None = None
    ) -> list[Instance]:
        """Return the associations of `path`: of a class, with `path` in a role."""
        below = None if association is None else self.classes.below(association)
        return [
            link
            for link in self.referring(path)
            if (below is None or link.cls.name.lower() in below)
            and (role is None or any(_is_role(end, path, role) for end in link.ends()))
        ]


def _is_role(end: tuple[str, InstancePath], path: InstancePath, role: str) -> bool:
    return end[0].lower() == role.lower() and end[1] == path


def _others(
    link: Instance, path: InstancePath, role: str | None
) -> Iterable[tuple[str, InstancePath]]:
    """The ends opposite to `path`; one that refers to itself is at both."""
    ends = list(link.ends())
    for index, (name, end) in enumerate(ends):
        if end == path and (role is None or name.lower() == role.lower()):
            yield from (other for place, other in enumerate(ends) if place != index)
