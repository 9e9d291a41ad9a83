"""A mapping after compilation: names resolved, expressions turned into closures.

Frozen; shared by all requests and all targets of the same mapping and settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

from cimi_cim.mapping.conditions import Predicate, Test
from cimi_cim.mapping.expressions import Evaluator, Property
from cimi_cim.mapping.templates import Argument
from cimi_cim.schema.declarations import MethodDeclaration, Schema
from cimi_cim.wbem.values import Row


class Way(Enum):
    """How the rows of a relation are found."""

    ANCHOR = "anchor"
    VIA = "via"  # through an association class
    MATCH = "match"  # by equal keys
    AT = "at"  # at a path that a property holds
    VIEW = "view"  # rows of another relation that pass a filter
    ITEMS = "items"  # a row per item of arrays of another relation


DERIVED = frozenset({Way.VIEW, Way.ITEMS})
"""Ways that read nothing of their own."""


@dataclass(frozen=True, slots=True)
class Relation:
    """An alias: which class its rows are of, and how they are found from another alias.

    Args:
        source: The alias it starts from; for a VIEW the alias it filters, for ITEMS that
            whose arrays it takes apart.
        needs: The properties, of this alias and others, that finding the rows takes.
        accepts: Filter on a row, under the alias LOCAL; None takes all.
        excluded: Subclass whose instances are left out.
        association, role, result, link: For VIA.
        local, remote: For MATCH, the two sides of the equality, in the same order.
        keys: For MATCH, the keys of the one instance by name, if they can be formed.
        at: For AT, the reference or WBEM URI.
        items: For ITEMS, what gives the values of each property of the rows, in order.
        said: How its rows are found, as the mapping says it.
        naming: The path under which a row is known here, if its own tells it from no other.
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
    items: tuple[tuple[str, Evaluator], ...] = ()
    said: str = ""
    naming: Naming | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """A class, and keys as closures over the row, which stands under LOCAL."""

    classname: str
    keys: tuple[tuple[str, Evaluator], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A closure over a binding, and what it needs to be there.

    `exists` are aliases of which only the presence of a row matters; `said` is the text of
    the expression.
    """

    evaluate: Evaluator
    needs: frozenset[Property] = frozenset()
    exists: frozenset[str] = frozenset()
    said: str = ""


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """Where one CIMI attribute comes from; exactly one of the sources is set, or none (store).

    `where` is the place in the mapping that says so, `FILE:LINE`; `is_fixed` that consumers
    cannot change it, whatever the standard allows. `related` is the alias whose rows are the
    children.
    """

    name: str
    reading: Reading | None = None
    children: str | None = None
    reference: tuple[str, tuple[str, ...]] | None = None  # CIMI type; aliases, in order
    is_lazy: bool = False
    is_stored: bool = False
    write: Write | None = None
    where: str = ""
    is_fixed: bool = False
    related: str | None = None


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """One way to identify the resource; `scope` is global, target or child."""

    scope: str
    reading: Reading


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
    """An operation.

    Args:
        name: Of the action, or "add" and "delete".
        states: Those in which it is offered, None where any will do.
        during: The state on the way.
        before: Calls that prepare it.
        choices: The call itself; the first that applies.
        created: The out parameter that holds the path of what it makes, None for none.
        correlate: The property of what it makes that carries the token of the request.
        reconcile: How to find out what became of a call whose answer was lost:
            "correlate", "names" or "state".
        then: Variable that says which state to bring the new resource to.
        owner_states: Of a part: the states of its owner in which it is offered, None for any.
        unless: Relations that must have no row.
        required: Variables that must have a value.
        is_verified: Whether what is deleted must be seen to be gone.
    """

    name: str
    states: frozenset[str] | None
    during: str | None
    before: tuple[Choice, ...]
    choices: tuple[Choice, ...]
    created: str | None = None
    correlate: Reading | None = None
    reconcile: str = "state"
    then: str | None = None
    owner_states: frozenset[str] | None = None
    unless: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """How one attribute is written back.

    Args:
        writer: Name of the writer that carries it.
        alias, property, type: What it sets in the copy of an instance; all None where the
            writer's own arguments take the value.
        convert: From the CIMI value and the row as it is to the CIM value; None where it
            cannot be told.
    """

    writer: str
    alias: str | None = None
    property: str | None = None
    type: str = ""
    convert: Callable[[Any, Row], Any] = lambda value, row: value


@dataclass(frozen=True, slots=True)
class Writer:
    """One call that carries changed attributes; `modified` is the alias of ModifyInstance.

    `states` are those in which it can be made, None where any will do.
    """

    name: str
    use: MethodUse | None = None
    modified: str | None = None
    states: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Advertisement:
    """An operation that sends `parameter` = v is offered only if the values allow v."""

    parameter: str
    constant: frozenset[int] | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What an unspecific CIM error, or return value, of this provider means.

    With `returned`, a return value or its label in lower case, it is about no error.
    """

    meaning: str
    method: str | None
    status: int | None
    pattern: Any | None
    returned: str | None = None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How a path is formed from a token: class, and the keys as closures over `$key`."""

    classname: str
    namespace: str
    keys: tuple[tuple[str, Evaluator], ...]


@dataclass(frozen=True, slots=True)
class Taking:
    """What a new resource takes of a pool: an attribute, or one of the items of a list.

    `unit` is CIMI's word, `factor` how many of the base of the pool's unit one of it is.
    """

    pool: str
    said: str
    unit: str
    factor: Fraction


@dataclass(frozen=True, slots=True)
class ResourceMapping:
    """One CIMI resource type. `relations` is in an order in which sources come first.

    A child resource (`parent` is set) starts from the rows of the parent's alias
    `anchor`, and its own `relations` come on top of the parent's. Where `is_each`, the
    resources are the rows of `anchor`, a relation of the first one: they cannot be read by
    themselves, so each is looked for among all.
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
    writers: Mapping[str, Writer] = field(default_factory=dict)
    is_each: bool = False
    room: str | None = None
    takes: tuple[Taking, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """Something of which one is chosen for whatever is made: by name, else the one with most left.

    Args:
        accepts: Filter on a row, under the alias LOCAL; None takes all.
        free: How much is left of a row, under LOCAL; None: none is taken that is not named.
        named: Properties with the value that a target's settings say; empty if they say nothing.
        needs: Properties that all this takes.
        units: Property that holds the unit of what is left, None for none.
        default: The unit where none is given.
    """

    alias: str
    classname: str
    namespace: str
    accepts: Predicate | None = None
    free: Evaluator | None = None
    named: tuple[tuple[str, str], ...] = ()
    needs: frozenset[str] = frozenset()
    units: str | None = None
    default: str = "count"


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
    """How this provider's jobs speak (cim-mapping 2.8). Property and state values are data.

    Args:
        parent: The class of jobs; an out parameter that refers to it, or to what derives
            from it, holds one.
        parameter: Name of the out parameter that holds a job instead, None for none.
        made: Property of a job that leads to what it made, None for none.
        cancel: The call that ends a job; None where that is CIM's own.
        is_standard: Whether a job has CIM's own methods and associations.
        is_kept: Whether the provider keeps its jobs: one that is gone has failed then.
    """

    accepts_any_return: bool
    state_property: str
    done: frozenset[int | str]
    stopped: frozenset[int | str]
    failed_states: frozenset[int | str]
    failed_when: Mapping[str, Test]
    messages: tuple[str, ...]
    progress: str | None = "PercentComplete"
    parent: str = "CIM_Job"
    parameter: str | None = None
    made: str | None = None
    cancel: MethodUse | None = None
    is_standard: bool = True
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A whole mapping, ready to run.

    `constants` are the `$target.NAME` variables, `files` the mappings it is made of by name,
    the base first.
    """

    name: str
    schema: Schema
    namespaces: Mapping[str, Discovery]
    services: Mapping[str, Service]
    resources: Mapping[str, ResourceMapping]
    jobs: JobDialect
    are_associations_enumerable: bool
    recognise: tuple[str, str] | None
    constants: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    pools: Mapping[str, Pool] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()  # classes of which no instance may be there
