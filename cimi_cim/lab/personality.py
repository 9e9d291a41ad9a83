"""The vendor that the simulated server plays: names, units and states, from a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimi_cim.errors import ConfigError
from cimi_cim.lab.resources import Kind
from cimi_cim.resources import mof_folder
from cimi_cim.units import UnitError, parse_unit
from cimi_cim.wbem.values import CimValue
from cimi_cim.yaml_source import Node, load_file, nearest

SNAPSHOTTING = 12  # OperatingStatus
SHIPPED = Path(__file__).with_name("personality.yaml")


@dataclass(frozen=True, slots=True)
class State:
    """A state of a virtual system: whether it has devices, and the properties that show it."""

    is_active: bool
    properties: Mapping[str, CimValue]


@dataclass(frozen=True, slots=True)
class Transition:
    """A state change that may be requested; it takes `seconds` at pace 1."""

    request: int
    sources: frozenset[str]
    through: str
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What a machine may have of a resource, in the unit of its pool (a disk in bytes)."""

    minimum: int
    maximum: int
    default: int


@dataclass(frozen=True, slots=True)
class Personality:
    """Everything about the simulated server that differs between vendors."""

    name: str
    prefix: str
    mof_folders: tuple[Path, ...]
    host: str
    implementation: str
    interop: str
    memory_unit: str
    bytes_per_memory_unit: int
    has_jobs: bool
    states: Mapping[str, State]
    transitions: tuple[Transition, ...]
    population: tuple[str, ...]
    limits: Mapping[Kind, Limit]
    hot: Mapping[str, frozenset[Kind]]
    durations: Mapping[str, float]

    @property
    def system_types(self) -> tuple[str, ...]:
        """The types of virtual systems there are."""
        return (f"{self.name}-1",)

    def transition(self, state: str, request: int) -> Transition | None:
        """Return what the request does in a state, None if it is not allowed."""
        return next(
            (t for t in self.transitions if t.request == request and state in t.sources), None
        )

    def allowed(self, state: str) -> tuple[int, ...]:
        """Return the states that may be requested in a state."""
        return tuple(sorted({t.request for t in self.transitions if state in t.sources}))

    def is_steady(self, state: str) -> bool:
        """Whether a state is none on the way to another, and nothing is done to the system."""
        shown = self.states[state].properties
        return all(t.through != state for t in self.transitions) and (
            shown.get("OperatingStatus") != SNAPSHOTTING
        )


_Check = Callable[[Any], bool]
_TEXT: tuple[str, _Check] = ("text", lambda v: isinstance(v, str) and v != "")
_TEXTS: tuple[str, _Check] = ("a list of texts", lambda v: isinstance(v, list) and bool(v))
_TABLE: tuple[str, _Check] = ("a table", lambda v: isinstance(v, dict))
_SWITCH: tuple[str, _Check] = ("true or false", lambda v: isinstance(v, bool))
_WHOLE: tuple[str, _Check] = ("a whole number", lambda v: type(v) is int)
_NUMBER: tuple[str, _Check] = ("a number, 0 or more", lambda v: type(v) in (int, float) and v >= 0)
_LIST: tuple[str, _Check] = ("a list", lambda v: isinstance(v, list))

_TOP = {
    "name": _TEXT, "prefix": _TEXT, "mof": _TEXTS, "host": _TEXT, "namespaces": _TABLE,
    "memory_unit": _TEXT, "jobs": _SWITCH, "states": _TABLE, "transitions": _LIST,
    "population": _TEXTS, "limits": _TABLE, "hot": _TABLE, "work": _TABLE,
}  # fmt: skip
_NAMESPACES = {"impl": _TEXT, "interop": _TEXT}
_STATE = {"active": _SWITCH, "properties": _TABLE}
_TRANSITION = {
    "request": _WHOLE, "from": _TEXTS, "through": _TEXT, "to": _TEXT, "seconds": _NUMBER,
}  # fmt: skip
_AMOUNT: tuple[str, _Check] = ("a whole number, 1 or more", lambda v: type(v) is int and v > 0)
_LIMITED = {"processor": Kind.PROCESSOR, "memory": Kind.MEMORY, "disk": Kind.DISK}
_LIMITS = dict.fromkeys(_LIMITED, _TABLE)
_LIMIT = dict.fromkeys(("minimum", "maximum", "default"), _AMOUNT)
_KINDS = {kind.name.lower(): kind for kind in Kind}
_HOT = dict.fromkeys(("add", "remove", "change"), _LIST)
_WORK = dict.fromkeys(
    (
        "define", "destroy", "change", "add", "remove", "snapshot", "restore", "forget",
        "create", "resize", "return", "copy", "revert",
    ),
    _NUMBER,
)  # fmt: skip


