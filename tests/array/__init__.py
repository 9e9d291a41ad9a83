"""A storage array as a WBEM server: SMI-S, classes of a vendor, and no virtual machine.

The services are the lab's own (`lab/services/storage.py`, `replication.py`); what is
different is what stands around them: one system with several pools, the "Array" profile,
settings that a new volume may name as its goal, names in OtherIdentifyingInfo.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from cimi_cim.lab.backend import IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.builder import Builder
from cimi_cim.lab.estate import Estate
from cimi_cim.lab.failures import Failures
from cimi_cim.lab.instances import ClassTable, Instance
from cimi_cim.lab.ledger import Ledger
from cimi_cim.lab.methods import Methods
from cimi_cim.lab.modifications import Modifications
from cimi_cim.lab.operations import Operations
from cimi_cim.lab.outcomes import Declined, Outcome, Result
from cimi_cim.lab.parameters import Parameters
from cimi_cim.lab.personality import Personality, load_personality
from cimi_cim.lab.platform import Host, Platform
from cimi_cim.lab.repository import Repository
from cimi_cim.lab.resources import Kind
from cimi_cim.lab.services.job_control import JobControl
from cimi_cim.lab.services.replication import Replication
from cimi_cim.lab.services.storage import Storage
from cimi_cim.lab.volumes import Volumes, VolumeSpec
from cimi_cim.resources import mof_folder
from cimi_cim.schema.compile import load_schema
from cimi_cim.schema.render import load_class_elements
from cimi_cim.wbem.values import CimValue, InstancePath

NAMESPACE = "root/acme/array"
GIB = 2**30
POOLS = {"gold": 200 * GIB, "silver": 400 * GIB}
GOAL = "ACME:setting:mirrored"
BUILT = 1_767_225_600.0


def personality() -> Personality:
    """Return the names and durations of the array."""
    return replace(
        load_personality(), name="acme", prefix="ACME_", host="array.example",
        mof_folders=(mof_folder() / "dmtf", Path(__file__).with_name("mof")),
        implementation=NAMESPACE, interop="interop",
    )  # fmt: skip


class Pools:
    """The pools of the one system; the storage services know each as a place of its own."""

    def __init__(self, platform: Platform, system: Instance, capabilities: Instance) -> None:
        self._platform = platform
        self._system = system
        self._capabilities = capabilities
        self._places: dict[str, Host] = {}

    def add(self, name: str, size_bytes: int, *, is_primordial: bool) -> None:
        """Add a pool."""
        pool = self._platform.builder.put("StoragePool", {
            "InstanceID": f"ACME:pool:{name}", "PoolID": name, "ElementName": name,
            "Primordial": is_primordial, "ResourceType": 19, "Reserved": 0,
            "Capacity": size_bytes, "AllocationUnits": "byte",
            "TotalManagedSpace": size_bytes, "RemainingManagedSpace": size_bytes,
            "OperationalStatus": (2,),
        })  # fmt: skip
        self._platform.pools.know(pool)
        self._platform.builder.link(
            "HostedStoragePool", GroupComponent=self._system, PartComponent=pool
        )
        if not is_primordial:
            kinds = (Kind.DISK, Kind.VOLUME)
            self._places[name] = Host(
                self._system, dict.fromkeys(kinds, pool.path), dict.fromkeys(kinds, name),
                self._capabilities, "",
            )  # fmt: skip

    def named(self, name: str) -> Host:
        """Return a pool by its name."""
        return self._places[name]

    def of_pool(self, path: InstancePath) -> Host | None:
        """Return the pool at a path, None if volumes cannot come from it."""
        return next((p for p in self._places.values() if p.pools[Kind.DISK] == path), None)

    def emptiest_store(self) -> Host:
        """An array chooses by itself, too: the first pool, full or not."""
        return next(iter(self._places.values()))


class Array:
    """Implements `Backend`: an array with `volumes` volumes, two of which have snapshots.

    With `pace` 0 everything is done at once, else by jobs. `has_naa` False has volumes that
    tell what they are in OtherIdentifyingInfo alone.
    """

    def __init__(
        self,
        volumes: int = 4,
        *,
        pace: float = 0,
        has_naa: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._personality = personality()
        schema = load_schema(self._personality.mof_folders)
        repository = Repository(ClassTable(schema))
        self._platform = Platform(repository, self._personality, 1, clock, pace)
        builder = self._platform.builder
        system, self._service = _system(builder)
        made = Volumes(self._platform, 1)
        self.pools = Pools(self._platform, system, self._service)
        self.pools.add("raw", 1024 * GIB, is_primordial=True)
        for name, size in POOLS.items():
            self.pools.add(name, size, is_primordial=False)
        self._populate(made, volumes, has_naa=has_naa)
        ledger = Ledger(builder)
        self._methods = Methods(
            self._platform, ledger, Failures((), 1, self._personality.prefix), self._handlers(made)
        )
        self._modifications = Modifications(self._platform)
        self._operations = Operations(
            repository, load_class_elements(self._personality.mof_folders),
            (NAMESPACE, self._personality.interop), self._personality.host, clock,
        )  # fmt: skip

    def _handlers(self, volumes: Volumes) -> dict[tuple[str, str], Any]:
        estate = SimpleNamespace(
            platform=self._platform, volumes=volumes, hosts=self.pools,
            machines=SimpleNamespace(named=lambda name: None),
        )  # fmt: skip
        storage = Storage(cast(Estate, estate))
        replication = Replication(cast(Estate, estate), storage)
        jobs = JobControl(self._platform)

        def with_goal(service: Instance, parameters: Parameters) -> Result:
            goal = parameters.path("Goal")
            if goal is not None and self._platform.get(goal, "StorageSetting") is None:
                raise Declined(Outcome.INVALID_PARAMETER)
            plain = {n: v for n, v in parameters.values.items() if n != "Goal"}
            return storage.create_or_modify(service, Parameters(plain))

        configuration, copies = "StorageConfigurationService", "ReplicationService"
        return {
            ("ConcreteJob", "RequestStateChange"): jobs.request_state_change,
            ("ConcreteJob", "GetErrors"): jobs.get_errors,
            (configuration, "CreateOrModifyElementFromStoragePool"): with_goal,
            (configuration, "ReturnToStoragePool"): storage.return_to_pool,
            (configuration, "CreateReplica"): replication.create_replica,
            (configuration, "ModifySynchronization"): replication.modify_synchronization,
            (copies, "CreateElementReplica"): replication.create_element_replica,
            (copies, "ModifyReplicaSynchronization"): replication.modify_replica,
        }

    def _populate(self, volumes: Volumes, count: int, *, has_naa: bool) -> None:
        for number in range(count):
            place = self.pools.named("gold" if number % 2 else "silver")
            name = f"lun-{number:04d}"
            spec = VolumeSpec(name, f"data {number}", (number % 5 + 1) * 512 * 10**5, BUILT)
            volume = volumes.add(place, spec)
            if not has_naa:
                volumes.show(volume.path, {
                    "Name": name, "NameFormat": 1,
                    "OtherIdentifyingInfo": (name, str(volume.values["Name"])),
                    "IdentifyingDescriptions": ("SNIA:DetailedType", "NAA;VPD83Type3"),
                })  # fmt: skip
            if number < 2:
                copy = VolumeSpec(f"{name}-copy", f"copy {number}", 512 * 10**5, BUILT, usage=8)
                volumes.copy(place, volume, copy, 7, is_ready=True)

    def intrinsic(self, call: IntrinsicCall) -> Reply:
        """Answer an intrinsic operation."""
        with self._platform.repository.lock:
            self._platform.works.settle()
            handler = self._modifications.operations.get(call.operation)
            if handler is not None:
                return handler(call)
        return self._operations.answer(call)

    def method(self, call: MethodCall) -> Reply:
        """Answer a method call."""
        return self._methods.answer(call, time.sleep)


def _system(builder: Builder) -> tuple[Instance, Instance]:
    """The array, its services, a setting, and its profile in the interop namespace."""
    system = builder.put("StorageSystem", {
        "Name": "array-1", "NameFormat": "Other", "ElementName": "array-1",
        "Dedicated": (3, 15), "EnabledState": 2, "OperationalStatus": (2,),
    })  # fmt: skip
    service = None
    for kind in ("ReplicationService", "StorageConfigurationService"):
        values: dict[str, CimValue] = {
            "SystemCreationClassName": system.cls.name, "SystemName": "array-1", "Name": kind,
        }  # fmt: skip
        service = builder.put(kind, values)
        builder.link("HostedService", Antecedent=system, Dependent=service)
    assert service is not None
    builder.put("StorageSetting", {"InstanceID": GOAL, "ElementName": "mirrored"})
    profile = builder.put("RegisteredProfile", {
        "InstanceID": "SNIA:Array", "RegisteredName": "Array", "RegisteredVersion": "1.6.0",
        "RegisteredOrganization": 11,
    }, builder.personality.interop)  # fmt: skip
    builder.link(
        "ElementConformsToProfile", builder.personality.interop,
        ConformantStandard=profile, ManagedElement=system,
    )  # fmt: skip
    return system, service
