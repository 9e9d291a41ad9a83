"""Puts the initial population onto the platform, with the same code that makes more of it."""

from __future__ import annotations

import random
import uuid

from cimi_cim.lab import resources
from cimi_cim.lab.builder import cim_datetime
from cimi_cim.lab.estate import Estate
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.machines import Blueprint
from cimi_cim.lab.personality import Personality
from cimi_cim.lab.platform import Host
from cimi_cim.lab.population import BUILT, DAY_S, MachineSpec, host_count, machine_specs
from cimi_cim.lab.resources import Kind, Resource
from cimi_cim.lab.volumes import REPLICA_TARGET, SNAPSHOT, VolumeSpec
from cimi_cim.wbem.values import CimValue, InstancePath

SWITCHES_PER_HOST = 2
# Configurations that are no system's, to make machines from (ReferenceConfiguration): how
# many processors, bytes of memory and bytes of a disk.
IMAGES = {"small": (1, 2**29, 4 * 2**30), "large": (4, 2**32, 20 * 2**30)}
FREE_VOLUMES_PER_HOST = 2


def populate(estate: Estate, count: int, seed: int) -> None:
    """Add hosts with switches and volumes, and `count` machines on them."""
    specs = machine_specs(count, seed, estate.platform.personality)
    carried: list[list[MachineSpec]] = [[] for _ in range(host_count(count))]
    for spec in specs:
        carried[spec.host].append(spec)
    hosts = []
    for number, machines in enumerate(carried):
        host = estate.hosts.add(number, machines)
        for place in range(SWITCHES_PER_HOST):
            _switch(estate, host, seed, number, place)
        hosts.append(host)
    for spec in specs:
        _machine(estate, hosts[spec.host], spec)
    for number, host in enumerate(hosts):
        _free_volumes(estate, host, number)
    for name, image in IMAGES.items():
        _image(estate, name, image)


def _switch(estate: Estate, host: Host, seed: int, number: int, place: int) -> None:
    rng = random.Random(f"{seed}/switch/{number}/{place}")  # noqa: S311
    name = f"{host.system.values['Name']}-net{place}"
    identity = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    values: dict[str, CimValue] = {"VLANConnection": (f"{place + 1}",)}
    estate.switches.add(host, name, name, identity, BUILT - 400 * DAY_S, values, is_enabled=True)


def _machine(estate: Estate, host: Host, spec: MachineSpec) -> None:
    volume = None
    if spec.volume_bytes is not None:
        volume = _volume(estate, host, f"{spec.name}-data", spec.volume_bytes)
    switch = estate.switches.named(host.switch)
    if switch is not None:
        plan = _blueprint(spec, estate.platform.personality, volume, switch.path)
        estate.machines.add(plan, host)


def _volume(estate: Estate, host: Host, name: str, size_bytes: int) -> Instance:
    return estate.volumes.add(host, VolumeSpec(name, name, size_bytes, BUILT - 30 * DAY_S))


def _free_volumes(estate: Estate, host: Host, number: int) -> None:
    """Add volumes nobody uses, and a finished copy of the first."""
    made = [
        _volume(estate, host, f"vol-{number + 1:03d}-{index}", (20 + 10 * index) * 10**9)
        for index in range(FREE_VOLUMES_PER_HOST)
    ]
    name = f"vol-{number + 1:03d}-copy"
    spec = VolumeSpec(
        name, name, estate.volumes.size_bytes(made[0]), BUILT - 30 * DAY_S, usage=REPLICA_TARGET
    )
    estate.volumes.copy(host, made[0], spec, SNAPSHOT, is_ready=True)


def _image(estate: Estate, name: str, image: tuple[int, int, int]) -> None:
    personality = estate.platform.personality
    cpus, memory_bytes, disk_bytes = image
    memory = memory_bytes // personality.bytes_per_memory_unit
    setting = estate.configurations.put_system(f"{personality.name}:image:{name}", {
        "ElementName": f"{name} image", "VirtualSystemType": personality.system_types[0],
        "Description": f"What a {name} machine is made from",
        "CreationTime": cim_datetime(BUILT - 400 * DAY_S),
    })  # fmt: skip
    disk = resources.disk(disk_bytes, resources.device_address(0))
    for resource in (
        Resource(Kind.PROCESSOR, "processor", cpus, resources.processors(cpus, 2400)),
        Resource(
            Kind.MEMORY, "memory", memory, resources.memory(memory, personality.memory_unit)
        ),
        Resource(Kind.DISK, "disk-0", disk_bytes, disk),
    ):  # fmt: skip
        estate.configurations.put_resource(setting, resource, None)


def _blueprint(
    spec: MachineSpec, personality: Personality, volume: Instance | None, switch: InstancePath
) -> Blueprint:
    memory = spec.memory_bytes // personality.bytes_per_memory_unit
    processors = resources.processors(spec.cpus, spec.clock_mhz)
    found = [
        Resource(Kind.PROCESSOR, "processor", spec.cpus, processors),
        Resource(
            Kind.MEMORY, "memory", memory, resources.memory(memory, personality.memory_unit)
        ),
    ]  # fmt: skip
    for number, size_bytes in enumerate(spec.disks_bytes):
        values = resources.disk(size_bytes, resources.device_address(number))
        found.append(Resource(Kind.DISK, f"disk-{number}", size_bytes, values))
    if volume is not None and spec.volume_bytes is not None:
        number = len(spec.disks_bytes)
        values = {
            **resources.disk(spec.volume_bytes, resources.device_address(number)),
            **resources.volume_link(volume),
        }
        found.append(Resource(Kind.VOLUME, f"disk-{number}", 0, values, volume.path))
    for number, address in enumerate(spec.mac_addresses):
        values = {**resources.adapter(address, number), **resources.connection(switch)}
        found.append(Resource(Kind.ADAPTER, f"nic-{number}", 1, values))
    return Blueprint(spec.name, spec.title, spec.uuid, spec.created, spec.state, tuple(found))
