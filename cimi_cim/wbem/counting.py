"""A gateway that counts, for tests that assert what a request costs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.gateway import Gateway, MethodOutcome, TypedValue
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that was asked for; a whole pull sequence is one."""

    name: str
    target: str
    properties: tuple[str, ...] = ()


class CountingGateway:
    """Passes everything on to `inner` and notes it down."""

    def __init__(self, inner: Gateway) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._operations: list[Operation] = []

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What was asked for since the last reset."""
        with self._lock:
            return tuple(self._operations)

    @property
    def count(self) -> int:
        """How many operations were asked for since the last reset."""
        return len(self.operations)

    def reset(self) -> None:
        """Forget what was counted."""
        with self._lock:
            self._operations.clear()

    def _note(self, name: str, target: str, properties: Sequence[str] = ()) -> None:
        with self._lock:
            self._operations.append(Operation(name, target, tuple(properties)))

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Count and pass on."""
        self._note("EnumerateInstances", classname, properties)
        return self._inner.enumerate_instances(classname, namespace, properties, deadline=deadline)

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Count and pass on."""
        self._note("GetInstance", path.classname, properties)
        return self._inner.get_instance(path, properties, deadline=deadline)

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Count and pass on."""
        self._note("GetInstance", path.classname)
        return self._inner.get_whole(path, deadline=deadline)

    def associators(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Count and pass on."""
        self._note("Associators", str(filters.get("assoc_class")), properties)
        return self._inner.associators(path, properties, deadline=deadline, **filters)

    def associator_names(
        self, path: InstancePath, *, deadline: Deadline, **filters: Any
    ) -> list[InstancePath]:
        """Count and pass on."""
        self._note("AssociatorNames", str(filters.get("assoc_class")))
        return self._inner.associator_names(path, deadline=deadline, **filters)

    def references(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline, **filters: Any
    ) -> list[Row]:
        """Count and pass on."""
        self._note("References", str(filters.get("result_class")), properties)
        return self._inner.references(path, properties, deadline=deadline, **filters)

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Count and pass on."""
        self._note("EnumerateClassNames", classname or "")
        return self._inner.class_names(classname, namespace, deadline=deadline)

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Count and pass on."""
        self._note("InvokeMethod", f"{path.classname}.{method}")
        return self._inner.invoke_method(path, method, parameters, deadline=deadline)

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Count and pass on."""
        self._note("ModifyInstance", path.classname, tuple(values))
        self._inner.modify_instance(path, values, deadline=deadline)

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Count and pass on."""
        self._note("CreateInstance", classname, tuple(values))
        return self._inner.create_instance(classname, namespace, values, deadline=deadline)

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Count and pass on."""
        self._note("DeleteInstance", path.classname)
        self._inner.delete_instance(path, deadline=deadline)

    def close(self) -> None:
        """Close the inner gateway."""
        self._inner.close()
