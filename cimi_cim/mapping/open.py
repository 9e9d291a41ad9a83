"""Opens the engine on configured targets."""

from __future__ import annotations

from collections.abc import Sequence

from cimi_cim.config import TargetConfig
from cimi_cim.mapping.compiler import load_mapping
from cimi_cim.mapping.engine import Engine
from cimi_cim.mapping.target import Target
from cimi_cim.model.types import Model
from cimi_cim.wbem.client import WbemClient
from cimi_cim.wbem.dialect import load_dialect
from cimi_cim.wbem.single_flight import SingleFlight
from cimi_cim.wbem.transport import ConnectionSettings


def open_engine(targets: Sequence[TargetConfig], model: Model) -> Engine:
    """Return the engine over all targets; no server is asked anything yet.

    Raises `ConfigError` for a mapping, dialect or URL that cannot be used.
    """
    return Engine([_open(target, model) for target in targets])


def _open(config: TargetConfig, model: Model) -> Target:
    mapping = load_mapping(config.mapping, model, beside=config.beside, settings=config.settings)
    settings = ConnectionSettings(
        config.url,
        config.user,
        config.password,
        config.ca,
        config.client_cert,
        config.client_key,
        config.verify,
        config.max_concurrency,
    )
    return Target(
        config.alias,
        SingleFlight(WbemClient(settings, load_dialect(config.server, config.beside))),
        mapping,
        namespaces=config.namespaces,
        max_concurrency=config.max_concurrency,
        action_wait_s=config.action_wait_s,
    )