def load_personality(path: Path = SHIPPED) -> Personality:
    """Read a personality. Raises `ConfigError` with file, line and the nearest name."""
    top = _fields(load_file(path), _TOP)
    namespaces = _fields(top["namespaces"], _NAMESPACES)
    states = {name: _state(node) for name, node in top["states"].items()}
    transitions = tuple(_transition(node, states) for node in _nodes(top["transitions"]))
    for node in _nodes(top["population"]):
        _known(node, states)
    unit = top["memory_unit"]
    try:
        parsed = parse_unit(str(unit.value))
    except UnitError as exc:
        raise ConfigError(f"{unit.where}: {exc}") from exc
    if parsed.base != "byte":
        raise ConfigError(f"{unit.where}: memory is counted in bytes, not in {parsed.base}")
    return Personality(
        name=str(top["name"].value),
        prefix=str(top["prefix"].value),
        mof_folders=tuple(_folder(str(n.value), path) for n in _nodes(top["mof"])),
        host=str(top["host"].value),
        implementation=str(namespaces["impl"].value),
        interop=str(namespaces["interop"].value),
        memory_unit=str(unit.value),
        bytes_per_memory_unit=int(parsed.factor),
        has_jobs=top["jobs"].value is True,
        states=states,
        transitions=transitions,
        population=tuple(str(node.value) for node in _nodes(top["population"])),
        limits=_limits(top["limits"], int(parsed.factor)),
        hot={
            name: frozenset(_kind(item) for item in _nodes(node))
            for name, node in _fields(top["hot"], _HOT).items()
        },
        durations={n: float(node.plain()) for n, node in _fields(top["work"], _WORK).items()},
    )


def _limits(node: Node, bytes_per_memory_unit: int) -> dict[Kind, Limit]:
    found = {}
    for name, table in _fields(node, _LIMITS).items():
        amounts = {key: int(amount.plain()) for key, amount in _fields(table, _LIMIT).items()}
        unit = bytes_per_memory_unit if name == "memory" else 1
        limit = Limit(**{key: -(-amount // unit) for key, amount in amounts.items()})
        if not limit.minimum <= limit.default <= limit.maximum:
            raise ConfigError(f"{table.where}: the default of {name} is outside of its limits")
        found[_LIMITED[name]] = limit
    return found


def _kind(node: Node) -> Kind:
    name = str(node.value)
    if name not in _KINDS:
        raise ConfigError(f"{node.where}: no resource is {name!r}{nearest(name, list(_KINDS))}")
    return _KINDS[name]


def _fields(node: Node, known: dict[str, tuple[str, _Check]]) -> dict[str, Node]:
    """Return the entries of a table that must all be there, each of its kind."""
    found = dict(node.items())
    for key, value in found.items():
        if key not in known:
            place = (node.key_places or {}).get(key, node.where)
            raise ConfigError(f"{place}: unknown key {key!r}{nearest(key, list(known))}")
        if not known[key][1](value.value):
            raise ConfigError(f"{value.where}: {key} must be {known[key][0]}")
    for key in known:
        if key not in found:
            raise ConfigError(f"{node.where}: {key!r} is missing")
    return found


def _nodes(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else []


def _state(node: Node) -> State:
    fields = _fields(node, _STATE)
    properties = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields["properties"].plain().items()
    }
    return State(fields["active"].value is True, properties)


def _known(node: Node, states: Mapping[str, State]) -> str:
    name = str(node.value)
    if name not in states:
        raise ConfigError(f"{node.where}: no state is called {name!r}{nearest(name, list(states))}")
    return name


def _transition(node: Node, states: Mapping[str, State]) -> Transition:
    fields = _fields(node, _TRANSITION)
    return Transition(
        int(fields["request"].plain()),
        frozenset(_known(source, states) for source in _nodes(fields["from"])),
        _known(fields["through"], states),
        _known(fields["to"], states),
        float(fields["seconds"].plain()),
    )


def _folder(name: str, beside: Path) -> Path:
    return beside.parent / name if name.endswith("/") else mof_folder() / name
