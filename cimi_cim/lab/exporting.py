"""Indications of the simulated server: made of its changes, and exported to who wants them.

One thread, from the first subscription on. It also does what has become due, as a server does
by itself; without it that waits for the next operation. What cannot be delivered is tried
again a few times and then lost: its sequence number is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.instance_xml import instance_xml, property_xml
from cimi_cim.lab.instances import Instance, InstanceClass
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.subscriptions import Subscriptions, Wanted
from cimi_cim.schema.declarations import PropertyDeclaration
from cimi_cim.wbem.values import CimValue

log = logging.getLogger(__name__)

TRIES, AGAIN_S, TIMEOUT_S = 3, 0.2, 5.0
MOST_WAITING = 10_000
_LOOKS_S = 0.05
_CREATION, _MODIFICATION, _DELETION = "CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion"
_ALERT = "CIM_AlertIndication"
_PROCESSING_ERROR, _SOFTWARE_ERROR, _MAJOR = 4, 47, 5


@dataclass(frozen=True, slots=True)
class Export:
    """One indication on its way to one destination."""

    url: str
    body: bytes


class Exporter:
    """Watches the instances, and sends indications of what happens to them."""

    def __init__(self, platform: Platform, subscriptions: Subscriptions) -> None:
        self._platform = platform
        self._subscriptions = subscriptions
        self._numbers: dict[str, itertools.count[int]] = {}
        self._messages = itertools.count(1)
        self._run_id = uuid.uuid4().hex
        self._waiting: deque[Export] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._is_running = self._is_closed = False
        platform.repository.observers.append(self._observe)
        platform.jobs.on_failure = self._alert

    def close(self) -> None:
        """Send no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def wake(self) -> None:
        """Look whether there is something to do, or a time to wait for."""
        if not self._subscriptions.wanted:
            return
        with self._changed:
            if not self._is_running and not self._is_closed:
                self._is_running = True
                threading.Thread(target=self._run, name="lab-exports", daemon=True).start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._is_closed:
                    self._changed.wait(self._next_s())
                if self._is_closed:
                    return
                export = self._waiting.popleft() if self._waiting else None
            if export is not None:
                self._send(export)
            else:
                with self._platform.repository.lock:
                    self._platform.works.settle()

    def _next_s(self) -> float | None:
        """Seconds to the next thing that is due, a moment at most: its clock may be another."""
        due = self._platform.works.next_due
        return None if due is None else min(max(0.0, due - self._platform.clock()), _LOOKS_S)

    def _send(self, export: Export) -> None:
        for attempt in range(TRIES):
            if attempt:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closed, AGAIN_S)
            if self._is_closed:
                return
            try:
                if _post(export) == 200:
                    return
            except (OSError, HTTPException) as exc:
                log.debug("an indication was not delivered: %s", exc)
        log.warning("an indication is lost: its listener does not take it")

    def _observe(self, before: Instance | None, after: Instance | None) -> None:
        """Make the indications of a change; under the repository's lock."""
        source = after or before
        wanted = self._subscriptions.wanted
        if not wanted or source is None or source.namespace == self._platform.personality.interop:
            return
        if before is not None and after is not None and before.values == after.values:
            return
        name = _CREATION if before is None else _DELETION if after is None else _MODIFICATION
        embedded = {"SourceInstance": source}
        if name == _MODIFICATION and before is not None:
            embedded["PreviousInstance"] = before
        values: dict[str, CimValue] = {
            "SourceInstanceModelPath": source.path.canonical,
            "SourceInstanceHost": self._platform.personality.host,
        }
        self._tell(name, source.cls, values, embedded)

    def _alert(self, job: Instance, about: str, message_id: str, message: str) -> None:
        """Tell that a job failed."""
        name = self._platform.personality.name
        self._tell(_ALERT, None, {
            "AlertType": _PROCESSING_ERROR, "PerceivedSeverity": _MAJOR,
            "ProbableCause": _SOFTWARE_ERROR, "AlertingManagedElement": about,
            "AlertingElementFormat": 2, "Description": str(job.values.get("ElementName")),
            "EventTime": cim_datetime(self._platform.clock()), "ProviderName": name,
            "OwningEntity": name, "MessageID": message_id, "Message": message,
            "SystemName": self._platform.personality.host,
        }, {})  # fmt: skip

    def _tell(
        self,
        name: str,
        source: InstanceClass | None,
        values: Mapping[str, CimValue],
        embedded: Mapping[str, Instance],
    ) -> None:
        cls = self._platform.repository.classes.find(name)
        for wanted in self._subscriptions.wanted:
            if cls is not None and wanted.takes(cls, source):
                own = {**self._own(wanted), **values}
                self._waiting.append(Export(wanted.url, self._body(cls, own, embedded)))
        if self._is_running:
            with self._changed:
                self._changed.notify()

    def _own(self, wanted: Wanted) -> dict[str, CimValue]:
        """What tells the order of a destination's indications (DSP1054)."""
        numbers = self._numbers.setdefault(wanted.context, itertools.count())
        return {
            "IndicationIdentifier": str(uuid.uuid4()),
            "IndicationTime": cim_datetime(self._platform.clock()),
            "IndicationFilterName": wanted.filter,
            "SequenceContext": f"{self._run_id}:{wanted.context}",
            "SequenceNumber": next(numbers),
        }

    def _body(
        self,
        cls: InstanceClass,
        values: Mapping[str, CimValue],
        embedded: Mapping[str, Instance],
    ) -> bytes:
        parts = [property_xml(cls.properties[name.lower()], value)
                 for name, value in values.items()]  # fmt: skip
        parts += [_object(cls.properties[name.lower()], one) for name, one in embedded.items()]
        return (
            f'<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
            f'<MESSAGE ID="{next(self._messages)}" PROTOCOLVERSION="1.0"><SIMPLEEXPREQ>'
            '<EXPMETHODCALL NAME="ExportIndication"><EXPPARAMVALUE NAME="NewIndication">'
        ).encode() + instance_xml(cls.name, parts) + (
            b"</EXPPARAMVALUE></EXPMETHODCALL></SIMPLEEXPREQ></MESSAGE></CIM>"
        )  # fmt: skip


def _object(declared: PropertyDeclaration, instance: Instance) -> bytes:
    """The property that holds an instance as text (DSP0201 5.2.4.1.1)."""
    text = escape(instance.xml().decode())
    return (
        f'<PROPERTY NAME="{declared.name}" TYPE="string" EmbeddedObject="object">'
        f"<VALUE>{text}</VALUE></PROPERTY>"
    ).encode()


def _post(export: Export) -> int:
    """Send an export request (DSP0200 7.4); returns the HTTP status."""
    url = urlsplit(export.url)
    connection = HTTPConnection(url.hostname or "", url.port or 80, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request("POST", url.path or "/", export.body, {
            "Content-Type": 'application/xml; charset="utf-8"', "CIMExport": "MethodRequest",
            "CIMExportMethod": "ExportIndication",
        })  # fmt: skip
        answer = connection.getresponse()
        answer.read()
        return answer.status
