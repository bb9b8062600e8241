"""Kinds of values about time: durations, seconds, times of day, schedules, time zones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from jwstwatch.core.parameter_kinds import Plain, ScalarKind, ValueNotAllowedError, shown

_SECOND = 1_000_000
_UNITS = {
    "y": 365 * 86_400 * _SECOND,
    "w": 604_800 * _SECOND,
    "d": 86_400 * _SECOND,
    "h": 3_600 * _SECOND,
    "min": 60 * _SECOND,
    "s": _SECOND,
}
_SPELLINGS = {
    "y": "y", "year": "y", "years": "y",
    "w": "w", "week": "w", "weeks": "w",
    "d": "d", "day": "d", "days": "d",
    "h": "h", "hour": "h", "hours": "h",
    "min": "min", "mins": "min", "minute": "min", "minutes": "min",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
}  # fmt: skip
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-z]+)\s*")
NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")
BILLION = 10**9

LONGEST = timedelta(days=3660)


def format_duration(duration: timedelta) -> str:
    """Return a duration in the largest unit that divides it: `6h`, `90min`, `14d`."""
    microseconds = duration // timedelta(microseconds=1)
    for unit in ("d", "h", "min", "s"):
        if microseconds and microseconds % _UNITS[unit] == 0:
            return f"{microseconds // _UNITS[unit]}{unit}"
    return f"{microseconds / _SECOND:.6f}".rstrip("0").rstrip(".") + "s"


def read_duration(text: str) -> timedelta | None:
    """Return the duration that `text` writes with units (`6h`, `90 min`, `1d 12h`), or None if it is none."""
    position, total = 0, 0
    text = text.strip().lower()
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part[2] not in _SPELLINGS:
            return None
        total += billionths(part[1]) * _UNITS[_SPELLINGS[part[2]]]
        position = part.end()
    microseconds = total // BILLION
    if not text or microseconds > LONGEST // timedelta(microseconds=1):
        return None
    return timedelta(microseconds=microseconds)


def billionths(number: str) -> int:
    """Return a decimal number of at most nine places times 10**9, exactly (and without loading fractions)."""
    whole, _, places = number.partition(".")
    return int(whole + places.ljust(9, "0"))


@dataclass(frozen=True, slots=True)
class Duration(ScalarKind[timedelta]):
    """A length of time with its unit; a bare number is refused, since nobody can tell its unit."""

    shortest: timedelta = timedelta(0)

    @property
    def allowed(self) -> str:
        least = f" of at least {format_duration(self.shortest)}" if self.shortest else ""
        return f"a duration{least} such as 90 min, 6h or 7d"

    @property
    def placeholder(self) -> str:
        return "DURATION"

    def read_text(self, text: str) -> timedelta:
        if NUMBER.fullmatch(text) and float(text):
            raise ValueNotAllowedError(f"{shown(text)} has no unit: write {text}h or {text}d, for example")
        duration = timedelta(0) if NUMBER.fullmatch(text) else read_duration(text)
        if duration is None or duration < self.shortest:
            raise self.refusal(text)
        return duration

    def write(self, value: timedelta) -> Plain:
        return format_duration(value)


@dataclass(frozen=True, slots=True)
class Keeping(ScalarKind[timedelta | None]):
    """How long something is kept: a duration, or None for `always`."""

    shortest: timedelta

    @property
    def allowed(self) -> str:
        return f"a duration of at least {format_duration(self.shortest)} such as 90d or 2y, or always"

    @property
    def placeholder(self) -> str:
        return "DURATION"

    def read_text(self, text: str) -> timedelta | None:
        if text.lower() == "always":
            return None
        return Duration(self.shortest).read_text(text)

    def write(self, value: timedelta | None) -> Plain:
        return "always" if value is None else format_duration(value)


class Seconds(ScalarKind[float]):
    """A number of seconds, with or without its unit."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a number of seconds from 0.1 to 3600"

    @property
    def placeholder(self) -> str:
        return "SECONDS"

    def read_text(self, text: str) -> float:
        if NUMBER.fullmatch(text):
            seconds = float(text)
        else:
            duration = read_duration(text)
            if duration is None:
                raise self.refusal(text)
            seconds = duration.total_seconds()
        if not 0.1 <= seconds <= 3600:
            raise self.refusal(text)
        return seconds

    def write(self, value: float) -> Plain:
        return int(value) if value.is_integer() else value


