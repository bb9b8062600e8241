"""What the configuration says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Final, TypeAlias

from jwstwatch.config.documents import suggest
from jwstwatch.config.section_settings import (
    SECTION_PARAMETERS,
    DaemonSettings,
    HookSettings,
    MastSettings,
    MetricsSettings,
    NotifySettings,
)
from jwstwatch.core.parameter_kinds import Maybe, Plain
from jwstwatch.core.parameter_secrets import WebAddress
from jwstwatch.core.parameter_table import (
    EXPLICIT_LAYERS,
    Group,
    Source,
    Specification,
    parameter,
    specifications,
)
from jwstwatch.core.parameters import Parameters
from jwstwatch.errors import UsageError

__all__ = [
    "FILE_PARAMETERS",
    "TOP_PARAMETERS",
    "DaemonSettings",
    "HookSettings",
    "MastSettings",
    "MetricsSettings",
    "NotifySettings",
    "Profile",
    "Setting",
    "Settings",
    "Values",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A typed value and where it was written; `warning` is told where the value comes into effect."""

    value: object
    source: Source
    warning: str = ""


Values: TypeAlias = Mapping[str, Setting]
"""The settings of one layer, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A saved query with its effective values; the one of a one-off command or a legacy file has no name."""

    name: str
    parameters: Parameters
    sources: Mapping[str, Source] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def explicit(self, name: str) -> bool:
        """Return whether the value was meant for this query: typed, or of the profile or the old file."""
        source = self.sources.get(name)
        return source is not None and source.layer in EXPLICIT_LAYERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the configuration and the environment say; `profiles` in the order of the file."""

    path: Path | None
    """Our configuration file; None where there is none."""
    state_url: str = field(repr=False)
    """An SQLAlchemy URL; it may hold a password."""
    mast: MastSettings
    profiles: Mapping[str, Profile]
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    heartbeat: str | None = parameter(
        Maybe(WebAddress()),
        None,
        "URL that is asked for after each good round, so that silence is noticed elsewhere; empty: none.",
        group=Group.SERVICE,
        legacy=False,
        secret=True,
    )
    hooks: HookSettings = field(default_factory=HookSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    warnings: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    """Addresses that count as left out, as they name variables which only the service's environment has."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where `state` and each of `FILE_PARAMETERS` come from."""
    legacy_path: Path | None = None
    """The old configuration file that was given, if one was."""
    folder: Path = field(default_factory=Path)
    """What typed folders are relative to."""
    base: tuple[Values, ...] = field(default=(), repr=False)
    """What a one-off command starts from: built-in, then `defaults:` or the legacy file."""

    def profile(self, name: str) -> Profile:
        """Return the profile of that name, or raise `UsageError` naming those there are."""
        if name in self.profiles:
            return self.profiles[name]
        known = ", ".join(self.profiles) or "none"
        where = f" in {self.path}" if self.path else ""
        raise UsageError(
            f"there is no profile {name!r}{where}{suggest(name, tuple(self.profiles))}",
            hint=f"The profiles are: {known}.",
        )

    def shown(self) -> dict[str, Plain]:
        """Return the value of each of `FILE_PARAMETERS` as it may be shown: without anything secret."""
        return {
            path: specification.show(reduce(getattr, path.split("."), self))
            for path, specification in FILE_PARAMETERS.items()
        }


TOP_PARAMETERS: Final[Mapping[str, Specification]] = specifications(Settings)
"""Every parameter that stands at the top of the file, outside of any section."""

FILE_PARAMETERS: Final[Mapping[str, Specification]] = {
    **{
        f"{section}.{name}": specification
        for section, table in SECTION_PARAMETERS.items()
        for name, specification in table.items()
    },
    **TOP_PARAMETERS,
}
"""Every parameter that belongs to the file as a whole, by its dotted path."""
