"""What the home page and the feeds show of a root, as values: made by the store, written by `pages`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from jwstwatch.core.site import ProposalSummary, WaitingPlan

DAYS_SHOWN = 90
"""Days that the plots reach back from the newest thing that happened."""

HOURS_SHOWN = 7 * 24
"""Hours before the newest arrival that are told one by one: from them a reader's clock makes its week."""

NEWS_SHOWN = 100
"""Entries of the feeds, at most."""

NAMES_SHOWN = 50
"""File names of one entry, at most."""


class Fate(StrEnum):
    """What an arrival is to the people who read of it."""

    NEW = "new"
    REPROCESSED = "reprocessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyArrivals:
    """What was put in place of one proposal (0: not known) in the hour that begins at `hour`, in UTC."""

    hour: datetime
    proposal: int
    files: int
    size: int
    """Bytes of these files."""
    reprocessed: int
    """Those of the files that took the place of an older revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyArrivals:
    """What was put in place on a day (UTC), and the bytes that lay on disk at its end."""

    day: date
    files: int
    size: int
    reprocessed: int
    on_disk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A fact of a reprocessed file that has another value now: `pipeline` or `context`."""

    name: str
    former: str
    present: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsEntry:
    """The files of one APT observation that one run put in place: an entry of the feeds.

    Times are those of its first and its last file; `size` in bytes.
    """

    identity: str
    """`urn:uuid:..`: the same at every look, in no other root, and without a host's name."""
    fate: Fate
    proposal: int | None
    obsnum: int | None
    published: datetime
    updated: datetime
    files: int
    size: int
    names: tuple[str, ...]
    """The first few, by name."""
    changes: tuple[Change, ...] = ()
    """What is stated to be different since a reprocessing."""
    more: bool = False
    """The run brought so much that not all of it was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What came into a root, and when: hours newest first, days oldest first, news newest first."""

    hours: tuple[HourlyArrivals, ...] = ()
    days: tuple[DailyArrivals, ...] = ()
    """Those of the last `DAYS_SHOWN` on which something arrived or went."""
    before: int = 0
    """Bytes that lay on disk before the first of the days."""
    news: tuple[NewsEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLine:
    """A profile that writes into the root, as its readers are told of it."""

    name: str
    enabled: bool
    schedule: str
    """`every 6h`, `cron 15 */6 * * * (UTC)`, `off`, `by hand`."""
    selects: tuple[tuple[str, str], ...]
    """What it selects: a word such as `Instruments`, and its values in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """Everything that the home page and the feeds of a root show. No clock is in it."""

    root: Path
    identity: str
    """The uuid of the root."""
    index: tuple[ProposalSummary, ...]
    waiting: tuple[WaitingPlan, ...] = ()
    arrivals: Arrivals = Arrivals()
    profiles: tuple[ProfileLine, ...] = ()


def beginning_of_hour(moment: datetime) -> datetime:
    """Return the beginning of the hour (UTC) in which an aware time lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def fill_days(arrivals: Arrivals, *, fewest: int = 1) -> list[DailyArrivals]:
    """Return every day to the last one on which something happened, so many at least; none if none did.

    Between two of them, and before the first, the disk stayed as it was.
    """
    if not arrivals.days:
        return []
    last = arrivals.days[-1].day
    first = min(arrivals.days[0].day, last - timedelta(days=fewest - 1))
    known = {entry.day: entry for entry in arrivals.days}
    filled: list[DailyArrivals] = []
    on_disk = arrivals.before
    for step in range((last - first).days + 1):
        day = first + timedelta(days=step)
        entry = known.get(day) or DailyArrivals(day=day, files=0, size=0, reprocessed=0, on_disk=on_disk)
        on_disk = entry.on_disk
        filled.append(entry)
    return filled
