"""How much may pass at which hour: rates by the days and hours of a clock on the wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

DAY: Final = 24 * 60
"""Minutes of a day."""
WEEK: Final = 7 * DAY
EVERY_DAY: Final = tuple(range(7))

_MINUTE = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=15)
"""A whole week, and another one where the clock is put forward over the hours in question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRate:
    """A line of a timetable: `rate` in bytes a second (None: no limit), on `days` from `begin` to `end`.

    Days count from Monday, 0; `begin` and `end` are minutes since midnight. Hours that end before they
    begin reach over midnight and belong to the day on which they begin.
    """

    rate: int | None
    days: tuple[int, ...] = EVERY_DAY
    begin: int = 0
    end: int = DAY

    @property
    def whole_days(self) -> bool:
        """Tell whether it counts from midnight to midnight."""
        return (self.begin, self.end) == (0, DAY)

    @property
    def always(self) -> bool:
        """Tell whether it fits at any time."""
        return self.whole_days and self.days == EVERY_DAY

    def fits(self, minute: int) -> bool:
        """Tell whether it counts in a minute of the week, the first of Monday being 0."""
        return any((minute - day * DAY - self.begin) % WEEK < self._length for day in self.days)

    def minutes(self) -> set[int]:
        """Return the minutes of the week in which it counts."""
        starts = (day * DAY + self.begin for day in self.days)
        return {(start + step) % WEEK for start in starts for step in range(self._length)}

    @property
    def _length(self) -> int:
        return (self.end - self.begin) % DAY or DAY


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rates by the clock on the wall: the first line that fits counts; where none does there is no limit."""

    lines: tuple[TimedRate, ...]

    @property
    def constant(self) -> bool:
        """Tell whether the rate is the same at all times."""
        return self.lines[0].always

    def rate_in(self, minute: int) -> int | None:
        """Return the rate in a minute of the week, in bytes a second."""
        return next((line.rate for line in self.lines if line.fits(minute)), None)

    def minutes_to_go(self, minute: int) -> int:
        """Return how long after a minute of the week the next line can begin or end, at least 1."""
        edges = {edge % DAY for line in self.lines for edge in (line.begin, line.end)} | {0}
        return min((edge - minute) % DAY or DAY for edge in edges)


@dataclass(frozen=True, slots=True)
class Limit:
    """A timetable by the clocks of a time zone (IANA's name), also where they skip or repeat an hour."""

    timetable: Timetable
    timezone: str = "UTC"

    def rate_at(self, moment: datetime) -> int | None:
        """Return the rate at an aware time in bytes a second, None where there is no limit."""
        return self.timetable.rate_in(_minute_of_week(self.local(moment)))

    def next_change(self, moment: datetime) -> datetime | None:
        """Return when after an aware time the rate is another one, in UTC; None: never."""
        if self.timetable.constant:
            return None
        zone = self._zone()
        before = self.rate_at(moment)
        moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
        end = moment + _LONGEST_WAIT
        while moment < end:
            wall = moment.astimezone(zone)
            later = moment + self.timetable.minutes_to_go(_minute_of_week(wall)) * _MINUTE
            if later.astimezone(zone).utcoffset() != wall.utcoffset():
                # The clock is put on or back before then, and who knows when.
                later = moment + _MINUTE
            moment = later
            if self.rate_at(moment) != before:
                return moment
        return None

    def local(self, moment: datetime) -> datetime:
        """Return an aware time as the clocks of the zone show it."""
        return moment.astimezone(self._zone())

    def _zone(self) -> tzinfo:
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.timezone)


def first_idle_line(lines: Sequence[TimedRate]) -> int | None:
    """Return the index of the first line that never counts, for those before it fit whenever it does."""
    taken: set[int] = set()
    for index, line in enumerate(lines):
        minutes = line.minutes()
        if minutes <= taken:
            return index
        taken |= minutes
    return None


def _minute_of_week(wall: datetime) -> int:
    return wall.weekday() * DAY + wall.hour * 60 + wall.minute
