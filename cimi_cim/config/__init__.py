"""The configuration: a YAML file, environment variables and flags, in rising precedence."""

from cimi_cim.config.load import load_config, target_of_flags
from cimi_cim.config.tables import (
    BreakerConfig,
    Config,
    HttpConfig,
    JobsConfig,
    PlacementConfig,
    TargetConfig,
)

__all__ = [
    "BreakerConfig",
    "Config",
    "HttpConfig",
    "JobsConfig",
    "PlacementConfig",
    "TargetConfig",
    "load_config",
    "target_of_flags",
]
