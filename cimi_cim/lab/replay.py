"""A recorded server as a backend: answers by meaning from the recorded replies.

Reads a recording's folders as they were captured (`instances/`, `schema/`). Instances
come from the recorded enumerations, whatever the request that asks for them looks
like; what was not recorded is CIM_ERR_FAILED "not recorded", never an empty answer.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from cimi_cim.errors import ConfigError
from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.wbem.decode import decode_class_names, read_path
from cimi_cim.wbem.values import InstancePath

NAMESPACE = "root/virt"
CIM_ERR_FAILED, CIM_ERR_INVALID_CLASS, CIM_ERR_NOT_FOUND = 1, 5, 6
_PREFIXED = ("names.", "get.", "enum.", "interop.", "cimv2.")


@dataclass(frozen=True, slots=True)
class RecordedInstance:
    """An instance as it was sent: its path, and the elements of path and instance."""

    path: InstancePath
    name: Any
    instance: Any

    def rendered(self, properties: frozenset[str] | None) -> bytes:
        """Return the INSTANCE element, with only `properties` (lower case) if given."""
        if properties is None:
            return etree.tostring(self.instance)
        element = etree.Element("INSTANCE", self.instance.attrib)
        for child in self.instance:
            if child.get("NAME", "").lower() in properties:
                element.append(etree.fromstring(etree.tostring(child)))
        return etree.tostring(element)


class Recording:
    """The instances and class names of one recorded server."""

    def __init__(self, folder: Path) -> None:
        index = folder / "instances" / "index.json"
        if not index.is_file():
            raise ConfigError(
                f"{folder}: no recording of a WBEM server; a recording has instances/index.json"
            )
        self._classes: dict[str, list[RecordedInstance]] = {}
        for name, entry in json.loads(index.read_text(encoding="utf-8")).items():
            is_plain = not name.startswith(_PREFIXED) and "." not in name
            if entry["operation"] == "EnumerateInstances" and is_plain and "error" not in entry:
                self._classes[name.lower()] = _instances(folder / "instances", name)
        self.class_names = decode_class_names(
            [_body(folder / "schema", "EnumerateClassNames.root_virt")]
        )
        self.honours_property_lists = _honours_property_lists(folder)

    def enumerate(self, classname: str) -> list[RecordedInstance]:
        """Return the recorded instances of a class. Raises `CimError`."""
        found = self._classes.get(classname.lower())
        if found is not None:
            return found
        if classname.lower() not in {name.lower() for name in self.class_names}:
            raise CimError(CIM_ERR_INVALID_CLASS, f"no class {classname}")
        raise not_recorded(f"the instances of {classname}")

    def find(self, path: InstancePath) -> RecordedInstance:
        """Return the instance at a path, under whichever class it was recorded."""
        for instances in self._classes.values():
            for instance in instances:
                if instance.path == path:
                    return instance
        self.enumerate(path.classname)  # a class without a recording cannot deny an instance
        raise CimError(CIM_ERR_NOT_FOUND, "no such instance")


def not_recorded(what: str) -> CimError:
    """Return the error for what the recording holds nothing about."""
    return CimError(CIM_ERR_FAILED, f"not recorded: {what}")


def _body(folder: Path, name: str) -> bytes:
    plain = folder / f"{name}.response.xml"
    if plain.exists():
        return plain.read_bytes()
    return gzip.decompress((folder / f"{name}.response.xml.gz").read_bytes())


def _instances(folder: Path, name: str) -> list[RecordedInstance]:
    root = etree.fromstring(_body(folder, name), etree.XMLParser(resolve_entities=False))
    return [
        RecordedInstance(read_path(element[0], NAMESPACE), element[0], element[1])
        for element in root.iter("VALUE.NAMEDINSTANCE")
    ]


def _honours_property_lists(folder: Path) -> bool:
    """Whether the recorded answer to a property list is shorter than the whole instance."""
    whole = _body(folder / "instances", "KVM_ComputerSystem").count(b"<PROPERTY")
    part = _body(folder / "instances", "enum.KVM_ComputerSystem.propertylist").count(b"<PROPERTY")
    return part < whole


class ReplayBackend:
    """Implements `Backend` over a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer a read from what was recorded."""
        if call.namespace.lower() != NAMESPACE:
            raise not_recorded(f"the namespace {call.namespace}")
        if call.operation == "EnumerateClassNames":
            names = (f'<CLASSNAME NAME="{n}"/>'.encode() for n in self._recording.class_names)
            return Reply(names)
        if call.operation == "GetInstance":
            found = self._recording.find(call.parameters["InstanceName"])
            return Reply([found.rendered(self._wanted(call))])
        if call.operation not in ("EnumerateInstances", "EnumerateInstanceNames"):
            raise not_recorded(call.operation)
        instances = self._recording.enumerate(call.parameters["ClassName"])
        if call.operation == "EnumerateInstanceNames":
            return Reply([etree.tostring(found.name) for found in instances])
        wanted = self._wanted(call)
        return Reply([_named(found, wanted) for found in instances])

    def method(self, call: MethodCall) -> Reply:
        """No method call is replayed: its effect cannot be."""
        raise not_recorded(f"the method {call.method}")

    def _wanted(self, call: IntrinsicCall) -> frozenset[str] | None:
        sent = call.parameters.get("PropertyList")
        if sent is None or not self._recording.honours_property_lists:
            return None
        return frozenset(name.lower() for name in sent)


def _named(found: RecordedInstance, wanted: frozenset[str] | None) -> bytes:
    name, instance = etree.tostring(found.name), found.rendered(wanted)
    return b"<VALUE.NAMEDINSTANCE>" + name + instance + b"</VALUE.NAMEDINSTANCE>"


@contextmanager
def replay_server(folder: Path, port: int = 0) -> Iterator[WbemFront]:
    """Run a recorded server on loopback for as long as the context lasts."""
    with WbemFront(ReplayBackend(Recording(folder)), port=port) as front:
        yield front
