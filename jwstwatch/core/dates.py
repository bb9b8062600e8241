"""Times: MJD, aware UTC and ISO text, and the ranges that `date_select` stands for.

MJD is taken as UTC with days of 86,400 s, as the archive's t_min is; leap seconds are not counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from jwstwatch.core.ranges import describe_limits, split_limits

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_LAST_ROUNDED = datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=500)

DateValue = str | float | date
"""One value of `date_select` as a shell or a YAML file hands it over (a datetime is a date)."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """Times from `minimum` to `maximum` in MJD, both included; None is no limit."""

    minimum: float | None = None
    maximum: float | None = None

    def __contains__(self, mjd: float) -> bool:
        return (self.minimum is None or self.minimum <= mjd) and (self.maximum is None or mjd <= self.maximum)

    def __str__(self) -> str:
        limits = (None if limit is None else mjd_to_iso(limit) for limit in (self.minimum, self.maximum))
        return describe_limits(*limits)


def from_mjd(mjd: float) -> datetime:
    """Return an MJD as an aware UTC time, to the microsecond; ValueError where a calendar has no such day."""
    try:
        return MJD_EPOCH + timedelta(days=mjd)
    except (OverflowError, ValueError):
        raise ValueError(f"MJD {mjd} is no day of the calendar") from None


def to_mjd(moment: datetime) -> float:
    """Return an aware time as MJD (UTC); ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - MJD_EPOCH) / timedelta(days=1)


def to_iso(moment: datetime) -> str:
    """Write an aware time as `2022-02-13T22:58:32.378Z`, to the millisecond."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    moment = moment.astimezone(UTC)
    if moment <= _LAST_ROUNDED:
        moment += timedelta(microseconds=500)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def mjd_to_iso(mjd: float) -> str:
    """Write an MJD as ISO time with Z, to the millisecond."""
    return to_iso(from_mjd(mjd))


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 date or time; without a zone it is UTC. ValueError for anything else."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no ISO date or time such as 2022-07-12 or 2022-07-12T15:00:00"
        ) from None


def parse_date_select(values: DateValue | Sequence[DateValue]) -> DateRange:
    """Read `date_select`: one value exact, `V+` or `V-` a limit, two values a range; each MJD or ISO.

    One string may hold two values with a blank between them. Nothing at all is no limit.
    Raises ValueError with a sentence that says what is wrong.
    """
    given = [values] if isinstance(values, str | float | int | date) else values
    words = [word for value in given for word in _split(_text(value))]
    if not words:
        return DateRange()
    low, high = split_limits(words)
    minimum, maximum = _read_limit(low), _read_limit(high)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError(f"the date range {' '.join(words)} ends before it begins")
    return DateRange(minimum, maximum)


_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_CLOCK = re.compile(r"\d\d:\d\d.*", re.ASCII)


def _text(value: DateValue) -> str:
    if isinstance(value, bool):
        raise ValueError(f"{value} is no date")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return datetime.combine(value, time()).isoformat()
    return str(value)


def _split(text: str) -> list[str]:
    """Split at blanks, except at one between a date and its time of day."""
    words: list[str] = []
    for word in text.split():
        if words and _CLOCK.fullmatch(word) and "-" in words[-1] and "T" not in words[-1].upper():
            words[-1] += f"T{word}"
        else:
            words.append(word)
    return words


def _read_limit(text: str | None) -> float | None:
    if text is None:
        return None
    if _NUMBER.fullmatch(text):
        mjd = float(text)
        from_mjd(mjd)
        return mjd
    if "-" not in text:
        raise ValueError(f"{text!r} is neither an MJD nor an ISO date such as 2022-07-12")
    return to_mjd(parse_iso(text))


def iso(moment: datetime | None) -> str | None:
    """Write a time as the JSON contract has it: ISO 8601 with Z, to the second; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
