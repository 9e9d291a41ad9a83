"""Servers that nothing shipped was made for: the lab under another vendor's names, and an alien."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pywbem
from pywbem_mock import FakedWBEMConnection

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.front import WbemFront
from cimi_cim.lab.personality import SHIPPED, Personality, load_personality
from cimi_cim.lab.simulation import Simulation
from cimi_cim.resources import mof_folder

_INVALID_CLASS, _NOT_SUPPORTED = 5, 7


def acme(folder: Path) -> Personality:
    """A vendor with a prefix, namespaces and a unit of its own."""
    declared = folder / "acme"
    declared.mkdir()
    for file in (mof_folder() / "lab").glob("*.mof"):
        text = file.read_text(encoding="utf-8").replace("LAB_", "ACME_")
        (declared / file.name).write_text(text, encoding="utf-8")
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in (
        ("name: lab", "name: acme"),
        ("prefix: LAB_", "prefix: ACME_"),
        ("mof: [dmtf, lab]", "mof: [dmtf, acme/]"),
        ("impl: root/virt, interop: interop", "impl: acme/cloud, interop: root/interop"),
        ("memory_unit: byte*2^20", "memory_unit: byte*2^10"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "acme.yaml").write_text(text, encoding="utf-8")
    return load_personality(folder / "acme.yaml")


class Foreign:
    """A lab that knows none of DMTF's classes by name, only its own."""

    def __init__(self, personality: Personality, machines: int) -> None:
        self.simulation = Simulation(machines, personality=personality)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        for name in ("ClassName", "AssocClass", "ResultClass"):
            asked = str(call.parameters.get(name) or "")
            if asked.startswith("CIM_"):
                raise CimError(_INVALID_CLASS, f"no class {asked}")
        reply = self.simulation.intrinsic(call)
        if call.operation == "EnumerateClassNames":
            return Reply([name for name in reply.fragments or () if b'"CIM_' not in name])
        return reply

    def method(self, call: MethodCall) -> Reply:
        return self.simulation.method(call)


ALIEN_MOF = """
Qualifier Key : boolean = false, Scope(property), Flavor(DisableOverride, ToSubclass);
Qualifier ValueMap : string[], Scope(property), Flavor(EnableOverride, ToSubclass);
Qualifier Values : string[], Scope(property), Flavor(EnableOverride, ToSubclass);
class ZAP_VirtualMachine {
    [Key] string Handle; string GuestLabel; string UniqueId; uint32 NumCPU; uint64 MemoryMB;
    [ValueMap {"10", "20", "30", "40"}, Values {"Powered Off", "Running", "Suspended", "Crashed"}]
    uint16 PowerStatus;
};
class ZAP_DiskSettingData {
    [Key] string DiskId; string OwnerHandle; uint64 SizeGB; string Target;
};
class ZAP_NICSettingData { [Key] string NicId; string OwnerHandle; string MacAddr; };
instance of ZAP_VirtualMachine { Handle = "vm-1"; GuestLabel = "alpha"; NumCPU = 2;
    UniqueId = "11111111-2222-4333-8444-00000000000a"; MemoryMB = 512; PowerStatus = 20; };
instance of ZAP_VirtualMachine { Handle = "vm-2"; GuestLabel = "beta"; NumCPU = 4;
    UniqueId = "11111111-2222-4333-8444-00000000000b"; MemoryMB = 1024; PowerStatus = 10; };
instance of ZAP_DiskSettingData {
    DiskId = "d1"; OwnerHandle = "vm-1"; SizeGB = 8; Target = "sda"; };
instance of ZAP_DiskSettingData {
    DiskId = "d2"; OwnerHandle = "vm-2"; SizeGB = 4; Target = "sda"; };
instance of ZAP_NICSettingData {
    NicId = "n1"; OwnerHandle = "vm-1"; MacAddr = "02:00:00:00:00:01"; };
instance of ZAP_NICSettingData {
    NicId = "n2"; OwnerHandle = "vm-2"; MacAddr = "02:00:00:00:00:02"; };
"""


class Alien:
    """pywbem's own mock behind our front: no class, property or state that DMTF knows."""

    def __init__(self) -> None:
        self._mock = FakedWBEMConnection(default_namespace="zap/vms")
        self._mock.compile_mof_string(ALIEN_MOF, namespace="zap/vms")

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        try:
            return self._answer(call)
        except pywbem.CIMError as exc:
            raise CimError(exc.status_code, exc.status_description) from exc

    def _answer(self, call: IntrinsicCall) -> Reply:
        sent, namespace = call.parameters, call.namespace
        if call.operation == "EnumerateClassNames":
            names = self._mock.EnumerateClassNames(namespace, DeepInheritance=True)
            return Reply([f'<CLASSNAME NAME="{name}"/>'.encode() for name in names])
        if call.operation == "GetClass":
            cls = self._mock.GetClass(sent["ClassName"], namespace, LocalOnly=False)
            return Reply([cls.tocimxmlstr().encode()])
        if call.operation == "EnumerateInstances":
            listed = sent.get("PropertyList")
            found = self._mock.EnumerateInstances(
                sent["ClassName"], namespace, PropertyList=None if listed is None else list(listed)
            )
            return Reply([_named(instance) for instance in found])
        if call.operation == "GetInstance":
            path = sent["InstanceName"]
            wanted = pywbem.CIMInstanceName(path.classname, dict(path.keys), namespace=namespace)
            instance = self._mock.GetInstance(wanted)
            instance.path = None
            return Reply([instance.tocimxmlstr().encode()])
        raise CimError(_NOT_SUPPORTED, f"no {call.operation}")

    def method(self, call: MethodCall) -> Reply:
        raise CimError(_NOT_SUPPORTED, f"no {call.method}")


def _named(instance: Any) -> bytes:
    path, instance.path = instance.path, None
    path.namespace = path.host = None
    body = f"{path.tocimxmlstr()}{instance.tocimxmlstr()}"
    return f"<VALUE.NAMEDINSTANCE>{body}</VALUE.NAMEDINSTANCE>".encode()


@contextmanager
def serving(backend: Any) -> Iterator[str]:
    """Where a backend answers, as long as the context lasts."""
    with WbemFront(backend) as front:
        yield front.url
