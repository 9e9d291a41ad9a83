"""A libvirt-cim that is only simulated, as the notes on the recorded one say it behaves.

For what the tapes cannot show: a machine's whole life in an order that was not recorded,
answers that are lost, guests that do not answer. Embedded instances come as text (SFCB),
association classes enumerate to nothing, results come without keys, jobs end in state 7
whether they failed or not. Numbers in comments are those of the notes ("Quirks, libvirt-cim").
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply, Unanswered
from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instance_xml import full_path_xml, parameter_xml
from cimi_cim.lab.instances import ClassTable, Instance
from cimi_cim.lab.operations import Operations
from cimi_cim.lab.parameters import Parameters, read_parameters
from cimi_cim.lab.repository import Repository
from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.render import load_class_elements
from cimi_cim.wbem.values import CimValue, EmbeddedInstance, InstancePath

NS = "root/virt"
HOME = "/var/lib/libvirt/images"
FAILED, NOT_FOUND, NOT_SUPPORTED = 1, 6, 7
RUNNING, OFF, SAVED, PAUSED = 2, 3, 6, 9  # EnabledState (3)
_STATUS = {RUNNING: (2, 32768, 5), PAUSED: (2, 7, 5), OFF: (15, 5, 0), SAVED: (15, 5, 0)}
_CAPITALS = re.compile("(?=[A-Z])")  # DefineSystem -> _define_system
_FOLDERS = (mof_folder() / "dmtf", mof_folder() / "libvirt-cim")
_SERVICES = ("VirtualSystemManagement", "VirtualSystemSnapshot", "ResourcePoolConfiguration")


@dataclass
class Domain:
    """A domain; `disks` by device, `cards` by address."""

    name: str
    state: int = OFF
    cpus: int = 1
    kilobytes: int = 65536
    disks: dict[str, str] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))


class Kvm:
    """Implements `Backend`.

    `deaf` guests keep their disks (11); the methods in `lost` are done, and their answers cut
    off, once each; `broken` images fail to be restored.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._repository = Repository(ClassTable(load_schema(_FOLDERS)))
        self._builder = Builder(self._repository, _Names())  # type: ignore[arg-type]
        self._operations = Operations(
            self._repository, load_class_elements(_FOLDERS), (NS, "root/interop"), "vm", time.time
        )
        self.domains: dict[str, Domain] = {}
        self.volumes = {f"{HOME}/base.img": 2**26}
        self.networks = {"default": "virbr0", "isolated": "virbr9"}
        self.deaf: set[str] = set()
        self.lost: set[str] = set()
        self.broken = False
        self._jobs: dict[str, int] = {}
        for kind in _SERVICES:
            self._builder.put(f"{kind}Service", {
                "SystemCreationClassName": "KVM_HostSystem", "SystemName": "vm", "Name": kind,
            })  # fmt: skip
        self._pool("DiskPool", "0", is_primordial=True)
        self._pool("DiskPool", "default", OtherResourceType="dir", Path=HOME, Capacity=1000)
        self._show_networks()

    def _pool(
        self, kind: str, name: str, *, is_primordial: bool = False, **values: CimValue
    ) -> None:
        identifier = f"{kind}/{name}"
        said: dict[str, CimValue] = {
            "InstanceID": identifier,
            "PoolID": identifier,
            "Primordial": is_primordial,
        }
        self._builder.put(kind, {**said, "Reserved": 0, **values})
        self._builder.put("AllocationCapabilities", {"InstanceID": identifier})

    def _show_networks(self) -> None:
        self._forget("NetworkPool")
        for name, bridge in self.networks.items():
            self._pool("NetworkPool", name, Caption=f"Bridge: {bridge}")

    def _forget(self, kind: str, belongs: Callable[[Instance], bool] = lambda i: True) -> None:
        for found in self._repository.of_class(NS, f"KVM_{kind}"):
            if belongs(found):
                self._repository.remove(found.path)

    def add(self, domain: Domain) -> Domain:
        """Have a domain."""
        with self._lock:
            self.domains[domain.name] = domain
            self._show(domain.name)
        return domain

    def _show(self, name: str) -> None:
        """Show a domain as it is now; nothing of one that is gone."""
        for kind in ("Disk", "Net", "Mem", "Proc"):
            self._forget(
                f"{kind}ResourceAllocationSettingData",
                lambda i: str(i.values["InstanceID"]).startswith(f"{name}/"),
            )
        self._forget("ComputerSystem", lambda i: i.values["Name"] == name)
        self._forget("VirtualSystemSettingData", lambda i: i.values["ElementName"] == name)
        domain = self.domains.get(name)
        if domain is not None:
            self._put(domain)

    def _put(self, domain: Domain) -> None:
        name, put = domain.name, self._builder.put
        operational, operating, health = _STATUS[domain.state]
        put("ComputerSystem", {
            "Name": name, "ElementName": name, "UUID": domain.uuid,
            "EnabledState": domain.state, "OperationalStatus": (operational,),
            "OperatingStatus": operating, "HealthState": health, "TransitioningToState": 12,
        })  # fmt: skip
        put("VirtualSystemSettingData", {
            "InstanceID": f"KVM:{name}", "VirtualSystemIdentifier": name, "ElementName": name,
            "Arch": "x86_64",
        })  # fmt: skip
        setting = "ResourceAllocationSettingData"
        put(f"Proc{setting}", {"InstanceID": f"{name}/proc", "VirtualQuantity": domain.cpus})
        put(f"Mem{setting}", {
            "InstanceID": f"{name}/mem", "VirtualQuantity": domain.kilobytes,
            "AllocationUnits": "KiloBytes",
        })  # fmt: skip
        for device, path in domain.disks.items():
            pool = "DiskPool/default" if path in self.volumes else None
            put(f"Disk{setting}", {
                "InstanceID": f"{name}/{device}", "VirtualDevice": device, "Address": path,
                "VirtualQuantity": self.volumes.get(path, 2**30), "AllocationUnits": "Bytes",
                "EmulatedType": 0, "PoolID": pool,
            })  # fmt: skip
        for address, network in domain.cards.items():
            is_up = domain.state == RUNNING  # the bridge is named then, and no pool (16)
            put(f"Net{setting}", {
                "InstanceID": f"{name}/{address}", "Address": address, "NetworkType": "network",
                "NetworkName": self.networks[network] if is_up else network,
                "PoolID": None if is_up else f"NetworkPool/{network}",
            })  # fmt: skip

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer a read."""
        with self._lock:
            if call.operation == "Associators":
                return self._templates(call)
            name = call.parameters.get("ClassName")
            found = self._repository.classes.find(str(name)) if name is not None else None
            if call.operation == "EnumerateInstances" and found and found.is_association:
                return Reply([])  # (25)
            answer = self._operations.answer(call)
            self._progress(call.parameters.get("InstanceName"))
            return answer

    def _progress(self, path: Any) -> None:
        """A job is seen running once (13)."""
        if isinstance(path, InstancePath) and path.classname == "CIM_ConcreteJob":
            found = self._repository.get(path)
            if found is not None:
                error: dict[str, CimValue] = {"ErrorCode": 2, "ErrorDescription": "Restore failed"}
                has_failed = self._jobs.get(str(path.key("InstanceID"))) == 2
                self._repository.put(
                    found.changed({"JobState": 7, **(error if has_failed else {})})
                )

    def _templates(self, call: IntrinsicCall) -> Reply:
        """The files of a pool: settings that all say to be "Maximum"."""
        subject = call.parameters["ObjectName"]
        paths = list(self.volumes) if subject.key("InstanceID") == "DiskPool/default" else []
        cls = self._builder.cls("DiskResourceAllocationSettingData")
        fragments = []
        for path in paths:
            for role, size in (("Minimum", 2000), ("Maximum", self.volumes[path])):
                made = Instance(cls, NS, {
                    "InstanceID": role, "Address": path, "VirtualQuantity": size,
                    "PoolID": "DiskPool/default", "ResourceType": 17,
                })  # fmt: skip
                inner = full_path_xml(made.path, "vm").encode() + made.xml(None)
                fragments.append(b"<VALUE.OBJECTWITHPATH>%s</VALUE.OBJECTWITHPATH>" % inner)
        return Reply(fragments)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call."""
        with self._lock:
            declared = self._repository.classes.schema.method(call.path.classname, call.method)
            assert declared is not None, call.method
            if self._repository.get(call.path) is None:
                raise CimError(4, f"Unable to get instance for guest '{call.path.key('Name')}'")
            said = read_parameters(declared, call.parameters, NS)
            handler = getattr(self, _CAPITALS.sub("_", call.method).lower(), None)
            if handler is None:
                raise CimError(FAILED, "Unknown Method")
            out = handler(call.path, said) or {}
            if call.method in self.lost:
                self.lost.discard(call.method)
                raise Unanswered(is_cut=True)
        rendered = tuple(parameter_xml(name, kind, value) for name, (kind, value) in out.items())
        return Reply([b"<VALUE>0</VALUE>"], rendered)

    def _domain(self, name: object) -> Domain:
        found = self.domains.get(str(name))
        if found is None:
            raise CimError(NOT_FOUND, f"Referenced domain `{name}' does not exist")
        return found

    def _request_state_change(self, path: InstancePath, said: Parameters) -> None:
        domain, wanted = self._domain(path.key("Name")), said.number("RequestedState")
        sources = {2: (OFF, PAUSED), 3: (RUNNING,), 4: (RUNNING,), 9: (RUNNING,),
                   10: (RUNNING,), 11: (RUNNING,)}  # fmt: skip
        if wanted not in sources or (wanted == 2 and domain.state == SAVED):
            raise CimError(NOT_SUPPORTED, "State not supported")
        if domain.state not in sources[wanted]:
            raise CimError(FAILED, "Invalid state transition")
        domain.state = {2: RUNNING, 3: OFF, 4: OFF, 9: PAUSED}.get(wanted, RUNNING)
        self._show(domain.name)

    def _define_system(self, path: InstancePath, said: Parameters) -> dict[str, Any]:
        system = said.values["SystemSettings"]
        assert isinstance(system, EmbeddedInstance)
        name = str(system.values.get("VirtualSystemIdentifier"))
        if name in self.domains:
            uid = self.domains[name].uuid
            raise CimError(
                FAILED, f"operation failed: domain '{name}' already exists with uuid {uid}"
            )
        domain = Domain(name)
        for setting in said.all_embedded("ResourceSettings"):
            self._apply(domain, setting)
        self.add(domain)
        return {"ResultingSystem": ("reference", self._builder.path("ComputerSystem", Name=name))}

    def _apply(self, domain: Domain, setting: EmbeddedInstance) -> None:
        """Put a setting into a domain; its class says what it is."""
        values: dict[str, Any] = dict(setting.values)
        kind = setting.classname.removeprefix("KVM_").removesuffix("ResourceAllocationSettingData")
        if kind == "Proc":
            domain.cpus = values["VirtualQuantity"]
        elif kind == "Mem":
            assert values["AllocationUnits"] == "KiloBytes"
            domain.kilobytes = values["VirtualQuantity"]
        elif kind == "Disk":
            device = values["VirtualDevice"]
            if device in domain.disks:
                raise CimError(FAILED, f"XML error: target '{device}' duplicated for disk sources")
            domain.disks[device] = values["Address"]
        else:
            address = values.get("Address") or f"52:54:00:00:00:{len(domain.cards):02x}"
            domain.cards[address] = values["PoolID"].rpartition("/")[2]

    def _destroy_system(self, path: InstancePath, said: Parameters) -> None:
        domain = self._domain(said.the_path("AffectedSystem").key("Name"))
        assert domain.state in (RUNNING, OFF), "not recorded"
        del self.domains[domain.name]
        self._show(domain.name)

    def _add_resource_settings(self, path: InstancePath, said: Parameters) -> dict[str, Any]:
        identifier = str(said.the_path("AffectedConfiguration").key("InstanceID"))
        domain = self._domain(identifier.removeprefix("KVM:"))
        settings = said.all_embedded("ResourceSettings")
        for setting in settings:
            self._apply(domain, setting)
        self._show(domain.name)
        keyless = tuple(InstancePath(NS, setting.classname, ()) for setting in settings)  # (9)
        return {"ResultingResourceSettings": ("reference[]", keyless)}

    def _modify_resource_settings(self, path: InstancePath, said: Parameters) -> None:
        for setting in said.all_embedded("ResourceSettings"):
            domain = self._domain(str(setting.values["InstanceID"]).partition("/")[0])
            if domain.state != OFF:
                raise CimError(FAILED, "cannot resize the maximum memory on an active domain")
            self._apply(domain, setting)
            self._show(domain.name)

    def _remove_resource_settings(self, path: InstancePath, said: Parameters) -> None:
        paths = said.values["ResourceSettings"]
        assert isinstance(paths, tuple)
        for each in paths:
            assert isinstance(each, InstancePath)
            name, _, part = str(each.key("InstanceID")).partition("/")
            domain = self._domain(name)
            if not (domain.state == RUNNING and name in self.deaf):
                domain.disks.pop(part, None)
                domain.cards.pop(part, None)
            self._show(name)

    def _create_snapshot(self, path: InstancePath, said: Parameters) -> dict[str, Any]:
        if said.number("SnapshotType") != 32769:
            raise CimError(NOT_SUPPORTED, "Only memory(32768,32769) snapshots are supported")
        domain = self._domain(said.the_path("AffectedSystem").key("Name"))
        domain.state = SAVED
        return self._job(domain, 0)

    def _apply_snapshot(self, path: InstancePath, said: Parameters) -> dict[str, Any]:
        identifier = str(said.the_path("Snapshot").key("InstanceID"))
        domain = self._domain(identifier.removeprefix("KVM:"))
        domain.state = domain.state if self.broken else RUNNING
        return self._job(domain, 2 if self.broken else 0)

    def _job(self, domain: Domain, error: int) -> dict[str, Any]:
        self._show(domain.name)
        identifier = str(uuid.uuid4())
        self._jobs[identifier] = error
        cls = self._repository.classes.find("CIM_ConcreteJob")
        assert cls is not None
        job = Instance(cls, NS, {"InstanceID": identifier, "JobState": 4, "Status": "Running"})
        self._repository.put(job)
        vssd = self._builder.path("VirtualSystemSettingData", InstanceID=f"KVM:{domain.name}")
        return {"Job": ("reference", job.path), "ResultingSnapshot": ("reference", vssd)}

    def _create_resource_in_pool(self, path: InstancePath, said: Parameters) -> dict[str, Any]:
        setting: Any = said.values["Settings"]
        values = setting.values
        made = f"{values['Path']}/{values['VolumeName']}"
        unit = {"M": 2**20, "G": 2**30}[values["AllocationUnits"]]
        self.volumes[made] = values["Capacity"] * unit
        kind = "KVM_StorageVolumeResourceAllocationSettingData"
        unreadable = InstancePath(NS, kind, (("InstanceID", made),))  # (22)
        return {"Resource": ("reference", unreadable)}

    def _delete_resource_in_pool(self, path: InstancePath, said: Parameters) -> None:
        setting: Any = said.values["Resource"]
        if "Address" not in setting.values:
            raise CimError(FAILED, "Missing Address in resource RASD")
        del self.volumes[setting.values["Address"]]

    def _delete_resource_pool(self, path: InstancePath, said: Parameters) -> None:
        del self.networks[str(said.the_path("Pool").key("InstanceID")).rpartition("/")[2]]
        self._show_networks()


class _Names:
    """What the lab's builder wants of a personality."""

    prefix = "KVM_"
    implementation = NS
