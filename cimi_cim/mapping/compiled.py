"""A mapping after compilation: names resolved, expressions turned into closures.

Frozen; shared by all requests and all targets of the same mapping and settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cimi_cim.mapping.conditions import Predicate, Test
from cimi_cim.mapping.expressions import Evaluator, Property
from cimi_cim.schema.declarations import MethodDeclaration, Schema


class Way(Enum):
    """How the rows of a relation are found."""

    ANCHOR = "anchor"
    VIA = "via"  # through an association class
    MATCH = "match"  # by equal keys
    AT = "at"  # at a path that a property holds
    VIEW = "view"  # rows of another relation that pass a filter


@dataclass(frozen=True, slots=True)
class Relation:
    """An alias: which class its rows are of, and how they are found from another alias.

    Args:
        source: The alias it starts from; for a VIEW the alias it filters.
        needs: The properties, of this alias and others, that finding the rows takes.
        accepts: Filter on a row, under the alias LOCAL; None takes all.
        excluded: Subclass whose instances are left out.
        association, role, result, link: For VIA.
        local, remote: For MATCH, the two sides of the equality, in the same order.
        keys: For MATCH, the keys of the one instance by name, if they can be formed.
        at: For AT, the reference or WBEM URI.
    """

    alias: str
    way: Way
    classname: str
    namespace: str
    source: str | None = None
    is_many: bool = False
    is_optional: bool = False
    needs: frozenset[Property] = frozenset()
    accepts: Predicate | None = None
    excluded: str | None = None
    association: str = ""
    role: str = ""
    result: str = ""
    link: str | None = None
    local: tuple[Evaluator, ...] = ()
    remote: tuple[Evaluator, ...] = ()
    keys: tuple[tuple[str, Evaluator], ...] = ()
    at: Evaluator | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A closure over a binding, and what it needs to be there.

    `exists` are aliases of which only the presence of a row matters.
    """

    evaluate: Evaluator
    needs: frozenset[Property] = frozenset()
    exists: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """Where one CIMI attribute comes from; exactly one of the sources is set, or none (store)."""

    name: str
    reading: Reading | None = None
    children: str | None = None
    reference: tuple[str, str] | None = None  # (CIMI type, alias)
    is_lazy: bool = False
    is_stored: bool = False


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """One way to identify the resource; `scope` is global, target or child."""

    scope: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Argument:
    """A method argument: its CIM type (`uint16`, `string[]`, ...) and its template."""

    type: str
    template: Any


@dataclass(frozen=True, slots=True)
class MethodUse:
    """A call: which object, which method, which arguments."""

    alias: str
    method: MethodDeclaration
    arguments: Mapping[str, Argument]


@dataclass(frozen=True, slots=True)
class Choice:
    """A call with its condition: `kind` is always, parameter, state-is or state-not."""

    kind: str
    word: str
    use: MethodUse


@dataclass(frozen=True, slots=True)
class OperationMapping:
    """An operation. `states` is None where any state will do."""

    name: str
    states: frozenset[str] | None
    during: str | None
    before: tuple[Choice, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Advertisement:
    """An operation that sends `parameter` = v is offered only if the values allow v."""

    parameter: str
    constant: frozenset[int] | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What an unspecific CIM error of this provider means."""

    meaning: str
    method: str | None
    status: int | None
    pattern: Any | None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How a path is formed from a token: class, and the keys as closures over `$key`."""

    classname: str
    namespace: str
    keys: tuple[tuple[str, Evaluator], ...]


@dataclass(frozen=True, slots=True)
class ResourceMapping:
    """One CIMI resource type. `relations` is in an order in which sources come first.

    A child resource (`parent` is set) starts from the rows of the parent's alias
    `anchor`, and its own `relations` come on top of the parent's.
    """

    type: str
    collection: str
    anchor: str
    relations: Mapping[str, Relation]
    where: Reading | None
    natural: tuple[NaturalKey, ...]
    rebuild: Rebuild | None
    attributes: Mapping[str, AttributeMapping]
    operations: Mapping[str, OperationMapping]
    advertise: Advertisement | None
    faults: tuple[Fault, ...]
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A singleton of the target."""

    alias: str
    classname: str
    namespace: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Discovery:
    """How a logical namespace is found: a fixed list, then the registered profiles."""

    candidates: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    profile_class: str = ""
    association: str = ""
    role: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class JobDialect:
    """How this provider's jobs speak (cim-mapping 2.8). Property and state values are data."""

    accepts_any_return: bool
    state_property: str
    done: frozenset[int]
    stopped: frozenset[int]
    failed_states: frozenset[int]
    failed_when: Mapping[str, Test]
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A whole mapping, ready to run. `constants` are the `$target.NAME` variables."""

    name: str
    schema: Schema
    namespaces: Mapping[str, Discovery]
    services: Mapping[str, Service]
    resources: Mapping[str, ResourceMapping]
    jobs: JobDialect
    are_associations_enumerable: bool
    recognise: tuple[str, str] | None
    constants: Mapping[str, Any] = field(default_factory=dict)
