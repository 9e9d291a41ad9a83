"""CIM class declarations as frozen data: what the mapping compiler checks against.

Names keep the spelling of the MOF; look-ups ignore case (DSP0004 4.7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class ValueMap:
    """ValueMap and Values of a property or method, zipped: CIM value text to label.

    Ranges (`32768..65535`, `..`) stay text; `label` resolves them for an integer.
    """

    entries: tuple[tuple[str, str], ...]

    def label(self, value: int | str) -> str | None:
        """Return the label of `value`: its own, its range's, that of all others (`..`), or None."""
        text = str(value)
        for key, label in self.entries:
            if key == text or _hexadecimal(key) == value:
                return label
        if isinstance(value, int):
            ranges = [entry for entry in self.entries if ".." in entry[0]]
            for key, label in sorted(ranges, key=lambda entry: entry[0] == ".."):
                if _in_range(value, key):
                    return label
        return None


def _number(text: str) -> int:
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def _hexadecimal(key: str) -> int | None:
    """The number that a key in hexadecimal is (`0x1000`), None for any other key."""
    return int(key, 16) if key.lower().startswith("0x") and ".." not in key else None


def _in_range(value: int, key: str) -> bool:
    low, _, high = key.partition("..")
    return (not low or value >= _number(low)) and (not high or value <= _number(high))


@dataclass(frozen=True, slots=True)
class PropertyDeclaration:
    """A property. `type` is the CIM type (`uint16`, `reference`, ...) without array marks.

    `embedded` is the class of an EmbeddedInstance, "" for EmbeddedObject, else None.
    `units` is PUnit if given, else Units. `owner` is the class that declares it.
    """

    name: str
    type: str
    is_array: bool = False
    is_key: bool = False
    reference_class: str | None = None
    embedded: str | None = None
    values: ValueMap | None = None
    units: str | None = None
    is_deprecated: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ParameterDeclaration:
    """A method parameter; a parameter may be both in and out."""

    name: str
    type: str
    is_array: bool = False
    is_in: bool = True
    is_out: bool = False
    is_required: bool = False
    reference_class: str | None = None
    embedded: str | None = None
    values: ValueMap | None = None


@dataclass(frozen=True, slots=True)
class MethodDeclaration:
    """A method, with the value map of its return value."""

    name: str
    return_type: str
    parameters: tuple[ParameterDeclaration, ...] = ()
    values: ValueMap | None = None
    owner: str = ""

    def parameter(self, name: str) -> ParameterDeclaration | None:
        """Return the parameter `name` (any case), or None."""
        lowered = name.lower()
        return next((p for p in self.parameters if p.name.lower() == lowered), None)


@dataclass(frozen=True, slots=True)
class ClassDeclaration:
    """One class with its own properties and methods; inherited ones come from `Schema`."""

    name: str
    superclass: str | None
    properties: tuple[PropertyDeclaration, ...] = ()
    methods: tuple[MethodDeclaration, ...] = ()
    is_association: bool = False
    is_indication: bool = False
    is_abstract: bool = False
    version: str | None = None


@dataclass(frozen=True)
class Schema:
    """A closed set of class declarations: every superclass in it is in it, too."""

    classes: Mapping[str, ClassDeclaration]
    _by_lower: dict[str, ClassDeclaration] = field(init=False, repr=False, compare=False)
    _children: dict[str, list[str]] = field(init=False, repr=False, compare=False)
    _properties: dict[str, dict[str, PropertyDeclaration]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index by lower-case name, and by superclass."""
        by_lower = {name.lower(): cls for name, cls in self.classes.items()}
        children: dict[str, list[str]] = {}
        for cls in self.classes.values():
            if cls.superclass:
                children.setdefault(cls.superclass.lower(), []).append(cls.name)
        object.__setattr__(self, "_by_lower", by_lower)
        object.__setattr__(self, "_children", children)

    def find(self, name: str) -> ClassDeclaration | None:
        """Return the class `name` (any case), or None."""
        return self._by_lower.get(name.lower())

    def lineage(self, name: str) -> Iterator[ClassDeclaration]:
        """Yield the class and its superclasses, nearest first."""
        cls = self.find(name)
        while cls is not None:
            yield cls
            cls = self.find(cls.superclass) if cls.superclass else None

    def is_subclass(self, name: str, ancestor: str) -> bool:
        """Whether `name` is `ancestor` or derives from it."""
        lowered = ancestor.lower()
        return any(cls.name.lower() == lowered for cls in self.lineage(name))

    def subclasses(self, name: str) -> Iterator[ClassDeclaration]:
        """Yield the class itself and all classes below it."""
        cls = self.find(name)
        if cls is None:
            return
        yield cls
        for child in self._children.get(cls.name.lower(), ()):
            yield from self.subclasses(child)

    def property(self, classname: str, name: str) -> PropertyDeclaration | None:
        """Return a property of the class or what it inherits (any case), or None."""
        return self._resolved(classname).get(name.lower())

    def properties(self, classname: str) -> dict[str, PropertyDeclaration]:
        """Return all properties by name, inherited first; an override replaces."""
        return {prop.name: prop for prop in self._resolved(classname).values()}

    def _resolved(self, classname: str) -> dict[str, PropertyDeclaration]:
        """All properties of a class by lower-case name; a class that is not there has none."""
        found = self._properties.get(classname.lower())
        if found is None:
            found = {}
            for cls in reversed(list(self.lineage(classname))):
                for prop in cls.properties:
                    found[prop.name.lower()] = _overriding(prop, found.pop(prop.name.lower(), None))
            self._properties[classname.lower()] = found
        return found

    def keys(self, classname: str) -> tuple[PropertyDeclaration, ...]:
        """Return the key properties of the class."""
        return tuple(p for p in self.properties(classname).values() if p.is_key)

    def method(self, classname: str, name: str) -> MethodDeclaration | None:
        """Return a method of the class or what it inherits (any case), or None."""
        lowered = name.lower()
        for cls in self.lineage(classname):
            for method in cls.methods:
                if method.name.lower() == lowered:
                    return method
        return None

    def nearest_class(self, name: str) -> str | None:
        """Return the class name most like a misspelled one, or None."""
        matches = get_close_matches(name, list(self.classes), n=1, cutoff=0.6)
        return matches[0] if matches else None


def _overriding(
    prop: PropertyDeclaration, inherited: PropertyDeclaration | None
) -> PropertyDeclaration:
    """What an override does not say again it inherits (DSP0004 5.6: Key, Values, ... pass down)."""
    if inherited is None:
        return prop
    return replace(
        prop,
        is_key=prop.is_key or inherited.is_key,
        reference_class=prop.reference_class or inherited.reference_class,
        embedded=inherited.embedded if prop.embedded is None else prop.embedded,
        values=prop.values or inherited.values,
        units=prop.units or inherited.units,
    )
