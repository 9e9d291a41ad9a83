"""What clients send besides representations: documents that create, insert, remove and act.

All names in them are neutral, and values have the shapes of `model.resources`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cimi_cim.model.resources import Ref, Value


@dataclass(frozen=True, slots=True)
class CreateDocument:
    """What to create (DSP0263 4.2.1.1, 5.5.12.1).

    Args:
        values: Attributes of the new resource itself. Beside a template these are name,
            description and properties, which win over it, and the accessory attributes of
            an enhanced Collection; without one they are whatever the type has. What is
            read-only, and what is null, is not there. Where the item of an enhanced
            Collection, or a join of 1.x, is to be one that exists, the attribute that
            refers to it is a `Ref`.
        template: A dict where the template stands in the document. A `Ref` where it is
            referred to: the `values` of the Ref replace whole attributes of the template,
            None erases one. None where the document names no template.
    """

    values: dict[str, Value]
    template: Ref | dict[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class MembershipDocument:
    """What to insert into a Collection, or to remove from it (DSP0263 5.5.12.2, 5.5.12.3).

    `item` refers to the resource; `accessory` are the accessory attributes of its place in
    an enhanced Collection, `properties` what else the client says.
    """

    item: Ref
    accessory: dict[str, Value] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionDocument:
    """An operation: what stands beside `action`, by parameter, and the `properties`."""

    parameters: dict[str, Value]
    properties: dict[str, str] = field(default_factory=dict)
