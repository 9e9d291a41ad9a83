"""What the simulated server holds: classes as it needs them, and immutable instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cimi_cim.lab.instance_xml import (
    full_path_xml,
    instance_xml,
    name_xml,
    property_xml,
)
from cimi_cim.schema.declarations import PropertyDeclaration, Schema
from cimi_cim.wbem.values import CimValue, InstancePath

Identity: TypeAlias = "str | tuple[str, ...]"
"""What two spellings of one path have in common, cheaper to form for associations."""


@dataclass(frozen=True, slots=True)
class InstanceClass:
    """One class: its properties by lower-case name, keys, references, and all it derives from."""

    name: str
    properties: Mapping[str, PropertyDeclaration]
    keys: tuple[str, ...]
    references: tuple[str, ...]
    lineage: frozenset[str]
    is_association: bool


class ClassTable:
    """The classes of a schema, made ready once each."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._known: dict[str, InstanceClass] = {}
        self._below: dict[str, frozenset[str]] = {}

    def find(self, name: str) -> InstanceClass | None:
        """Return a class by name (any case), or None."""
        known = self._known.get(name.lower())
        declared = self.schema.find(name) if known is None else None
        if declared is None:
            return known
        properties = self.schema.properties(declared.name)
        lineage = list(self.schema.lineage(declared.name))
        known = InstanceClass(
            declared.name,
            {prop.lower(): declaration for prop, declaration in properties.items()},
            tuple(prop for prop, declaration in properties.items() if declaration.is_key),
            tuple(p for p, declaration in properties.items() if declaration.type == "reference"),
            frozenset(cls.name.lower() for cls in lineage),
            any(cls.is_association for cls in lineage),
        )
        self._known[name.lower()] = known
        return known

    def below(self, name: str) -> frozenset[str]:
        """Return the lower-case names of a class and all that derive from it."""
        found = self._below.get(name.lower())
        if found is None:
            found = frozenset(cls.name.lower() for cls in self.schema.subclasses(name))
            self._below[name.lower()] = found
        return found


class Instance:
    """An instance; never changed, only replaced. What is rendered of it is kept.

    `values` holds only what is not NULL, by the property names of the declaration.
    """

    __slots__ = ("_name", "_path", "_properties", "_whole", "cls", "namespace", "values")

    def __init__(self, cls: InstanceClass, namespace: str, values: Mapping[str, CimValue]) -> None:
        self.cls = cls
        self.namespace = namespace
        self.values = values
        self._path: InstancePath | None = None
        self._name: bytes | None = None
        self._whole: bytes | None = None
        self._properties: dict[str, bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.path.canonical}>"

    @property
    def path(self) -> InstancePath:
        """The path, with the keys in the order of the declaration."""
        if self._path is None:
            keys = tuple((name, self.values[name]) for name in self.cls.keys)
            self._path = InstancePath(self.namespace, self.cls.name, keys)  # type: ignore[arg-type]
        return self._path

    @property
    def identity(self) -> Identity:
        """What finds the instance in the repository; see `identity_of`."""
        if not self.cls.is_association:
            return self.path.canonical
        ends = sorted((name.lower(), self.values[name]) for name in self.cls.keys)
        texts = (end.canonical for _, end in ends if isinstance(end, InstancePath))
        return (self.namespace.lower(), self.cls.name.lower(), *texts)

    def ends(self) -> Iterator[tuple[str, InstancePath]]:
        """Yield role and path of each end of an association."""
        for name in self.cls.references:
            end = self.values.get(name)
            if isinstance(end, InstancePath):
                yield name, end

    def changed(self, changes: Mapping[str, CimValue]) -> Instance:
        """Return the instance with other values; None takes a value away."""
        values = {**self.values, **changes}
        return Instance(
            self.cls, self.namespace, {n: v for n, v in values.items() if v is not None}
        )

    def name_xml(self) -> bytes:
        """Return the INSTANCENAME element."""
        if self._name is None:
            self._name = name_xml(self.path).encode()
        return self._name

    def full_path_xml(self, host: str) -> bytes:
        """Return the INSTANCEPATH element."""
        return full_path_xml(self.path, host).encode()

    def xml(self, wanted: frozenset[str] | None = None) -> bytes:
        """Return the INSTANCE element with all properties, or only those in `wanted`."""
        if wanted is None and self._whole is not None:
            return self._whole
        properties = self._properties
        if properties is None:
            declared = self.cls.properties
            properties = {
                name.lower(): property_xml(declared[name.lower()], value)
                for name, value in self.values.items()
            }
            self._properties = properties
        if wanted is None:
            self._whole = instance_xml(self.cls.name, properties.values())
            return self._whole
        return instance_xml(
            self.cls.name, (xml for name, xml in properties.items() if name in wanted)
        )


def identity_of(path: InstancePath) -> Identity:
    """Return the identity of the instance a path leads to."""
    if path.keys and all(isinstance(value, InstancePath) for _, value in path.keys):
        ends = sorted((name.lower(), value) for name, value in path.keys)
        texts = (end.canonical for _, end in ends if isinstance(end, InstancePath))
        return (path.namespace.lower(), path.classname.lower(), *texts)
    return path.canonical
