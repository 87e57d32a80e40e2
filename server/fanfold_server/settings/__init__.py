"""What a person sets: options over the environment over a TOML file over defaults, read once at the edge."""

from .settings import MAX_USD_PER_DAY, MAX_USD_PER_RUN, Engine, Provider, Settings, default_home

__all__ = ["MAX_USD_PER_DAY", "MAX_USD_PER_RUN", "Engine", "Provider", "Settings", "default_home"]
