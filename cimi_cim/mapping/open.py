"""Opens the engine on configured targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cimi_cim.config import BreakerConfig, PlacementConfig, TargetConfig
from cimi_cim.errors import CimiCimError, ConfigError
from cimi_cim.mapping.choosing import Rule
from cimi_cim.mapping.compiled import CompiledMapping
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.problems import MappingError
from cimi_cim.mapping.target import Target
from cimi_cim.mapping.threads import Crew
from cimi_cim.model.types import Model
from cimi_cim.wbem.breaker import BreakerSettings
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import Dialect, load_dialect
from cimi_cim.wbem.single_flight import SingleFlight
from cimi_cim.wbem.tracing import TracingGateway
from cimi_cim.wbem.transport import ConnectionSettings
from cimi_cim.yaml_source import nearest

T = TypeVar("T")


def open_engine(
    targets: Sequence[TargetConfig],
    model: Model,
    breaker: BreakerConfig | None = None,
    placement: PlacementConfig | None = None,
) -> Engine:
    """Return the engine over all targets; no server is asked anything yet.

    Raises `ConfigError` with every mapping, dialect and URL that cannot be used.
    """
    mistakes: list[str] = []
    crew, breaker, mappings = Crew("wbem"), breaker or BreakerConfig(), _Mappings(model)
    opened = [_open(target, mappings, breaker, crew, mistakes) for target in targets]
    if mistakes:
        for target in opened:
            if target is not None:
                target.close()
        raise ConfigError("\n".join(dict.fromkeys(mistakes)))
    placement = placement or PlacementConfig()
    return Engine(
        [target for target in opened if target is not None],
        crew=crew,
        rule=Rule(placement.rule, placement.labels),
    )


class _Mappings:
    """Compiled mappings: many targets share few of them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made: dict[Any, CompiledMapping | CimiCimError] = {}

    def __call__(self, config: TargetConfig) -> CompiledMapping:
        """Return a target's mapping. Raises `MappingError` and `ConfigError`."""
        key = (config.mapping, config.beside, repr(sorted(config.settings.items())))
        if key not in self._made:
            try:
                self._made[key] = load_mapping(
                    config.mapping, self._model, beside=config.beside, settings=config.settings
                )
            except (MappingError, ConfigError) as exc:
                self._made[key] = exc
        found = self._made[key]
        if isinstance(found, CimiCimError):
            raise found
        return found


def check_namespaces(config: TargetConfig, mapping: CompiledMapping) -> None:
    """Raise `ConfigError` if a target says where a namespace is that its mapping does not have.

    `interop` may always be said: a mapping need not name it for profiles to be looked up there.
    """
    known = sorted({*mapping.namespaces, "impl", "interop"})
    mistakes = [
        f"the mapping {mapping.name} has no namespace {name!r}{nearest(name, known)}"
        for name in config.namespaces
        if name not in known
    ]
    if mistakes:
        raise ConfigError("\n".join(mistakes))


def _open(
    config: TargetConfig,
    mappings: _Mappings,
    breaker: BreakerConfig,
    crew: Crew,
    mistakes: list[str],
) -> Target | None:
    def made(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except MappingError as exc:  # has places of its own
            mistakes.extend(exc.message.splitlines())
        except ConfigError as exc:
            lines = exc.message.splitlines()
            mistakes.extend(f"target {config.alias}: {line}" for line in lines)
        return None

    mapping = made(lambda: mappings(config))
    dialect = made(lambda: load_dialect(config.server, config.beside))
    client = made(lambda: WbemClient(connection_of(config), dialect or Dialect("")))
    if mapping is None or dialect is None or client is None:
        return None
    made(lambda: check_namespaces(config, mapping))
    return Target(
        config.alias,
        SingleFlight(TracingGateway(client, config.alias)),
        mapping,
        namespaces=config.namespaces,
        max_concurrency=config.max_concurrency,
        action_wait_s=config.action_wait_s,
        deadline_s=config.deadline_s,
        crew=crew,
        breaker=_breaker(config, breaker),
        labels=config.labels,
    )


def _breaker(config: TargetConfig, common: BreakerConfig) -> BreakerSettings:
    """What is said of one target goes before what is said of all."""
    said = replace(common, **config.breaker)
    return BreakerSettings(
        said.failures,
        min(config.deadline_s / 2, said.silence_s),
        said.probe_s,
        max(said.probe_s, said.longest_probe_s),
    )


def connection_of(config: TargetConfig) -> ConnectionSettings:
    """Return where a target's WBEM server is, and how to prove who we are."""
    return ConnectionSettings(
        config.url,
        config.user,
        config.password,
        config.ca,
        config.client_cert,
        config.client_key,
        config.verify,
        config.max_concurrency,
        config.max_reply_mib * 2**20,
    )
