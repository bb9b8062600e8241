"""The configuration: YAML and environment to settings (`load`, `one_off`)."""

from jwstwatch.config.loading import load, one_off
from jwstwatch.config.settings import MastSettings, Profile, Settings

__all__ = ["MastSettings", "Profile", "Settings", "load", "one_off"]
