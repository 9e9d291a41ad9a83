"""A record of every method call, in the order they came, that any WBEM client can read.

`MethodCall` has one instance per call, of the last ones; `MethodStatistics` counts all of
them by method. So a test can prove that nothing was called twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from cimi_cim.lab.backend import MethodCall
from cimi_cim.lab.builder import Builder, cim_datetime
from cimi_cim.lab.resources import wbem_uri
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

KEPT_CALLS = 50_000
_TOKENS = ("VirtualSystemIdentifier", "InstanceID")


@dataclass(slots=True)
class CallRecord:
    """One call: its number from 1, what it was sent to, and the names and tokens in it.

    `names` are the values of ElementName, `tokens` those of VirtualSystemIdentifier and
    InstanceID, of the call and of the settings in it; `references` the WBEM URIs.
    Nothing is known of the answer while the call is being worked on, or if there is none.
    """

    number: int
    time: float
    method: str
    path: InstancePath
    names: tuple[str, ...]
    tokens: tuple[str, ...]
    references: tuple[str, ...]
    failure: str | None = None
    return_code: int | None = None
    status: int | None = None
    job: InstancePath | None = None
    was_answered: bool = False


class Ledger:
    """Writes calls down; safe under the repository's lock."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._records: deque[CallRecord] = deque()
        self._counts: dict[tuple[str, str], int] = {}
        self._number = 0

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """The last calls, the oldest first."""
        return tuple(self._records)

    def open(self, call: MethodCall, method: str, now: float) -> CallRecord:
        """Note that a call has come, by the declared spelling of its method."""
        self._number += 1
        found = list(_named(call.parameters))
        record = CallRecord(
            self._number, now, method, call.path,
            tuple(value for name, value in found if name == "ElementName"),
            tuple(value for name, value in found if name in _TOKENS),
            tuple(_uri(path) for path in _references(call.parameters)),
        )  # fmt: skip
        self._records.append(record)
        self._count(record)
        self._show(record)
        if len(self._records) > KEPT_CALLS:
            oldest = self._records.popleft()
            self._builder.repository.remove(self._path(oldest))
        return record

    def close(self, record: CallRecord) -> None:
        """Note how a call ended."""
        self._show(record)

    def _count(self, record: CallRecord) -> None:
        key = (record.path.classname, record.method)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._builder.put("MethodStatistics", {
            "InstanceID": f"{self._builder.personality.name}:calls:{key[0]}.{key[1]}",
            "ObjectClass": key[0], "MethodName": key[1], "Calls": self._counts[key],
        })  # fmt: skip

    def _id(self, record: CallRecord) -> str:
        return f"{self._builder.personality.name}:call:{record.number:08d}"

    def _path(self, record: CallRecord) -> InstancePath:
        return self._builder.path("MethodCall", InstanceID=self._id(record))

    def _show(self, record: CallRecord) -> None:
        self._builder.put("MethodCall", {
            "InstanceID": self._id(record), "Number": record.number,
            "Time": cim_datetime(record.time), "MethodName": record.method,
            "ObjectPath": _uri(record.path),
            "ElementNames": record.names or None, "Tokens": record.tokens or None,
            "References": record.references or None,
            "Failure": record.failure, "ReturnCode": record.return_code,
            "StatusCode": record.status, "Answered": record.was_answered,
            "JobPath": None if record.job is None else _uri(record.job),
        })  # fmt: skip


def _named(parameters: Mapping[str, CimValue]) -> Iterator[tuple[str, str]]:
    """The texts of a call and of the settings in it, by name, in order."""
    for name, value in parameters.items():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, EmbeddedInstance):
                yield from _named(item.values)
            elif isinstance(item, str) and item:
                yield name, item


def _uri(path: InstancePath) -> str:
    """The WBEM URI with the keys in alphabetical order, however the client ordered them."""
    return wbem_uri(
        InstancePath(path.namespace, path.classname, tuple(sorted(path.keys, key=itemgetter(0))))
    )


def _references(parameters: Mapping[str, CimValue]) -> Iterator[InstancePath]:
    for value in parameters.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, InstancePath):
                yield item
