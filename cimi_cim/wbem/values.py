"""CIM values as this program holds them: frozen, plain, and free of pywbem.

CIM type        Python
boolean         bool
[su]int8..64    int
real32, real64  float
string, char16  str
datetime        CimDateTime
reference       InstancePath
embedded        EmbeddedInstance
array           tuple of the above (elements may be None)
NULL            None
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class CimDateTime:
    """A CIM datetime or interval in its 25-character form (DSP0004 5.2.4)."""

    text: str


@dataclass(frozen=True, slots=True)
class InstancePath:
    """The path of an instance: namespace, class and keys, never a host.

    Two paths are equal when `canonical` is: names compare without case, key values
    exactly, the order of keys does not matter. `keys` preserves the server's
    spelling and order, for sending the path back.
    """

    namespace: str
    classname: str
    keys: tuple[tuple[str, KeyValue], ...]
    _canonical: str | None = field(init=False, repr=False, default=None)

    @property
    def canonical(self) -> str:
        """`/ns:class.key=value,...`, see `canonical_path`; formed when first wanted."""
        formed = self._canonical
        if formed is None:
            formed = canonical_path(self.namespace, self.classname, self.keys)
            object.__setattr__(self, "_canonical", formed)
        return formed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InstancePath):
            return NotImplemented
        return self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)

    def key(self, name: str) -> KeyValue | None:
        """Return the value of the key `name` (any case), or None."""
        lowered = name.lower()
        for key, value in self.keys:
            if key.lower() == lowered:
                return value
        return None


KeyValue: TypeAlias = "str | int | bool | float | CimDateTime | InstancePath"
Scalar: TypeAlias = "str | int | bool | float | CimDateTime | InstancePath | EmbeddedInstance"
CimValue: TypeAlias = "Scalar | tuple[Scalar | None, ...] | None"


def canonical_path(namespace: str, classname: str, keys: Iterable[tuple[str, KeyValue]]) -> str:
    """Return the form in which two spellings of one path are the same text.

    Namespace, class and key names in lower case, keys in alphabetical order, values
    unchanged and quoted when they are text, no host.
    """
    parts = sorted((name.lower(), _canonical_value(value)) for name, value in keys)
    joined = ",".join(f"{name}={value}" for name, value in parts)
    return f"/{namespace.strip('/').lower()}:{classname.lower()}.{joined}"


def _canonical_value(value: KeyValue) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, InstancePath):
        text = value.canonical
    elif isinstance(value, CimDateTime):
        text = value.text
    elif isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    elif isinstance(value, int):
        return f'"{value}"'  # servers send the same key as a number here, as text there
    else:
        return repr(value)
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@dataclass(frozen=True, slots=True)
class EmbeddedInstance:
    """An instance that travels as a value: class and properties, no path.

    Also what a mapping sends as a method parameter; `types` then says the CIM type
    of each property (`uint16`, `string[]`, ...), by property name.
    """

    classname: str
    values: Mapping[str, CimValue]
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Row:
    """One instance as read: its path, and the values of the wanted properties.

    `values` is keyed by the property names *as they were asked for*, whatever case
    the server answers in. A property the server left out, or sent without a value,
    is missing or None: both mean NULL. Treat rows as read-only: single flight and
    the short-lived cache share them between requests.
    """

    path: InstancePath
    values: dict[str, CimValue]

    def get(self, name: str) -> CimValue:
        """Return the value of property `name`, None when the server gave none."""
        return self.values.get(name)


class Rows(list[Row]):
    """The rows of one operation; `left_out` counts the instances that could not be read."""

    __slots__ = ("left_out",)

    def __init__(self, rows: Iterable[Row] = (), left_out: int = 0) -> None:
        super().__init__(rows)
        self.left_out = left_out
