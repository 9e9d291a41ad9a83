# ruff: noqa: N802, N803 - methods and parameters have the vendor's names
"""The hypervisor of a vendor who follows no profile, on plain pywbem_mock.

Machines, their settings, disks and cards hang together by numbers, WBEM URIs and one
association; whatever takes time is a task that takes a step whenever it is read. A task that
failed says Finished like any other, and tells its trouble.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pywbem
from pywbem_mock import FakedWBEMConnection, MethodProvider

from cimi_cim.lab.backend import IntrinsicCall, MethodCall
from cimi_cim.resources import mof_folder
from tests.vendor.backend import MockBackend

NAMESPACE = "root/acme/hv"
MOF = Path(__file__).parent / "mof"
OFF, ON, BOOTING, HELD, HALTING, BROKEN = 100, 110, 115, 120, 130, 190
PINNED, LOCKED, FAULTY = 1, 2, 4
FINE, SO_ALREADY, NOT_NOW, TOO_MUCH = 0, 3, 17, 18
MOST_CPUS, MOST_PAGES = 16, 4 * 2**20
STEPS = 2  # of a task, each taken when it is read
_BORN = 1763953200
_STATES = (ON, OFF, HELD, BOOTING, ON, HALTING, BROKEN)
_POWER = {"on": ON, "off": OFF, "kill": OFF, "reboot": ON, "hold": HELD}


class Hypervisor:
    """The server's state, and what its methods do to it."""

    def __init__(self, machines: int) -> None:
        self.connection = FakedWBEMConnection(default_namespace=NAMESPACE)
        dmtf = str(mof_folder() / "dmtf")
        self.connection.compile_mof_file(f"{dmtf}/qualifiers.mof", NAMESPACE)
        self.connection.compile_mof_file(str(MOF / "acme.mof"), NAMESPACE, search_paths=[dmtf])
        provider = _Methods(self.connection.cimrepository, self._called)
        self.connection.register_provider(provider, namespaces=NAMESPACE)
        self._store = self.connection.cimrepository.get_instance_store(NAMESPACE)
        self._next = 1000
        self._is_held = False
        self.runs_alone = False  # tasks go on with every call, whatever it reads
        self._due: dict[int, tuple[int, Callable[[], Any]]] = {}
        self.host = self._add("ACME_Host", Serial="HV-7")
        lans = [self._add("ACME_Lan", LanNo=n, Title=f"lan {n}", Up="yes" if n < 3 else "no")
                for n in (1, 2, 3)]  # fmt: skip
        self.lans = [path.to_wbem_uri(format="canonical") for path in lans]
        for number in range(1, machines + 1):
            self._populate(number)
        for number in range(1, 4):
            self._add("ACME_Lun", Wwn=f"60060E80{number:08X}", Title=f"lun {number}",
                      SizeMB=f"{number * 1024}", Health=1000 if number < 3 else 1002)  # fmt: skip
        self.backend = MockBackend(
            self.connection, frozenset({"ACME_VmHasDisk"}), frozenset({"ACME_VNic", "ACME_Lan"}),
            self._before,
        )  # fmt: skip

    def _populate(self, number: int) -> None:
        vm = self._machine(f"vm {number}", 1 + number % 4, 2**17 * (1 + number % 3), "")
        machine = self._at(vm)
        machine["RunState"] = pywbem.Uint16(_STATES[(number - 1) % len(_STATES)])
        machine["Flags"] = pywbem.Uint32((0, PINNED, FAULTY | PINNED)[number % 3])
        self._store.update(vm, machine)
        for _ in range(number % 3):
            self._disk(vm, str(10240 * number))
        for n in range(number % 2 + 1):
            self._add(
                "ACME_VNic", NicNo=self._number(), Owner=vm.to_wbem_uri(format="canonical"),
                Lan=self.lans[n], Mac=f"02A0C9{number:04X}{n:02X}",
                Link="up" if n == 0 else "down", Rate="1 Gbps",
            )  # fmt: skip

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _at(self, path: Any) -> Any:
        return self._store.get(path)

    def _add(self, classname: str, **values: Any) -> Any:
        cls = self.connection.GetClass(classname, NAMESPACE, LocalOnly=False)
        instance = pywbem.CIMInstance.from_class(
            cls, NAMESPACE, property_values=values, include_missing_properties=False,
            include_path=True,
        )  # fmt: skip
        self._store.create(instance.path, instance)
        return instance.path

    def _machine(self, label: str, cpus: int, pages: int, notes: str) -> Any:
        number = self._number()
        guid = uuid5(UUID(int=7), str(number)).hex.upper()
        vm = self._add(
            "ACME_Vm", CreationClassName="ACME_Vm", Name=f"opaque-{number:x}", VmNo=number,
            Guid=f"{{{guid}}}", Caption=label, RunState=OFF, Flags=0, Notes=notes,
        )  # fmt: skip
        self._add("ACME_VmConfig", ConfigNo=self._number(), VmNo=number, Cpus=cpus,
                  MemoryPages=pages, BornAt=str(_BORN + number))  # fmt: skip
        return vm

    def _disk(self, vm: Any, size: str, bay: str = "") -> Any:
        number = self._number()
        disk = self._add("ACME_VDisk", Shelf=f"shelf/{number % 2}", DiskNo=number, SizeMB=size,
                         Bay=bay or f"bay {number}")  # fmt: skip
        self._add("ACME_VmHasDisk", Owner=vm, Part=disk)
        return disk

    def set_flags(self, path: Any, flags: int) -> None:
        """Give a machine other flags."""
        machine = self._at(path)
        machine["Flags"] = pywbem.Uint32(flags)
        self._store.update(machine.path, machine)

    def hold_tasks(self) -> None:
        """Let no task go on."""
        self._is_held = True

    def release_tasks(self) -> None:
        """Let tasks go on."""
        self._is_held = False

    # --- tasks

    def _task(self, work: Callable[[], Any]) -> str:
        """Start a task; `work` is done at its last step, and returns the path of what it made."""
        number = self._number()
        path = self._add("ACME_Task", TaskNo=number, Phase="Queued", Done="0 %", Trouble="")
        self._due[number] = (STEPS, work)
        return str(path.to_wbem_uri(format="canonical"))

    def _before(self, call: IntrinsicCall | MethodCall) -> None:
        """Let a task that is read take a step, or all of them where they run alone."""
        path = call.parameters.get("InstanceName") if isinstance(call, IntrinsicCall) else None
        number = path.key("TaskNo") if path is not None else None
        if not self._is_held:
            for one in [n for n in self._due if self.runs_alone or n == number]:
                self._step(one)

    def _step(self, number: int) -> None:
        left, work = self._due.pop(number)
        task = next(i for i in self._store.iter_values() if i.get("TaskNo") == number)
        if left > 0:
            self._due[number] = (left - 1, work)
            self._tell(task, Phase="Working", Done=f"{100 - 40 * left} % done")
            return
        try:
            made = work()
        except _Trouble as trouble:
            self._tell(task, Phase="FINISHED", Done="100 %", Trouble=str(trouble))
        else:
            result = None if made is None else made.to_wbem_uri(format="canonical")
            self._tell(task, Phase="Finished", Done="100 %", Result=result)

    def _tell(self, task: Any, **values: str | None) -> None:
        for name, value in values.items():
            task[name] = pywbem.CIMProperty(name, value, "string")
        self._store.update(task.path, task)

    def _do_Abort(self, path: Any, Hard: bool = False) -> int:
        self._due.pop(path["TaskNo"], None)
        self._tell(self._at(path), Phase="Aborted", Trouble="aborted" if Hard else "stopped")
        return FINE

    # --- methods: each returns its return value, and its out parameter by name

    def _called(self, name: str, path: Any, sent: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        method: Callable[..., Any] = getattr(self, f"_do_{name}")
        answer = method(path, **sent)
        return answer if isinstance(answer, tuple) else (answer, {})

    def _do_CreateVM(
        self,
        _: Any,
        Name: str,
        Cpus: int = 1,
        MemoryPages: int = 1024,
        Notes: str = "",
    ) -> Any:
        if Cpus > MOST_CPUS:
            return TOO_MUCH

        def make() -> Any:
            if MemoryPages > MOST_PAGES:
                raise _Trouble(f"no room for {MemoryPages} pages")
            return self._machine(Name, Cpus, MemoryPages, Notes)

        return FINE, {"Work": self._task(make)}

    def _do_DestroyVM(self, _: Any, VmNo: int) -> Any:
        found = [i for i in self._store.iter_values() if i.get("VmNo") == VmNo]
        vm = next(i for i in found if i.classname == "ACME_Vm")

        def destroy() -> None:
            if vm["Flags"] & LOCKED:
                raise _Trouble(f"machine {VmNo} is locked")
            for instance in found:
                self._store.delete(instance.path)

        return FINE, {"Work": self._task(destroy)}

    def _do_PowerControl(self, path: Any, Action: str) -> Any:
        vm = self._at(path)
        wanted = _POWER[Action]
        if vm["RunState"] == wanted and Action != "reboot":
            return SO_ALREADY
        if vm["RunState"] in (BROKEN, BOOTING):
            return NOT_NOW

        def switch() -> None:
            machine = self._at(path)
            machine["RunState"] = pywbem.Uint16(wanted)
            self._store.update(path, machine)

        if Action != "hold":
            switch()
            return FINE
        return FINE, {"Work": self._task(switch)}

    def _do_SetLabel(self, path: Any, Label: str) -> str:
        taken = {i.get("Caption") for i in self._store.iter_values() if i.classname == "ACME_Vm"}
        if Label in taken:
            return "TAKEN"
        vm = self._at(path)
        vm["Caption"] = Label
        self._store.update(path, vm)
        return "OK"

    def _do_Reconfigure(
        self,
        path: Any,
        Cpus: int | None = None,
        MemoryPages: int | None = None,
    ) -> Any:
        number = self._at(path)["VmNo"]
        config = next(i for i in self._store.iter_values()
                      if i.classname == "ACME_VmConfig" and i["VmNo"] == number)  # fmt: skip

        def change() -> None:
            if MemoryPages is not None and MemoryPages > MOST_PAGES:
                raise _Trouble(f"no room for {MemoryPages} pages")
            config["Cpus"] = pywbem.Uint16(Cpus or config["Cpus"])
            config["MemoryPages"] = pywbem.Uint64(MemoryPages or config["MemoryPages"])
            self._store.update(config.path, config)

        return FINE, {"Work": self._task(change)}

    def _do_AttachDisk(self, path: Any, SizeMB: str, Bay: str = "") -> Any:
        return FINE, {"Work": self._task(lambda: self._disk(path, SizeMB, Bay))}

    def _do_DetachDisk(self, path: Any, Shelf: str, DiskNo: int) -> Any:
        def detach() -> None:
            for instance in list(self._store.iter_values()):
                part = instance.get("Part")
                number = part["DiskNo"] if part is not None else instance.get("DiskNo")
                if number == DiskNo:
                    self._store.delete(instance.path)

        return FINE, {"Work": self._task(detach)}

    def _do_CreateLun(self, _: Any, Title: str, SizeMB: str) -> Any:
        lun = self._add("ACME_Lun", Wwn=f"60060E80{self._number():08X}", Title=Title,
                        SizeMB=SizeMB, Health=1000)  # fmt: skip
        return FINE, {"Lun": lun.to_wbem_uri(format="canonical")}

    def _do_DropLun(self, _: Any, Wwn: str) -> int:
        lun = next(i for i in self._store.iter_values() if i.get("Wwn") == Wwn)
        self._store.delete(lun.path)
        return FINE


class _Trouble(Exception):
    """What a task fails of."""


class _Methods(MethodProvider):  # type: ignore[misc]
    """Passes method calls on."""

    provider_classnames = ("ACME_Host", "ACME_Vm", "ACME_Task")

    def __init__(self, repository: Any, called: Callable[..., tuple[Any, dict[str, Any]]]) -> None:
        super().__init__(repository)
        self._called = called

    def InvokeMethod(self, methodname: str, localobject: Any, params: Any) -> Any:
        sent = {name: parameter.value for name, parameter in params.items()}
        returned, out = self._called(methodname, localobject, sent)
        kind = pywbem.Uint32(returned) if isinstance(returned, int) else returned
        return kind, [pywbem.CIMParameter(n, "string", value=v) for n, v in out.items()]
