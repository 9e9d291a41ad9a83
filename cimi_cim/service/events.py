"""Events: what happened to a resource that has an EventLog (DSP0263 5.17.8, 5.17.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from cimi_cim.mapping.results import Outage
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import CimiVersion
from cimi_cim.service.store.store import Store
from cimi_cim.service.store.writing import Writing

OUTAGES = "eventLogs/wbem-servers"
"""The EventLog of the bridge itself; it is there from the first outage on."""

_KEPT = {
    "daily": timedelta(days=1), "weekly": timedelta(days=7),
    "monthly": timedelta(days=31), "yearly": timedelta(days=366),
}  # fmt: skip
"""How long Events are kept, by the log's `persistence` (Table 52); else for good."""


def tell_change(
    writing: Writing, path: str, type_name: str, change: str, values: Mapping[str, Value]
) -> None:
    """Keep that a resource was changed: `change` is create, update or delete (Table 55)."""
    _tell(writing, path, type_name, "model", {"change": change}, values.get("name"))


def tell_state(
    writing: Writing, path: str, type_name: str, state: str, previous: str | None = None
) -> None:
    """Keep that the state of a resource is another one now."""
    said = {"state": state} if previous is None else {"state": state, "previous": previous}
    _tell(writing, path, type_name, "state", said, None)


def _tell(
    writing: Writing,
    path: str,
    type_name: str,
    kind: str,
    content: dict[str, Value],
    name: Value,
) -> None:
    stored = writing.find(path)
    values = writing.overlay(path) if stored is None else stored.resource.values
    log = values.get("eventLog")
    if not isinstance(log, Ref):
        return
    name = name or values.get("name")
    about: dict[str, Value] = {"resName": name} if name else {}
    about |= {"resource": Ref(path), "resType": f"{CimiVersion.V2.namespace}/{type_name}"}
    now = writing.now
    collection = f"{log.path}/events"
    _forget_old(writing, log.path, collection, now)
    writing.add(
        "Event",
        collection,
        {
            "timestamp": now,
            "type": f"{CimiVersion.V2.namespace}/event/{kind}",
            "content": about | content,
            "outcome": "Success",
            "severity": "low",
        },
    )


def _forget_old(writing: Writing, log: str, collection: str, now: str) -> None:
    """Delete the Events that are older than the log keeps them: the oldest come first."""
    stored = writing.find(log)
    kept = _KEPT.get(str(stored.resource.values.get("persistence"))) if stored else None
    if kept is None:
        return
    oldest = (datetime.fromisoformat(now) - kept).isoformat(timespec="milliseconds")
    for event in list(writing.in_collection(collection, 1, 100)):
        if str(event.values["created"]) >= oldest:
            return
        writing.remove(event.path)


def tell_outage(writing: Writing, outage: Outage) -> None:
    """Keep that a WBEM server is down, or up again, in the log of the bridge itself."""
    if writing.find(OUTAGES) is None:
        about = {"targetResource": Ref(""), "persistence": "monthly"}
        name = {"name": "WBEM servers", "description": "Outages of WBEM servers, and their ends."}
        collection, _, token = OUTAGES.partition("/")
        writing.add("EventLog", collection, name | about, token)
    collection = f"{OUTAGES}/events"
    now = writing.now
    _forget_old(writing, OUTAGES, collection, now)
    is_over = outage.message is None
    detail = outage.message or "the WBEM server answers again"
    writing.add(
        "Event",
        collection,
        {
            "timestamp": now,
            "type": f"{CimiVersion.V2.namespace}/event/alarm",
            "content": {
                "resName": outage.target,
                "resource": Ref(""),
                "resType": f"{CimiVersion.V2.namespace}/CloudEntryPoint",
                "code": outage.reason or "wbem-server-up",
                "detail": f"target {outage.target}: {detail}",
            },
            "outcome": "Success" if is_over else "Failure",
            "severity": "low" if is_over else "high",
        },
    )


def outages_kept_in(store: Store) -> Callable[[Outage], None]:
    """Return what keeps the outages of WBEM servers as Events."""

    def keep(outage: Outage) -> None:
        with store.writing() as writing:
            tell_outage(writing, outage)

    return keep
