"""What probing found out about a server, as frozen data; a refusal is a fact, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cimi_cim.wbem.values import CimValue


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server did not answer a question, and what it said instead.

    `code` is the CIM status code (DSP0200), 0 where there is none.
    """

    text: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """A namespace with the names of its classes; `refusal` where it does not list them."""

    name: str
    classes: tuple[str, ...] = ()
    refusal: str = ""

    def has(self, classname: str) -> bool:
        """Whether it lists a class (any case)."""
        lowered = classname.lower()
        return any(name.lower() == lowered for name in self.classes)

    def named(self, classname: str) -> list[str]:
        """Return a class if it is there, or may be, else those that differ in the prefix alone."""
        if not self.classes or self.has(classname):
            return [classname]
        return self.others_named(classname)

    def others_named(self, classname: str) -> list[str]:
        """Return the classes that differ from one in the prefix alone."""
        prefix, _, suffix = classname.lower().partition("_")
        split = [(name, *name.lower().partition("_")) for name in self.classes]
        return [name for name, mine, _, rest in split if rest == suffix and mine != prefix]


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """A registered profile, and the classes and namespaces of its central instances.

    `refusal` says why there are none.
    """

    name: str
    version: str
    organization: str
    central: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service with its methods and what its capabilities say.

    `declared_by` is who says which methods there are: the server, or our declarations.
    """

    classname: str
    methods: tuple[str, ...] = ()
    declared_by: str = "nobody"
    capabilities: Mapping[str, Mapping[str, CimValue]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssociationFacts:
    """How an association class behaves: `enumerable`, `walk-only`, `empty`, `absent`, `unknown`.

    `walk-only`: it enumerates to nothing, or not at all, though a walk from an instance
    finds something. `empty`: neither finds anything. `why` explains.
    """

    classname: str
    behaviour: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A spelling of a unit, as found in instances; `is_read` if the bridge can read it."""

    classname: str
    property: str
    spelling: str
    count: int
    is_read: bool


@dataclass(frozen=True, slots=True)
class TimingFacts:
    """What one enumeration cost: instances, milliseconds, instances per second."""

    classname: str
    rows: int
    milliseconds: float
    rows_per_second: float


@dataclass(frozen=True, slots=True)
class AbilityFacts:
    """What the server can do. Property lists: `honoured`, `ignored`, `refused` or `unknown`.

    Pull operations: `works`, `refused`, `answered as the plain operation` or `unknown`.
    """

    pulls: str = "unknown"
    property_lists: str = "unknown"
    why: str = ""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What was seen of the provider's jobs."""

    classname: str
    count: int
    states: tuple[int, ...] = ()
    has_progress: bool = False
    has_errors: bool = False


@dataclass(frozen=True, slots=True)
class SoftwareFacts:
    """Which server dialect fits, how sure that is, and by what it was recognised."""

    dialect: str
    certainty: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """All of it. `interop` is empty where no namespace is one."""

    url: str
    interop: str
    namespaces: tuple[NamespaceFacts, ...]
    profiles: tuple[ProfileFacts, ...]
    implementation: str
    services: tuple[ServiceFacts, ...] = ()
    associations: tuple[AssociationFacts, ...] = ()
    abilities: AbilityFacts = field(default_factory=AbilityFacts)
    software: SoftwareFacts = field(default_factory=lambda: SoftwareFacts("generic", "a guess"))
    jobs: JobFacts | None = None
    units: tuple[UnitFacts, ...] = ()
    timings: tuple[TimingFacts, ...] = ()

    def classes(self, namespace: str) -> NamespaceFacts:
        """Return what is known of the classes of a namespace."""
        lowered = namespace.lower()
        for each in self.namespaces:
            if each.name.lower() == lowered:
                return each
        return NamespaceFacts(namespace, refusal="not asked")
