"""What the engine gives back to `service/`, and what service asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from cimi_cim.mapping.journal import Outcome
from cimi_cim.mapping.run import Run
from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource, Value
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import InstancePath


@dataclass(frozen=True, slots=True)
class CollectionRead:
    """Items of a collection over all targets.

    `left_out` says why the items of a target are not among them, by its alias, without hosts.
    """

    items: Sequence[Resource]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """A WBEM server that is down, or up again.

    Args:
        target: Its alias.
        message: Why it is taken to be down, without hosts; None where it is up again.
        reason: The stable code of that.
    """

    target: str
    message: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a client wants something new: on a target, or on one with labels; either or both."""

    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


ANYWHERE = Wish()

Wanted: TypeAlias = Sequence[tuple[str, Mapping[str, Value]]]
"""What is to be made together: the type of each, and its values."""


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What became of an action that the provider took.

    Args:
        is_done: Whether the work is over; else it runs on, and whoever keeps Jobs follows it.
        target: Alias of the WBEM server.
        method: Name of the method that was called last.
        return_code: What it returned, None for nothing.
        job: The provider's job that does the work, None if it made none.
        made: What it made, None for nothing.
    """

    is_done: bool
    target: str
    method: str
    return_code: int | None = None
    job: InstancePath | None = None
    made: InstancePath | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The attributes of a type that mappings serve, by neutral name.

    `some` are served by one target at least, `every` by each that maps the type.
    """

    some: frozenset[str] = frozenset()
    every: frozenset[str] = frozenset()


class ActEngine(Protocol):
    """Acts on the resources that live in WBEM servers."""

    def maps_action(self, type_name: str, operation: str) -> bool:
        """Whether some target maps this operation of this neutral type."""

    def takes_parameter(self, type_name: str, operation: str, parameter: str) -> bool:
        """Whether a parameter makes a difference to this operation on all that is mapped.

        True if some target maps the operation, and none does so without the parameter.
        """

    def act(
        self,
        location: Location,
        operation: str,
        parameters: Mapping[str, Value],
        deadline: Deadline,
    ) -> ActionOutcome:
        """Carry out an operation on the resource at a location; every method is called once.

        Raises `NotFound` (no such resource, or its provider does not map the operation),
        `ConflictError` (`state-forbids`, `not-advertised`, `provider-refused`),
        `OutcomeUnknown` (a call was sent and its answer was lost), `BadRequest` and the
        branches of `ProviderError` as the provider answers.
        """


DEFAULT = "*"


def is_wanted(name: str, wanted: frozenset[str] | None, *, is_default: bool = True) -> bool:
    """Whether an attribute is among those that are wanted."""
    return (is_default and (wanted is None or DEFAULT in wanted)) or name in (wanted or ())


class ReadEngine(Protocol):
    """Reads the resources that live in WBEM servers."""

    def serves(self, type_name: str) -> bool:
        """Whether some target maps this neutral type."""

    def serves_globally(self, type_name: str) -> bool:
        """Whether the type has a collection of its own in the CloudEntryPoint."""

    def attributes_of(self, type_name: str) -> Coverage:
        """Which attributes of this neutral type the targets serve."""

    def read_collection(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Return the items at a Collection's location.

        `wanted` names the attributes the caller needs; None, and `DEFAULT` among the
        names, stand for those a Collection shows by default. Raises `NotFound` for an
        unknown parent, and the errors of the only target when there is one.
        """

    def read(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> Resource:
        """Return one resource. Raises `NotFound`."""

    def related(self, owner: Location, attribute: str, deadline: Deadline) -> list[str]:
        """Return the neutral paths of what a Collection of a resource lists, as its server says.

        Of resources that have a Collection of their own, such as the snapshots of a machine;
        none where no mapping says how they are related. Raises `NotFound`.
        """

    def on_outage(self, listener: Callable[[Outage], None]) -> None:
        """Have every outage of a server told, and its end, once and in order."""

    def close(self) -> None:
        """Give back the connections of every target."""


class WriteEngine(Protocol):
    """Makes, deletes and changes what lives in WBEM servers; each is durable by its `run`."""

    def maps(self, type_name: str, operation: str) -> bool:
        """Whether some target maps "add", "delete" or an action of this neutral type."""

    def writable(self, type_name: str) -> frozenset[str]:
        """Return the attributes of a type that some target can write back."""

    def fixed(self, type_name: str) -> frozenset[str]:
        """Return the attributes of a type that consumers cannot change on any target."""

    def place(
        self,
        type_name: str,
        references: Iterable[str],
        wish: Wish,
        deadline: Deadline,
        wanted: Wanted = (),
    ) -> str:
        """Return the alias of the target for a new resource that refers to these paths.

        Raises `BadRequest` where none fits, `ConflictError` where none has room for what is
        `wanted`, `ProviderUnavailable` where it is down.
        """

    def create(
        self,
        location: Location,
        values: Mapping[str, Value],
        token: str,
        run: Run,
        target: str | None = None,
    ) -> str:
        """Make a resource in the Collection at a location; returns its neutral path.

        `values` are the `$variables` of the mapping: name, config, ... with references as
        `Ref`s. The new instance carries `token`, where the mapping has a place for it.
        `target` is the alias that `place` gave; None leaves it to what it refers to, and to
        the rule.
        """

    def found(
        self, location: Location, token: str, run: Run, target: str | None = None
    ) -> str | None:
        """Return the neutral path of what was made in a Collection with a token, None for nothing.

        None, too, where the mapping has no place for the token. `target` is the alias of the one
        that was to make it, if that is known.
        """

    def made_by(self, location: Location, alias: str, outcome: Outcome, run: Run) -> str | None:
        """Return the neutral path of what a call made in a Collection, as its outcome tells.

        None where it made nothing of that type there, or that is gone. The call was one on the
        server `alias`.
        """

    def give_up(self, alias: str, job: str, run: Run) -> None:
        """End a provider's job, told by its WBEM URI, if it is not over; wait a while for that."""

    def path_of(self, location: Location, beside: Location, made: InstancePath, run: Run) -> str:
        """Return the neutral path of what an action made.

        `location` is the Collection of its type, `beside` a resource of the same server.
        """

    def delete(self, location: Location, run: Run) -> None:
        """Delete the resource at a location; one that is gone already is deleted."""

    def change(self, location: Location, values: Mapping[str, Value], run: Run) -> list[str]:
        """Write attributes back where they differ; returns the names of those written."""

    def perform(
        self, location: Location, operation: str, parameters: Mapping[str, Value], run: Run
    ) -> ActionOutcome:
        """Carry out an action to its end, however long the provider takes."""


class Engine(ReadEngine, ActEngine, WriteEngine, Protocol):
    """All together: what stands between the service and the WBEM servers."""