class MinuteOfDay(ScalarKind[int]):
    """A time of day in hours and minutes, kept as the minutes since midnight."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a time of day from 00:00 to 23:59"

    @property
    def placeholder(self) -> str:
        return "HH:MM"

    def read_text(self, text: str) -> int:
        match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
        if match is None:
            raise self.refusal(text)
        return 60 * int(match[1]) + int(match[2])

    def write(self, value: int) -> Plain:
        return f"{value // 60:02}:{value % 60:02}"


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_CRON_PART = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?")


def _cron_number(word: str, lowest: int, names: tuple[str, ...]) -> int | None:
    if word.isdigit():
        return int(word)
    return names.index(word) + lowest if word in names else None


def _cron_part_is_valid(part: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None or (match[3] is not None and not 1 <= int(match[3]) <= highest):
        return False
    if match[1] is None:
        return True
    first = _cron_number(match[1], lowest, names)
    last = _cron_number(match[2], lowest, names) if match[2] is not None else first
    return first is not None and last is not None and lowest <= first <= last <= highest


_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _never_comes(days: str, months: str, weekdays: str) -> bool:
    """Return whether valid fields name days that no named month has, such as 30 February."""
    if weekdays != "*":
        return False
    earliest = min(_limits(part, 1, 31, ())[0] for part in days.split(","))
    longest = 0
    for part in months.split(","):
        first, last = _limits(part, 1, 12, _MONTHS)
        step = int(part.partition("/")[2] or 1)
        # As a crontab has it: 2/3 is from February on, every third month.
        last = 12 if "/" in part and "-" not in part else last
        longest = max(longest, *(_LENGTHS[month - 1] for month in range(first, last + 1, step)))
    return earliest > longest


def _limits(part: str, lowest: int, highest: int, names: tuple[str, ...]) -> tuple[int, int]:
    """Return first and last number of a valid part."""
    match = _CRON_PART.fullmatch(part)
    if match is None or match[1] is None:
        return lowest, highest
    first = _cron_number(match[1], lowest, names) or lowest
    last = _cron_number(match[2], lowest, names) if match[2] is not None else first
    return first, last or highest


class Cron(ScalarKind[str]):
    """Five fields as in a crontab: minute, hour, day of the month, month, day of the week (0, 7: Sunday)."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return 'five fields as in a crontab (minute hour day month weekday) such as "15 */6 * * *"'

    @property
    def placeholder(self) -> str:
        return "CRON"

    def read_text(self, text: str) -> str:
        fields = text.lower().split()
        if len(fields) != len(_CRON_FIELDS):
            raise self.refusal(text)
        for field, (what, lowest, highest, names) in zip(fields, _CRON_FIELDS, strict=True):
            if not all(_cron_part_is_valid(part, lowest, highest, names) for part in field.split(",")):
                raise self.refusal(text, f"{shown(field)} is no {what}")
        if _never_comes(fields[2], fields[3], fields[4]):
            raise self.refusal(text, "no month that it names has such a day")
        return " ".join(fields)

    def write(self, value: str) -> Plain:
        return value


class TimeZone(ScalarKind[str]):
    """A time zone by its name in the IANA database."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a time zone such as UTC or Europe/Berlin"

    @property
    def placeholder(self) -> str:
        return "ZONE"

    def read_text(self, text: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(text).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self.refusal(text) from None

    def write(self, value: str) -> Plain:
        return value
