"""Reads what is ordered, chooses where it is to be made, and says it to the body of the Job."""

from __future__ import annotations

from typing import Any

from cimi_cim.mapping.results import ANYWHERE, Engine
from cimi_cim.model.paths import Location
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.creation import is_pending
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.provision.requests import Order, Orders
from cimi_cim.service.store.documents import write_document
from cimi_cim.service.store.references import targets_of
from cimi_cim.wbem.deadline import Deadline


class Ordering:
    """From what a client orders to the arguments of `Bodies.create`."""

    def __init__(self, holdings: Holdings, engine: Engine, deadline_s: float) -> None:
        self._holdings = holdings
        self._engine = engine
        self._deadline_s = deadline_s

    def orders(self, version: CimiVersion) -> Orders:
        """Return what reads the orders of one request."""
        return Orders(self._holdings, self._engine, version, Deadline.after(self._deadline_s))

    def arguments(self, location: Location, order: Order) -> dict[str, Any]:
        """Return the arguments of the body that makes what is ordered.

        Raises `BadRequest` where no target fits, `ConflictError` where none has room, and
        `ProviderUnavailable` where it is down.
        """
        return _arguments(location, order, self._place(location, order))

    def _place(self, location: Location, order: Order) -> str | None:
        """The target for what is ordered; None where what it refers to is to tell it later."""
        if location.tokens:
            return None  # it goes where its owner is
        paths = set(targets_of(order.values))
        waiting = {path for path in paths if is_pending(path)}
        if waiting and order.wish == ANYWHERE:
            return None
        deadline = Deadline.after(self._deadline_s)
        wanted = [(location.type, order.values)]
        wanted += [("Volume", values) for values, _, _ in order.volumes]
        return self._engine.place(location.type, paths - waiting, order.wish, deadline, wanted)


def _arguments(location: Location, order: Order, target: str | None) -> dict[str, Any]:
    return {
        "target": target,
        "collection": location.path,
        "values": write_document(order.values),
        "overlay": write_document(order.overlay),
        "state": order.state,
        "parts": write_document(dict(order.parts)),
        "subnetworks": [_arguments(location, inner, target) for inner in order.subnetworks],
        "volumes": [
            {
                "values": write_document(values),
                "overlay": write_document(kept),
                "location": at,
                "target": target,
            }
            for values, kept, at in order.volumes
        ],
    }
