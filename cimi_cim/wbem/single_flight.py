"""Identical reads that are in flight at the same time are sent once.

Many clients ask for the same collection at the same time; the WBEM server is the slow
part. Rows are shared between those who asked: they are read-only (see `Row`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.errors import WbemTimeout
from cimi_cim.wbem.gateway import Gateway, MethodOutcome, TypedValue
from cimi_cim.wbem.tracing import current_trace
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row

T = TypeVar("T")


class SingleFlight:
    """Implements `Gateway` over another one.

    Who comes second waits for the first, as long as its own deadline allows; if the
    first ran out of time, it asks itself. After a method call nobody joins a read that
    began before it: it may show what was before. A request that is traced joins only its own
    reads: a trace tells what was really asked.
    """

    def __init__(self, inner: Gateway) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._flying: dict[Any, Future[Any]] = {}
        self._changes = 0

    def _read(self, key: tuple[Any, ...], deadline: Deadline, read: Callable[[], T]) -> T:
        traced = current_trace()
        while True:
            with self._lock:
                key = (self._changes, traced, *key)
                leader = self._flying.get(key)
                if leader is None:
                    mine: Future[Any] = Future()
                    self._flying[key] = mine
            if leader is None:
                return self._lead(key, mine, read)
            try:
                return cast(T, leader.result(timeout=deadline.remaining_s()))
            except TimeoutError as exc:
                raise WbemTimeout(
                    "the WBEM server did not answer in time; try again, or raise the target's"
                    " deadline_s"
                ) from exc
            except WbemTimeout:
                if deadline.is_over:
                    raise
                key = key[2:]

    def _lead(self, key: tuple[Any, ...], mine: Future[Any], read: Callable[[], T]) -> T:
        try:
            found = read()
        except BaseException as exc:
            self._land(key)
            mine.set_exception(exc)
            raise
        self._land(key)
        mine.set_result(found)
        return found

    def _land(self, key: tuple[Any, ...]) -> None:
        with self._lock:
            del self._flying[key]

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Join or send."""
        return self._read(
            ("EnumerateInstances", classname, namespace, tuple(properties)),
            deadline,
            lambda: self._inner.enumerate_instances(
                classname, namespace, properties, deadline=deadline
            ),
        )

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Join or send."""
        return self._read(
            ("GetInstance", path, tuple(properties)),
            deadline,
            lambda: self._inner.get_instance(path, properties, deadline=deadline),
        )

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Pass on: what is to be changed and sent back is nobody else's."""
        return self._inner.get_whole(path, deadline=deadline)

    def associators(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Join or send."""
        return self._read(
            ("Associators", path, tuple(properties), *sorted(filters.items())),
            deadline,
            lambda: self._inner.associators(path, properties, deadline=deadline, **filters),
        )

    def associator_names(
        self, path: InstancePath, *, deadline: Deadline, **filters: Any
    ) -> list[InstancePath]:
        """Join or send."""
        return self._read(
            ("AssociatorNames", path, *sorted(filters.items())),
            deadline,
            lambda: self._inner.associator_names(path, deadline=deadline, **filters),
        )

    def references(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Join or send."""
        return self._read(
            ("References", path, tuple(properties), *sorted(filters.items())),
            deadline,
            lambda: self._inner.references(path, properties, deadline=deadline, **filters),
        )

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Join or send."""
        return self._read(
            ("EnumerateClassNames", classname, namespace),
            deadline,
            lambda: self._inner.class_names(classname, namespace, deadline=deadline),
        )

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Send; later reads see what it changed."""
        try:
            return self._inner.invoke_method(path, method, parameters, deadline=deadline)
        finally:
            self.outdate()

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Pass on; reads that begin later see it."""
        try:
            self._inner.modify_instance(path, values, deadline=deadline)
        finally:
            self.outdate()

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Pass on; reads that begin later see it."""
        try:
            return self._inner.create_instance(classname, namespace, values, deadline=deadline)
        finally:
            self.outdate()

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Pass on; reads that begin later see it."""
        try:
            self._inner.delete_instance(path, deadline=deadline)
        finally:
            self.outdate()

    def outdate(self) -> None:
        """Something has changed: from now on nobody joins a read that is under way."""
        with self._lock:
            self._changes += 1

    def close(self) -> None:
        """Give back every connection."""
        self._inner.close()
