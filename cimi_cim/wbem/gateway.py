"""The one door to a WBEM server: the protocol everything above uses.

A `Gateway` speaks to one server with one account: the pywbem and lxml client
(`client.py`), and what is laid around it (`tracing.py`, `single_flight.py`).
Every method raises only the errors of `cimi_cim.wbem.errors`. Every method is safe
to call from several threads. Namespaces are plain (`root/virt`), class names as
the mapping spells them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath, Row


@dataclass(frozen=True, slots=True)
class TypedValue:
    """A method argument with its CIM type: `uint16`, `string`, `reference`, `datetime`, ...

    An array has `[]` appended to the type and a tuple as value. An embedded instance
    has the type `instance` (or `instance[]`); how it travels is the dialect's affair.
    """

    type: str
    value: CimValue


@dataclass(frozen=True, slots=True)
class MethodOutcome:
    """What a method call returned: the return value and the out parameters by name."""

    return_value: int | str | None
    out: Mapping[str, CimValue]


@runtime_checkable
class Gateway(Protocol):
    """Reads and calls on one WBEM server. `deadline` bounds the whole operation."""

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Return all instances of a class and its subclasses (one pull sequence is one operation).

        Reads exactly `properties` where the server honours property lists, and keeps
        only those anyway. An empty sequence means that only paths are wanted.
        """

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Return one instance. Raises `WbemNotFound` if it is gone."""

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Return one instance with all its properties and their types, to send it back."""

    def associators(
        self,
        path: InstancePath,
        properties: Sequence[str],
        *,
        assoc_class: str,
        result_class: str | None = None,
        role: str | None = None,
        result_role: str | None = None,
        deadline: Deadline,
    ) -> list[Row]:
        """Return the instances at the other end of the associations of `path`."""

    def associator_names(
        self,
        path: InstancePath,
        *,
        assoc_class: str,
        result_class: str | None = None,
        role: str | None = None,
        result_role: str | None = None,
        deadline: Deadline,
    ) -> list[InstancePath]:
        """As `associators`, paths only."""

    def references(
        self,
        path: InstancePath,
        properties: Sequence[str],
        *,
        result_class: str,
        role: str | None = None,
        deadline: Deadline,
    ) -> list[Row]:
        """Return the association instances that refer to `path`."""

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Return the names of all classes below `classname`, or of all there are."""

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Call an extrinsic method once; never sent a second time.

        Raises `WbemOutcomeUnknown` when the call was sent and no answer came.
        """

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Give properties of an instance other values, and leave the others as they are."""

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Make an instance, and return its path; never sent a second time.

        Raises `WbemOutcomeUnknown` when it was sent and no answer came, or one without a path.
        """

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Delete an instance; never sent a second time. Raises `WbemNotFound` if it is gone."""

    def close(self) -> None:
        """Give back every connection."""
