"""The interop namespace: what the server is, its namespaces, and the profiles it follows."""

from __future__ import annotations

from cimi_cim import __version__
from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instances import Instance

DMTF = 2
SYSTEM_VIRTUALIZATION = "System Virtualization"
VIRTUAL_SYSTEM = "Virtual System"
VIRTUAL_SWITCH = "Virtual Ethernet Switch"
# Profiles and their versions as registered by DMTF: DSP1042, DSP1057, DSP1041, DSP1043,
# DSP1045, DSP1059, DSP1097, DSP1103, DSP1033.
_PROFILES = (
    (SYSTEM_VIRTUALIZATION, "1.0.0"),
    (VIRTUAL_SYSTEM, "1.0.0"),
    ("Resource Allocation", "1.1.0"),
    ("Allocation Capabilities", "1.0.0"),
    ("Memory Resource Virtualization", "1.0.0"),
    ("Generic Device Resource Virtualization", "1.0.0"),
    (VIRTUAL_SWITCH, "1.1.0"),
    ("Job Control", "1.0.0"),
    ("Profile Registration", "1.0.0"),
)
_SCOPED = ("Resource Allocation", VIRTUAL_SYSTEM, VIRTUAL_SWITCH)


class Profiles:
    """The registered profiles, and which elements are central to them (DSP1033)."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._profiles = {name: self._profile(name, version) for name, version in _PROFILES}
        for scoped in _SCOPED:
            builder.link(
                "ReferencedProfile", builder.personality.interop,
                Antecedent=self._profiles[scoped],
                Dependent=self._profiles[SYSTEM_VIRTUALIZATION],
            )  # fmt: skip

    def conforms(self, profile: str, element: Instance) -> None:
        """Note that an element is a central instance of a profile."""
        self._builder.link(
            "ElementConformsToProfile", self._builder.personality.interop,
            ConformantStandard=self._profiles[profile], ManagedElement=element,
        )  # fmt: skip

    def _profile(self, name: str, version: str) -> Instance:
        return self._builder.put("RegisteredProfile", {
            "InstanceID": f"DMTF:{name} {version}", "RegisteredName": name,
            "RegisteredVersion": version, "RegisteredOrganization": DMTF,
            "SpecificationType": 2, "AdvertiseTypes": (2,), "ElementName": name,
        }, self._builder.personality.interop)  # fmt: skip


def describe_server(builder: Builder) -> None:
    """Add the server itself and its namespaces."""
    interop = builder.personality.interop
    # ObjectManager is the older word for the same, and the one that stock tools ask for.
    for kind in ("WBEMServer", "ObjectManager"):
        builder.put(kind, {
            "SystemCreationClassName": builder.cls("HostSystem").name, "SystemName": "host001",
            "Name": f"{builder.personality.name}:wbem-server", "ElementName": "cimi-cim lab",
            "Description": f"cimi-cim lab version {__version__}", "Started": True,
            "EnabledState": 2, "OperationalStatus": (2,), "HealthState": 5,
        }, interop)  # fmt: skip
    for namespace in (builder.personality.implementation, interop):
        builder.put("WBEMServerNamespace", {
            "InstanceID": f"{builder.personality.name}:namespace:{namespace}", "Name": namespace,
            "ElementName": namespace,
        }, interop)  # fmt: skip
