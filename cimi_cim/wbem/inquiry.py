"""What only those ask a WBEM server who want to know what it is like: `probe` and `check --live`.

Nothing here changes anything on the server. It stands beside the gateway because no
request of a client ever needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import (
    InstanceDecoder,
    decode_class,
    decode_class_names,
    decode_instances,
)
from cimi_cim.wbem.request import intrinsic_request
from cimi_cim.wbem.transport import ConnectionSettings, Transport
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath


class Pulls(Enum):
    """What became of an OpenEnumerateInstances that the server did not refuse."""

    WORKS = "works"
    PLAIN = "answered as the plain operation"  # no context, no end: SFCB


class Inquiry:
    """Questions to one server. Raises the errors of `cimi_cim.wbem.errors`."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._transport = Transport(settings)

    def close(self) -> None:
        """Give back every connection."""
        self._transport.close()

    @property
    def software(self) -> str:
        """The `Server` header of the last answer, empty where there was none."""
        return self._transport.software

    def class_names(self, namespace: str, *, deadline: Deadline) -> list[str]:
        """Return the names of all classes of a namespace."""
        sent = {"DeepInheritance": True}
        with self._post("EnumerateClassNames", namespace, sent, deadline) as chunks:
            return decode_class_names(chunks)

    def declaration(self, classname: str, namespace: str, *, deadline: Deadline) -> bytes:
        """Return the CLASS element of a class with all that it inherits."""
        sent = {
            "ClassName": classname,
            "LocalOnly": False,
            "IncludeQualifiers": True,
            "IncludeClassOrigin": True,
        }
        with self._post("GetClass", namespace, sent, deadline) as chunks:
            return decode_class(chunks)

    def instances(
        self,
        classname: str,
        namespace: str,
        properties: Sequence[str] | None = None,
        *,
        deadline: Deadline,
    ) -> list[tuple[InstancePath, EmbeddedInstance]]:
        """Return all instances of a class, with all that the server sends of each.

        `properties` is the property list that is sent, None for none; what comes back
        beside it is kept, so that one sees whether the list was honoured.
        """
        sent: dict[str, Any] = {
            "ClassName": classname,
            "LocalOnly": False,
            "DeepInheritance": True,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
            "PropertyList": None if properties is None else list(properties),
        }
        with self._post("EnumerateInstances", namespace, sent, deadline) as chunks:
            return list(decode_instances(chunks, namespace))

    def pulls(self, classname: str, namespace: str, *, deadline: Deadline) -> Pulls:
        """Open an enumeration of one object at a time, look what comes, and close it."""
        decoder = InstanceDecoder((), namespace)
        decoder.end_of_sequence = False
        sent = {"ClassName": classname, "DeepInheritance": True, "MaxObjectCount": 1}
        with self._post("OpenEnumerateInstances", namespace, sent, deadline) as chunks:
            decoder.decode(chunks)
        if decoder.end_of_sequence:
            return Pulls.WORKS
        if not decoder.context:
            return Pulls.PLAIN
        sent = {"EnumerationContext": decoder.context}
        with self._post("CloseEnumeration", namespace, sent, deadline) as chunks:
            InstanceDecoder((), namespace).decode(chunks)
        return Pulls.WORKS

    def _post(
        self, operation: str, namespace: str, sent: Mapping[str, Any], deadline: Deadline
    ) -> Any:
        headers = {"CIMOperation": "MethodCall", "CIMMethod": operation, "CIMObject": namespace}
        body = intrinsic_request(operation, namespace, sent)
        return self._transport.post(body, headers, deadline, is_change=False)
