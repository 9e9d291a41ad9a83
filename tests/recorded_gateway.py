"""A gateway straight to a replayed tape, without HTTP: its replies, read by the real decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.replay import ReplayBackend, load_recording
from cimi_cim.lab.replies import render_reply
from cimi_cim.lab.requests import Request
from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import InstanceDecoder
from cimi_cim.wbem.errors import WbemFailed
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row


class RecordedGateway:
    """Answers reads from a tape; whatever no test over tapes needs is refused."""

    def __init__(self, folder: Path) -> None:
        self._backend = ReplayBackend(load_recording(folder))

    def _read(
        self,
        call: IntrinsicCall,
        properties: Sequence[str],
        path: InstancePath | None = None,
    ) -> list[Row]:
        try:
            reply: Reply | CimError = self._backend.intrinsic(call)
        except CimError as error:
            reply = error
        pieces = render_reply(Request(call, "1"), reply)
        return InstanceDecoder(properties, call.namespace).decode(pieces, path)

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        sent = {"ClassName": classname, "PropertyList": tuple(properties)}
        return self._read(IntrinsicCall("EnumerateInstances", namespace, sent), properties)

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        sent = {"InstanceName": path, "PropertyList": tuple(properties)}
        call = IntrinsicCall("GetInstance", path.namespace, sent)
        [row] = self._read(call, properties, path)
        return row

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        raise WbemFailed(1, "no test needs whole instances")

    def associators(self, path: InstancePath, properties: Sequence[str], **_: Any) -> list[Row]:
        raise WbemFailed(1, "no test needs Associators")

    def associator_names(self, path: InstancePath, **_: Any) -> list[InstancePath]:
        raise WbemFailed(1, "no test needs AssociatorNames")

    def references(self, path: InstancePath, properties: Sequence[str], **_: Any) -> list[Row]:
        raise WbemFailed(1, "no test needs References")

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        raise WbemFailed(1, "no test needs EnumerateClassNames")

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        raise WbemFailed(1, "no test needs a method call")

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        raise WbemFailed(1, "no test needs ModifyInstance")

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        raise WbemFailed(1, "no test needs CreateInstance")

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        raise WbemFailed(1, "no test needs DeleteInstance")

    def close(self) -> None:
        """Nothing is open."""
