"""Puts instances of the vendor's classes into the repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from cimi_cim.errors import ConfigError
from cimi_cim.lab.instances import Instance, InstanceClass
from cimi_cim.lab.personality import Personality
from cimi_cim.lab.repository import Repository
from cimi_cim.wbem.values import CimDateTime, CimValue, EmbeddedInstance, InstancePath


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

    def path(self, name: str, **keys: str) -> InstancePath:
        """Return the path of an instance by its keys; CreationClassName comes by itself."""
        cls = self.cls(name)
        known = {**keys, "CreationClassName": cls.name}
        return InstancePath(
            self.personality.implementation, cls.name, tuple((key, known[key]) for key in cls.keys)
        )

    def link(
        self,
        name: str,
        namespace: str = "",
        /,
        properties: Mapping[str, CimValue] | None = None,
        **ends: Instance | InstancePath,
    ) -> Instance:
        """Add an association; the ends by role."""
        values: dict[str, CimValue] = {
            role: end.path if isinstance(end, Instance) else end for role, end in ends.items()
        }
        where = namespace or self.personality.implementation
        made = Instance(self.cls(name), where, {**values, **(properties or {})})
        self.repository.put(made)
        return made

    def embedded(self, classname: str, values: Mapping[str, CimValue]) -> EmbeddedInstance:
        """Return an embedded instance of a class, by its full name; what is None is left out."""
        declared = self.repository.classes.schema.properties(classname)
        filled = {name: value for name, value in values.items() if value is not None}
        types = {n: declared[n].type + "[]" * declared[n].is_array for n in filled}
        return EmbeddedInstance(classname, filled, types)


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


def datetime_seconds(moment: CimDateTime) -> float:
    """Return seconds since 1970 of a datetime that `cim_datetime` made."""
    parsed = datetime.strptime(moment.text[:21], "%Y%m%d%H%M%S.%f")
    return parsed.replace(tzinfo=UTC).timestamp()


def interval_seconds(interval: CimDateTime) -> float | None:
    """Return the seconds of a CIM interval, None for what is none."""
    text = interval.text
    if len(text) != 25 or text[14] != "." or not text.endswith(":000"):
        return None
    parts = (text[:8], text[8:10], text[10:12], text[12:14], text[15:21])
    if not all(part.isdecimal() for part in parts):
        return None
    days, hours, minutes, seconds, micros = map(int, parts)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds + micros / 1_000_000
