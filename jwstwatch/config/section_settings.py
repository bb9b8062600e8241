"""What each section of the configuration file holds: the archive, the daemon, messages, hooks, figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from jwstwatch.core.parameter_addresses import Bucket, LoopbackAddress, Server
from jwstwatch.core.parameter_kinds import Maybe, Several
from jwstwatch.core.parameter_scalars import Choice, File, Integer
from jwstwatch.core.parameter_secrets import CommandLine, MessageAddresses, TokenFile
from jwstwatch.core.parameter_table import Group, Specification, parameter, specifications
from jwstwatch.core.parameter_timetables import Rates
from jwstwatch.core.parameter_units import Keeping, MinuteOfDay, Seconds, TimeZone
from jwstwatch.core.timetables import Limit, Timetable

_COMMAND: Final = Maybe(CommandLine())
NEWS: Final = ("new", "reprocessed", "failures", "archive", "token")
"""The kinds of news that `notify.when` chooses from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MastSettings:
    """How the archive is spoken to. `timeout` in seconds; `limit` is the bandwidth as it is to be kept."""

    server: str = parameter(
        Server(),
        "https://mast.stsci.edu",
        "The only host that is contacted, beside those that notify and heartbeat name, "
        "and mast.cloud_server with cloud: prefer.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    connections: int = parameter(
        Integer(1, 64, "a number of connections"),
        6,
        "Files that are fetched at the same time, over all profiles.",
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
    bandwidth: Timetable | None = parameter(  # noqa: RUF009
        Maybe(Rates()),
        None,
        "Most that is received in a second, over all connections; of a list the first line whose days and "
        "hours fit counts, without one there is no limit. Hours over midnight belong to the day on which "
        "they begin. Empty: no limit.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    timezone: str = parameter(
        TimeZone(),
        "UTC",
        "Time zone that the days and hours of `mast.bandwidth` are meant in.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    cloud: str = parameter(
        Choice(("never", "prefer")),
        "never",
        "Whether public files are fetched from the cloud's bucket where it has them: never, or prefer; "
        "what it lacks comes from mast.server.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    cloud_server: str = parameter(
        Bucket(),
        "https://stpubdata.s3.us-east-1.amazonaws.com",
        "The public bucket, with its name in host or path; contacted with cloud: prefer only, "
        "never with the token.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    keywords: str = parameter(
        Choice(("ask", "never")),
        "ask",
        "Whether the file-keyword services are asked once a day for checksums and pipeline versions of FITS "
        "files: ask, or never. Nothing depends on their answer.",
        group=Group.ARCHIVE,
        legacy=False,
    )
    token_file: Path | None = parameter(  # noqa: RUF009
        Maybe(TokenFile()),
        None,
        "File with a MAST token on one line, mode 0640 or less, read again at each run. "
        "The option --token-file names another.",
        group=Group.ARCHIVE,
        legacy=False,
    )

    @property
    def limit(self) -> Limit | None:
        """Return the bandwidth by the clocks of its time zone."""
        return None if self.bandwidth is None else Limit(self.bandwidth, self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """How the daemon shares the machine; `log_format` is `text` or `json`.

    `keep_runs` is how long runs are remembered, None for always.
    """

    at_once: int = parameter(
        Integer(1, 64, "a number of profiles"),
        2,
        "Profiles that the daemon runs at the same time; they share the connections.",
        group=Group.SERVICE,
        legacy=False,
    )
    log_format: str = parameter(
        Choice(("text", "json")),
        "text",
        "Form of the daemon's log on standard error; the option --log-format wins over it.",
        group=Group.SERVICE,
        legacy=False,
    )
    keep_runs: timedelta | None = parameter(  # noqa: RUF009
        Keeping(timedelta(days=30)),
        timedelta(days=730),
        "How long the daemon keeps runs that did nothing to any file (`jwstwatch runs`), and notices that "
        "are over; always: for ever. The last hundred runs of every profile, and the history of every file, "
        "stay.",
        group=Group.SERVICE,
        legacy=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Who is told what: `to` are apprise's URLs, which may hold passwords; `when` the kinds of news.

    `digest` is the minute of the day (UTC) at which a summary is sent, None for none.
    """

    to: tuple[str, ...] = parameter(
        MessageAddresses(),
        (),
        "Where messages go; none: nobody is told. `pip install 'jwstwatch[notify]'` brings apprise.",
        group=Group.SERVICE,
        legacy=False,
        secret=True,
    )
    when: tuple[str, ...] = parameter(
        Several(Choice(NEWS)),
        NEWS,
        "What is told at once: new and reprocessed data, failures, the archive down and back, "
        "the token rejected or about to expire.",
        group=Group.SERVICE,
        legacy=False,
    )
    digest: int | None = parameter(
        Maybe(MinuteOfDay()),
        None,
        "When a summary of the last day is sent, in UTC; empty: never.",
        group=Group.SERVICE,
        legacy=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Commands that are run when something happened; `timeout` in seconds."""

    after_file: str | None = parameter(
        _COMMAND,
        None,
        "Run after each file that arrived, verified and in its place.",
        group=Group.SERVICE,
        legacy=False,
        literal=True,
    )
    after_observation: str | None = parameter(
        _COMMAND,
        None,
        "Run after each observation of which everything selected is there.",
        group=Group.SERVICE,
        legacy=False,
        literal=True,
    )
    after_run: str | None = parameter(
        _COMMAND,
        None,
        "Run after each run, whatever its outcome.",
        group=Group.SERVICE,
        legacy=False,
        literal=True,
    )
    on_error: str | None = parameter(
        _COMMAND,
        None,
        "Run after each run that failed, or in which something did.",
        group=Group.SERVICE,
        legacy=False,
        literal=True,
    )
    timeout: float = parameter(
        Seconds(),
        60.0,
        "Seconds after which a command is ended.",
        group=Group.SERVICE,
        legacy=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Where Prometheus finds figures: a text file, and a loopback address as (host, port)."""

    file: Path | None = parameter(  # noqa: RUF009
        Maybe(File()),
        None,
        "Text file for the node exporter's textfile collector, such as .../jwstwatch.prom; empty: none.",
        group=Group.SERVICE,
        legacy=False,
    )
    listen: tuple[str, int] | None = parameter(
        Maybe(LoopbackAddress()),
        None,
        "Loopback address that answers /metrics and /healthz; empty: none.",
        group=Group.SERVICE,
        legacy=False,
    )


SECTIONS: Final[Mapping[str, type]] = {
    "mast": MastSettings,
    "daemon": DaemonSettings,
    "notify": NotifySettings,
    "hooks": HookSettings,
    "metrics": MetricsSettings,
}
"""The sections of our file that have keys of their own, each with what it is read into."""

SECTION_PARAMETERS: Final[Mapping[str, Mapping[str, Specification]]] = {
    name: specifications(section) for name, section in SECTIONS.items()
}
"""Every key of each section."""
