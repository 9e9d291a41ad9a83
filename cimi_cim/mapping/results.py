"""What the engine gives back to `service/`, and what service asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cimi_cim.model.paths import Location
from cimi_cim.model.resources import Resource
from cimi_cim.wbem.deadline import Deadline


@dataclass(frozen=True, slots=True)
class CollectionRead:
    """Items of a collection over all targets.

    `warnings` names what is left out (a target that failed), a sentence each,
    without hosts.
    """

    items: Sequence[Resource]
    warnings: Sequence[str] = ()


class ReadEngine(Protocol):
    """Reads the resources that live in WBEM servers."""

    def serves(self, type_name: str) -> bool:
        """Whether some target maps this neutral type."""

    def serves_globally(self, type_name: str) -> bool:
        """Whether the type has a collection of its own in the CloudEntryPoint."""

    def read_collection(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> CollectionRead:
        """Return the items at a Collection's location.

        `wanted` names the attributes the caller needs (None: those a Collection shows
        by default). Raises `NotFound` for an unknown parent, and the errors of the
        only target when there is one.
        """

    def read(
        self, location: Location, wanted: frozenset[str] | None, deadline: Deadline
    ) -> Resource:
        """Return one resource. Raises `NotFound`."""

    def close(self) -> None:
        """Give back the connections of every target."""
