"""Kinds of values with a unit or a grammar of their own: durations, rates, schedules, time zones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jwstwatch.core.parameter_kinds import Plain, ScalarKind, ValueNotAllowedError, shown

_SECOND = 1_000_000
_UNITS = {
    "w": 604_800 * _SECOND,
    "d": 86_400 * _SECOND,
    "h": 3_600 * _SECOND,
    "min": 60 * _SECOND,
    "s": _SECOND,
}
_SPELLINGS = {
    "w": "w", "week": "w", "weeks": "w",
    "d": "d", "day": "d", "days": "d",
    "h": "h", "hour": "h", "hours": "h",
    "min": "min", "mins": "min", "minute": "min", "minutes": "min",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
}  # fmt: skip
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-z]+)\s*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")

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
    position, microseconds = 0, Fraction(0)
    text = text.strip().lower()
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part[2] not in _SPELLINGS:
            return None
        microseconds += Fraction(part[1]) * _UNITS[_SPELLINGS[part[2]]]
        position = part.end()
    if not text or microseconds > LONGEST // timedelta(microseconds=1):
        return None
    return timedelta(microseconds=int(microseconds))


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
        if _NUMBER.fullmatch(text) and float(text):
            raise ValueNotAllowedError(f"{shown(text)} has no unit: write {text}h or {text}d, for example")
        duration = timedelta(0) if _NUMBER.fullmatch(text) else read_duration(text)
        if duration is None or duration < self.shortest:
            raise self.refusal(text)
        return duration

    def write(self, value: timedelta) -> Plain:
        return format_duration(value)


@dataclass(frozen=True, slots=True)
class Seconds(ScalarKind[float]):
    """A number of seconds, with or without its unit."""

    @property
    def allowed(self) -> str:
        return "a number of seconds from 0.1 to 3600"

    @property
    def placeholder(self) -> str:
        return "SECONDS"

    def read_text(self, text: str) -> float:
        if _NUMBER.fullmatch(text):
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


_RATE_UNITS = {
    "B": Fraction(1), "kB": Fraction(10**3), "KB": Fraction(10**3),
    "MB": Fraction(10**6), "GB": Fraction(10**9),
    "KiB": Fraction(2**10), "MiB": Fraction(2**20), "GiB": Fraction(2**30),
    "kbit": Fraction(10**3, 8), "Mbit": Fraction(10**6, 8), "Gbit": Fraction(10**9, 8),
}  # fmt: skip
_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)(?:/s|ps)?")


@dataclass(frozen=True, slots=True)
class Rate(ScalarKind[int]):
    """Bytes per second, written with a unit: `40 MB/s`, `300 Mbit/s`."""

    @property
    def allowed(self) -> str:
        return "a rate of at least 1 kB/s such as 40 MB/s, 500 kB/s or 300 Mbit/s"

    @property
    def placeholder(self) -> str:
        return "RATE"

    def read_text(self, text: str) -> int:
        if _NUMBER.fullmatch(text):
            raise ValueNotAllowedError(f"{shown(text)} has no unit: write {text} MB/s, for example")
        match = _RATE.fullmatch(text)
        if match is None or match[2] not in _RATE_UNITS:
            raise self.refusal(text)
        rate = int(Fraction(match[1]) * _RATE_UNITS[match[2]])
        if not 1000 <= rate <= 10**12:
            raise self.refusal(text)
        return rate

    def write(self, value: int) -> Plain:
        for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if value % size == 0:
                return f"{value // size} {unit}/s"
        return f"{value} B/s"


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


@dataclass(frozen=True, slots=True)
class Cron(ScalarKind[str]):
    """Five fields as in a crontab: minute, hour, day of the month, month, day of the week (0, 7: Sunday)."""

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
        return " ".join(fields)

    def write(self, value: str) -> Plain:
        return value


@dataclass(frozen=True, slots=True)
class TimeZone(ScalarKind[str]):
    """A time zone by its name in the IANA database."""

    @property
    def allowed(self) -> str:
        return "a time zone such as UTC or Europe/Berlin"

    @property
    def placeholder(self) -> str:
        return "ZONE"

    def read_text(self, text: str) -> str:
        try:
            return ZoneInfo(text).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self.refusal(text) from None

    def write(self, value: str) -> Plain:
        return value


@dataclass(frozen=True, slots=True)
class Server(ScalarKind[str]):
    """The address of a server: http or https, a host, no credentials; kept without the slash at its end."""

    @property
    def allowed(self) -> str:
        return "an address such as https://mast.stsci.edu (http or https, no user, no query)"

    @property
    def placeholder(self) -> str:
        return "URL"

    def read_text(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise self.refusal(text) from None
        if "@" in text:
            # What stands before it may be a password.
            raise ValueNotAllowedError(f"it holds credentials, but must be {self.allowed}")
        if not valid or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
            raise self.refusal(text)
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"

    def write(self, value: str) -> Plain:
        return value
