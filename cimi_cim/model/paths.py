"""Neutral resource paths: `machines/TOKEN/interfaces/TOKEN`, relative to a CloudEntryPoint.

A path is a chain of (collection attribute, token) pairs. The wire paths of 1.x use
other names for some segments (`networkInterfaces`); `resolve` takes the names of the
version spoken, and `wire_path` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """Where a path leads.

    Args:
        type: Neutral type of the resource, or of the items of the Collection.
        steps: The chain from the CloudEntryPoint: (neutral collection attribute, token);
            the last token is None for a Collection. Empty for the CloudEntryPoint.
    """

    type: str
    steps: tuple[tuple[str, str | None], ...]

    @property
    def is_collection(self) -> bool:
        """Whether this is a Collection and not one resource."""
        return bool(self.steps) and self.steps[-1][1] is None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens on the way, outermost first."""
        return tuple(token for _, token in self.steps if token is not None)

    @property
    def path(self) -> str:
        """The neutral path."""
        return "/".join(segment for step in self.steps for segment in step if segment is not None)
