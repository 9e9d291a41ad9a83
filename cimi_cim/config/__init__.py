"""The configuration: a YAML file, environment variables and flags, in rising precedence."""

from cimi_cim.config.load import load_config
from cimi_cim.config.tables import Config, HttpConfig, JobsConfig, TargetConfig

__all__ = ["Config", "HttpConfig", "JobsConfig", "TargetConfig", "load_config"]
