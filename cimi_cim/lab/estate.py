"""Everything there is on the simulated platform, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.lab.configurations import Configurations
from cimi_cim.lab.devices import Devices
from cimi_cim.lab.hosts import Hosts
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.interop import Profiles, describe_server
from cimi_cim.lab.machines import Machine, Machines
from cimi_cim.lab.platform import Platform
from cimi_cim.lab.requested import Requests
from cimi_cim.lab.state_changes import StateChanges
from cimi_cim.lab.switches import Switches
from cimi_cim.lab.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Estate:
    """What the services work on."""

    platform: Platform
    hosts: Hosts
    configurations: Configurations
    machines: Machines
    volumes: Volumes
    switches: Switches
    requests: Requests
    states: StateChanges

    def is_active(self, machine: Machine) -> bool:
        """Whether a machine has devices."""
        return self.platform.personality.states[machine.state].is_active

    def is_at_rest(self, machine: Machine) -> bool:
        """Whether a machine is on no way to another state, and nobody works on it."""
        is_free = self.platform.works.busy(machine.path) is None
        return is_free and self.platform.personality.is_steady(machine.state)


def build_estate(platform: Platform, seed: int) -> Estate:
    """Return the estate of a platform, with nothing on it but the server itself."""
    describe_server(platform.builder)
    profiles = Profiles(platform.builder)
    hosts = Hosts(platform, profiles)

    def services() -> Mapping[str, Instance]:
        return hosts.services

    volumes = Volumes(platform, seed)
    switches = Switches(platform, profiles, services)
    configurations = Configurations(platform, volumes, switches)
    machines = Machines(platform, configurations, Devices(platform), profiles, services)
    return Estate(
        platform, hosts, configurations, machines, volumes, switches,
        Requests(platform, volumes, switches), StateChanges(platform, machines),
    )  # fmt: skip
