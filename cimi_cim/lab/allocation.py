"""What may be asked of a pool (DSP1043).

Allocation capabilities with minimum, maximum, increment and default as settings, and
the states of a system in which a resource comes or goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from cimi_cim.lab.builder import Builder
from cimi_cim.lab.instances import Instance
from cimi_cim.lab.personality import Personality
from cimi_cim.lab.resources import BLOCK_BYTES, Kind
from cimi_cim.wbem.values import CimValue

# CIM_SettingsDefineCapabilities: ValueRole and ValueRange.
_DEFAULT, _SUPPORTED = 0, 3
_ROLES = {
    "default": (_DEFAULT, 0), "minimum": (_SUPPORTED, 1), "maximum": (_SUPPORTED, 2),
    "increment": (_SUPPORTED, 3),
}  # fmt: skip
_INDEPENDENT = 0
# CIM_AllocationCapabilities: states of a system, of which 2 to 9 are EnabledState's.
_ENABLED, _DISABLED, _PAUSED, _SUSPENDED = 2, 3, 11, 12
_DEDICATED, _SPECIFIC = 2, 2


def describe_limits(builder: Builder, host: Instance, pool: Instance, kind: Kind) -> None:
    """Add the allocation capabilities of a pool, as the personality has them."""
    personality = builder.personality
    identifier = f"{personality.name}:limits:{pool.values['PoolID']}"
    capabilities = builder.put("AllocationCapabilities", {
        "InstanceID": identifier, "ElementName": f"Limits of {pool.values['PoolID']}",
        "ResourceType": kind.resource_type, "SharingMode": _DEDICATED,
        "RequestTypesSupported": _SPECIFIC,
        "SupportedAddStates": _states(kind, personality.hot["add"]),
        "SupportedRemoveStates": _states(kind, personality.hot["remove"]),
    })  # fmt: skip
    for element in (pool, host):
        builder.link("ElementCapabilities", ManagedElement=element, Capabilities=capabilities)
    for role, values in limit_settings(kind, personality).items():
        value_role, value_range = _ROLES[role]
        setting = builder.put(kind.setting, {
            "InstanceID": f"{identifier}/{role}", "ElementName": role,
            "ResourceType": kind.resource_type, "PoolID": pool.values["PoolID"], **values,
        })  # fmt: skip
        builder.link(
            "SettingsDefineCapabilities", "",
            {
                "PropertyPolicy": _INDEPENDENT, "ValueRole": value_role,
                "ValueRange": value_range,
            },
            GroupComponent=capabilities, PartComponent=setting,
        )  # fmt: skip


def _states(kind: Kind, hot: frozenset[Kind]) -> tuple[int, ...]:
    if kind.is_single:
        return ()
    cold = (_DISABLED, _SUSPENDED)
    return (_ENABLED, _DISABLED, _PAUSED, _SUSPENDED) if kind in hot else cold


def limit_settings(kind: Kind, personality: Personality) -> Mapping[str, Mapping[str, CimValue]]:
    """Return the settings that say default, minimum, maximum and increment of a resource."""
    if kind is Kind.ADAPTER:
        one: Mapping[str, CimValue] = {"VirtualQuantity": 1, "VirtualQuantityUnits": "count"}
        return {role: one for role in _ROLES}
    limits = personality.limits[kind]
    quantities = {
        "default": limits.default, "minimum": limits.minimum, "maximum": limits.maximum,
        "increment": 1,
    }  # fmt: skip
    if kind is Kind.DISK:
        return {role: _blocks(quantity, role) for role, quantity in quantities.items()}
    unit = personality.memory_unit if kind is Kind.MEMORY else "count"
    return {
        role: {"VirtualQuantity": quantity, "VirtualQuantityUnits": unit}
        for role, quantity in quantities.items()
    }


def _blocks(size_bytes: int, role: str) -> Mapping[str, CimValue]:
    return {
        "VirtualQuantity": 1 if role == "increment" else size_bytes // BLOCK_BYTES,
        "VirtualQuantityUnits": "count", "VirtualResourceBlockSize": BLOCK_BYTES,
        "AllocationUnits": "byte",
    }  # fmt: skip
