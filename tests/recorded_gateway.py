"""A gateway over the recorded reply bodies of a real server, decoded by the real decoder.

It finds instances in the recorded enumerations; what was not recorded is an error, never
an empty answer.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import InstanceDecoder
from cimi_cim.wbem.errors import WbemFailed, WbemNotFound
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.values import InstancePath, Row


class RecordedGateway:
    """Answers reads on `root/virt` from the `instances/` folder of a recording."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "instances"
        self._index = json.loads((self._folder / "index.json").read_text())

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        if classname not in self._index or namespace != "root/virt":
            raise WbemFailed(1, f"not recorded: {namespace}:{classname}")
        return InstanceDecoder(properties, namespace).decode([self._body(classname)])

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        rows = self.enumerate_instances(
            path.classname, path.namespace, properties, deadline=deadline
        )
        for row in rows:
            if row.path == path:
                return row
        raise WbemNotFound(6, "no such instance in the recording")

    def associators(self, path: InstancePath, properties: Sequence[str], **_: Any) -> list[Row]:
        raise WbemFailed(1, "not recorded: Associators")

    def associator_names(self, path: InstancePath, **_: Any) -> list[InstancePath]:
        raise WbemFailed(1, "not recorded: AssociatorNames")

    def references(self, path: InstancePath, properties: Sequence[str], **_: Any) -> list[Row]:
        raise WbemFailed(1, "not recorded: References")

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        raise WbemFailed(1, "not recorded: EnumerateClassNames")

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        raise WbemFailed(1, "not recorded: a method call")

    def close(self) -> None:
        """Nothing is open."""

    def _body(self, name: str) -> bytes:
        plain = self._folder / f"{name}.response.xml"
        if plain.exists():
            return plain.read_bytes()
        return gzip.decompress((self._folder / f"{name}.response.xml.gz").read_bytes())
