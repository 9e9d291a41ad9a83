"""CIMI resources in memory: neutral in version and format.

Attribute values by kind: STRING, URI, DURATION and BYTES are `str`; INTEGER `int`; BOOLEAN
`bool`; DATETIME `str` in the xs:dateTime form with an offset; MAP `dict[str, str]`;
STRUCT `dict[str, Value]` by neutral field name; VALUE_SCOPE `dict[str, dict[str, Value]]`
by attribute name; REF and COLLECTION `Ref`, or the `Resource` or `Collection` itself where
the reference is expanded (4.1.6.4); REF_OR_VALUE as REF, or `dict[str, Value]` by neutral
attribute name where the value stands inline; arrays `list`. URIs under the CIMI namespace
are those of 2.0. An absent attribute is missing from the mapping: there is no null on the
way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""An attribute value; see the module's docstring for the shape by kind."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference, as a path relative to the CloudEntryPoint of whichever version is spoken.

    `path` is neutral (`machines/TOKEN/interfaces`): the codec turns segments that
    differ in 1.x and makes the URI absolute. `url` is set instead for a reference
    that leaves this provider. `values` are the attributes that stand beside the href and
    override those of the resource at the other end, by neutral name (4.2.1.1).
    """

    path: str = ""
    url: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class OperationOffer:
    """One entry of `operations`: what this client may do now.

    `name` is bare (`edit`, `delete`, `add`, `start`); `path` is the neutral path to
    send it to.
    """

    name: str
    path: str
    available: bool = True


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: neutral type name, neutral path, attribute values by neutral name.

    `selected` names the attributes to show ("operations" among them), None for all.
    """

    type: str
    path: str
    values: Mapping[str, Value]
    operations: Sequence[OperationOffer] = ()
    selected: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A Collection resource of items of one type; `count` may exceed `len(items)`.

    `updated` is None where it is not known; only 2.0 shows it, and `parent`. `selected` names
    what to show of it: of id, updated, parent, count, items, operations.
    """

    item_type: str
    path: str
    items: Sequence[Resource]
    count: int
    operations: Sequence[OperationOffer] = ()
    parent: str | None = None
    updated: str | None = None
    selected: frozenset[str] | None = None
