"""Puts instances of the vendor's classes into the repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from cimi_cim.errors import ConfigError
from cimi_cim.lab.instances import Instance, InstanceClass
from cimi_cim.lab.personality import Personality
from cimi_cim.lab.repository import Repository
from cimi_cim.wbem.values import CimDateTime, CimValue


class Builder:
    """Names classes without the vendor's prefix, and fills CreationClassName itself."""

    def __init__(self, repository: Repository, personality: Personality) -> None:
        self.repository = repository
        self.personality = personality
        self._classes: dict[str, InstanceClass] = {}

    def cls(self, name: str) -> InstanceClass:
        """Return the vendor's class. Raises `ConfigError` if the MOF lacks it."""
        found = self._classes.get(name)
        if found is None:
            full = f"{self.personality.prefix}{name}"
            found = self.repository.classes.find(full)
            if found is None:
                folders = ", ".join(str(folder) for folder in self.personality.mof_folders)
                raise ConfigError(
                    f"the lab needs a class {full}, which {folders} do not declare; see `prefix`"
                    f" and `mof` of the personality {self.personality.name}"
                )
            self._classes[name] = found
        return found

    def put(self, name: str, values: Mapping[str, CimValue], namespace: str = "") -> Instance:
        """Add an instance; what is None is NULL and left out."""
        cls = self.cls(name)
        filled = {key: value for key, value in values.items() if value is not None}
        if "creationclassname" in cls.properties:
            filled["CreationClassName"] = cls.name
        instance = Instance(cls, namespace or self.personality.implementation, filled)
        self.repository.put(instance)
        return instance

    def link(
        self,
        name: str,
        namespace: str = "",
        /,
        properties: Mapping[str, CimValue] | None = None,
        **ends: Instance,
    ) -> None:
        """Add an association; the ends by role."""
        values: dict[str, CimValue] = {role: end.path for role, end in ends.items()}
        where = namespace or self.personality.implementation
        self.repository.put(Instance(self.cls(name), where, {**values, **(properties or {})}))


def cim_datetime(epoch: float) -> CimDateTime:
    """Return seconds since 1970 as a CIM datetime in UTC."""
    moment = datetime.fromtimestamp(epoch, UTC)
    return CimDateTime(moment.strftime("%Y%m%d%H%M%S.%f") + "+000")


def cim_interval(seconds: float) -> CimDateTime:
    """Return a duration as a CIM interval."""
    whole = int(seconds)
    micros = int((seconds - whole) * 1_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return CimDateTime(f"{days:08d}{hour:02d}{minute:02d}{second:02d}.{micros:06d}:000")
