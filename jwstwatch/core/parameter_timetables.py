"""The kind of value that says how much may pass at which hour."""

from __future__ import annotations

import re
from typing import Final

from jwstwatch.core.parameter_kinds import Kind, Plain, ValueNotAllowedError, Written, shown
from jwstwatch.core.parameter_sizes import Rate
from jwstwatch.core.timetables import DAY, EVERY_DAY, TimedRate, Timetable, first_idle_line

_RATE: Final = Rate()
_UNLIMITED: Final = "unlimited"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_DAYS)}
_EXAMPLE: Final = "Mon-Fri 08:00-18:00 5 MB/s"
_HOURS: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_LINE: Final = re.compile(
    # Days and hours are told by their first signs, so that what is wrong in them can be named.
    r"(?:(?P<days>(?!unlimited)[A-Za-z][^\s]*)\s+)?(?:(?P<hours>[0-9]+:[^\s]*)\s+)?(?P<rate>\S.*)",
    re.IGNORECASE,
)


class Rates(Kind[Timetable]):
    """A rate, or a list of lines: days and hours (each may be left out), then a rate or `unlimited`."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return (
            f"{_RATE.allowed}, `{_UNLIMITED}`, or a list of such, each with the days and hours it is for "
            f"before it, such as `{_EXAMPLE}`"
        )

    @property
    def placeholder(self) -> str:
        return _RATE.placeholder

    def read(self, written: Written) -> Timetable:
        if isinstance(written, str):
            return Timetable((_read_line(written),))
        if not isinstance(written, list):
            raise self.refusal(written)
        if not written:
            raise self.refusal(written, "it has no lines")
        lines = [self._read_numbered(text, number) for number, text in enumerate(written, start=1)]
        idle = first_idle_line(lines)
        if idle is not None:
            raise ValueNotAllowedError(
                f"line {idle + 1}, {shown(written[idle])}, never counts: whenever it fits, one above it does "
                "too, and the first that fits counts"
            )
        return Timetable(tuple(lines))

    def write(self, value: Timetable) -> Plain:
        lines: list[Plain] = [_write_line(line) for line in value.lines]
        return lines[0] if len(lines) == 1 else lines

    def _read_numbered(self, text: Written, number: int) -> TimedRate:
        if not isinstance(text, str):
            raise ValueNotAllowedError(f"line {number} is not one text such as {_EXAMPLE}")
        try:
            return _read_line(text)
        except ValueNotAllowedError as error:
            raise ValueNotAllowedError(
                f"line {number}, {shown(text)}, is not days, hours and a rate such as {_EXAMPLE}: {error}"
            ) from None


def _read_line(text: str) -> TimedRate:
    match = _LINE.fullmatch(re.sub(r"\s*([-,])\s*", r"\1", text.strip()))
    if match is None:
        raise ValueNotAllowedError("it is empty")
    days, hours, rate = match["days"], match["hours"], match["rate"]
    named = EVERY_DAY if days is None else _read_days(days)
    begin, end = (0, DAY) if hours is None else _read_hours(hours)
    limit = None if rate.lower() == _UNLIMITED else _RATE.read_text(rate)
    return TimedRate(rate=limit, days=named, begin=begin, end=end)


def _read_days(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _NUMBERS or (dash and last not in _NUMBERS):
            raise ValueNotAllowedError(f"{shown(text)} names no days: write {', '.join(_DAYS)}, or Mon-Fri")
        begin, end = _NUMBERS[first], _NUMBERS[last or first]
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return tuple(sorted(found))


def _read_hours(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    numbers = [int(group) for group in match.groups()] if match is not None else []
    if not numbers or max(numbers[1], numbers[3]) > 59:
        raise ValueNotAllowedError(f"{shown(text)} names no hours: write 08:00-18:00, for example")
    begin, end = 60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3]
    if begin >= DAY or end > DAY:
        raise ValueNotAllowedError(f"{shown(text)} names hours that no day has: they go from 00:00 to 24:00")
    if begin == end:
        raise ValueNotAllowedError(f"{shown(text)} ends as it begins: leave the hours out for a whole day")
    return begin, end or DAY


def _write_line(line: TimedRate) -> str:
    parts = []
    if line.days != EVERY_DAY:
        parts.append(_write_days(line.days))
    if not line.whole_days:
        parts.append(f"{_clock(line.begin)}-{_clock(line.end)}")
    parts.append(write_rate(line.rate))
    return " ".join(parts)


def _write_days(days: tuple[int, ...]) -> str:
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}"
    return ",".join(_DAYS[day] for day in days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def write_rate(rate: int | None) -> str:
    """Return a rate in bytes a second as it is written: `5 MB/s`, or `unlimited` for None."""
    return _UNLIMITED if rate is None else str(_RATE.write(rate))
