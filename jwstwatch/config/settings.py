"""What the configuration says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from jwstwatch.config.documents import suggest
from jwstwatch.core.parameter_kinds import Maybe
from jwstwatch.core.parameter_scalars import Integer
from jwstwatch.core.parameter_table import (
    EXPLICIT_LAYERS,
    Group,
    Source,
    Specification,
    parameter,
    specifications,
)
from jwstwatch.core.parameter_units import Rate, Seconds, Server
from jwstwatch.core.parameters import Parameters
from jwstwatch.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A typed value and where it was written; `warning` is told where the value comes into effect."""

    value: object
    source: Source
    warning: str = ""


Values: TypeAlias = Mapping[str, Setting]
"""The settings of one layer, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MastSettings:
    """How the archive is spoken to. `timeout` in seconds, `bandwidth` in bytes per second."""

    server: str = parameter(
        Server(),
        "https://mast.stsci.edu",
        "The only host that is contacted.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    connections: int = parameter(
        Integer(1, 64, "a number of connections"),
        6,
        "Files that are fetched at the same time.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    timeout: float = parameter(
        Seconds(),
        60.0,
        "Seconds without an answer or a byte after which the archive counts as silent.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    bandwidth: int | None = parameter(
        Maybe(Rate()),
        None,
        "Most that is received in a second, over all connections; empty: no limit.",
        group=Group.ARCHIVE,
        legacy=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """How the daemon shares the machine; `log_format` is `text` or `json`."""

    at_once: int = 2
    log_format: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Who is told what: `to` are apprise's URLs, which may hold passwords; `when` the kinds of news.

    `digest` is the minute of the day (UTC) at which a summary is sent, None for none.
    """

    to: tuple[str, ...] = field(default=(), repr=False)
    when: tuple[str, ...] = ("new", "reprocessed", "failures", "archive", "token")
    digest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Commands that are run when something happened; `timeout` in seconds."""

    after_file: str | None = None
    after_observation: str | None = None
    after_run: str | None = None
    on_error: str | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Where Prometheus finds figures: a text file, and a loopback address as (host, port)."""

    file: Path | None = None
    listen: tuple[str, int] | None = None


MAST_PARAMETERS: Mapping[str, Specification] = specifications(MastSettings)
"""Every key below `mast:`."""


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
    heartbeat: str | None = field(default=None, repr=False)
    """A URL that is asked for after each good round; whoever knows it can pretend to be us."""
    hooks: HookSettings = field(default_factory=HookSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where `state`, and `mast.*` come from."""
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
