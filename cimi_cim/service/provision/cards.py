"""What templates of NetworkInterfaces come to: the Network of a card, and what cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.errors import BadRequest
from cimi_cim.model.resources import Ref, Value
from cimi_cim.service.store.reading import Reading

_AFTERWARDS = ("meterTemplates", "eventLogTemplate")


def network_of(reading: Reading, endpoints: str) -> Ref | None:
    """Return the Network of which a segment lists what a Collection of endpoints lists.

    Raises `BadRequest` for endpoints on several: a card is connected to one.
    """
    found = {row.member for row in reading.listed(endpoints)}
    segments = _owners(reading, found, "segments", "endpoints")
    networks = _owners(reading, segments, "networks", "segments")
    if len(networks) > 1:
        raise BadRequest(
            f"the endpoints are on several Networks: {', '.join(sorted(networks))}; take those"
            " of one for each interface",
            reason="different-networks",
        )
    return Ref(networks.pop()) if networks else None


def must_come_with_machine(template: Mapping[str, Value], state: Value) -> None:
    """Refuse what a card cannot have when it is made with its Machine. Raises `BadRequest`.

    `state` is what the Machine is brought to: its ports are on as soon as it is started.
    """
    lacking = [name for name in _AFTERWARDS if template.get(name) not in (None, [])]
    if template.get("initialState") == "DISABLED" and state not in (None, "STOPPED"):
        lacking.append("initialState")
    if lacking:
        raise BadRequest(
            f"interfaceTemplates: no interface has {', '.join(lacking)} from the making of its"
            " Machine on here; leave that out, and add the interface to the Machine afterwards",
            reason="not-supported",
        )


def _owners(reading: Reading, members: set[str], collection: str, attribute: str) -> set[str]:
    """The resources in a Collection whose attribute lists some of the members."""
    listings = reading.listings_of(members)
    return {
        owner
        for paths in listings.values()
        for owner, _, name in (path.rpartition("/") for path in paths)
        if name == attribute and owner.rpartition("/")[0] == collection
    }
