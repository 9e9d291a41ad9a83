"""The interop namespace: what the server is, its namespaces, and the profiles it follows."""

from __future__ import annotations

from collections.abc import Iterable

from cimi_cim import __version__
from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instances import Instance

DMTF = 2
# Profiles and their versions as registered by DMTF: DSP1042, DSP1057, DSP1041, DSP1045,
# DSP1059, DSP1097, DSP1033.
_PROFILES = (
    ("System Virtualization", "1.0.0"),
    ("Virtual System", "1.0.0"),
    ("Resource Allocation", "1.1.0"),
    ("Memory Resource Virtualization", "1.0.0"),
    ("Generic Device Resource Virtualization", "1.0.0"),
    ("Virtual Ethernet Switch", "1.1.0"),
    ("Profile Registration", "1.0.0"),
)


def describe_server(
    builder: Builder,
    hosts: Iterable[Instance],
    machines: Iterable[Instance],
    switches: Iterable[Instance],
) -> None:
    """Add the server itself and its profiles with their central instances (DSP1033)."""
    interop = builder.personality.interop
    builder.put("WBEMServer", {
        "SystemCreationClassName": builder.cls("HostSystem").name, "SystemName": "host001",
        "Name": f"{builder.personality.name}:wbem-server", "ElementName": "cimi-cim lab",
        "Description": f"cimi-cim lab {__version__}", "Started": True, "EnabledState": 2,
        "OperationalStatus": (2,), "HealthState": 5,
    }, interop)  # fmt: skip
    for namespace in (builder.personality.implementation, interop):
        builder.put("WBEMServerNamespace", {
            "InstanceID": f"{builder.personality.name}:namespace:{namespace}", "Name": namespace,
            "ElementName": namespace,
        }, interop)  # fmt: skip
    profiles = {name: _profile(builder, name, version) for name, version in _PROFILES}
    for scoped in ("Resource Allocation", "Virtual System", "Virtual Ethernet Switch"):
        builder.link(
            "ReferencedProfile", interop,
            Antecedent=profiles[scoped], Dependent=profiles["System Virtualization"],
        )  # fmt: skip
    central = {
        "System Virtualization": hosts,
        "Virtual System": machines,
        "Virtual Ethernet Switch": switches,
    }
    for name, elements in central.items():
        for element in elements:
            builder.link(
                "ElementConformsToProfile", interop,
                ConformantStandard=profiles[name], ManagedElement=element,
            )  # fmt: skip


def _profile(builder: Builder, name: str, version: str) -> Instance:
    return builder.put("RegisteredProfile", {
        "InstanceID": f"DMTF:{name} {version}", "RegisteredName": name,
        "RegisteredVersion": version, "RegisteredOrganization": DMTF, "SpecificationType": 2,
        "AdvertiseTypes": (2,), "ElementName": name,
    }, builder.personality.interop)  # fmt: skip
