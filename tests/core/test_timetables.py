"""Rates by the hour: which line counts, what may be written, and clocks that are put on and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.parameter_kinds import ValueNotAllowedError
from jwstwatch.core.parameter_timetables import Rates
from jwstwatch.core.timetables import DAY, WEEK, Limit, TimedRate, Timetable, first_idle_line

MB = 1_000_000
OFFICE = ["Mon-Fri 08:00-18:00 5 MB/s", "22:00-06:00 unlimited", "40 MB/s"]
MADRID = "Europe/Madrid"  # 2026: put on at 01:00 UTC on 29 March, back at 01:00 UTC on 25 October
MINUTE = timedelta(minutes=1)


def limit(*lines: str, timezone: str = "UTC") -> Limit:
    return Limit(Rates().read(list(lines)), timezone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "rate"),
    [
        ("2026-07-06 07:59:59", 40 * MB),  # a Monday
        ("2026-07-06 08:00:00", 5 * MB),
        ("2026-07-06 17:59:59", 5 * MB),
        ("2026-07-06 18:00:00", 40 * MB),
        ("2026-07-06 21:59:59", 40 * MB),
        ("2026-07-06 22:00:00", None),
        ("2026-07-07 05:59:59", None),
        ("2026-07-07 06:00:00", 40 * MB),
        ("2026-07-11 12:00:00", 40 * MB),  # a Saturday
    ],
)
def test_the_first_line_that_fits_counts(moment: str, rate: int | None) -> None:
    assert limit(*OFFICE).rate_at(at(moment)) == rate


def test_where_no_line_fits_there_is_no_limit() -> None:
    assert limit("Mon 08:00-18:00 5 MB/s").rate_at(at("2026-07-07 12:00")) is None


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    sunday = limit("Sun 22:00-06:00 5 MB/s")
    assert sunday.rate_at(at("2026-07-05 21:59")) is None
    assert sunday.rate_at(at("2026-07-05 22:00")) == 5 * MB
    assert sunday.rate_at(at("2026-07-06 05:59")) == 5 * MB  # Monday, the first day of the week
    assert sunday.rate_at(at("2026-07-06 06:00")) is None
    assert sunday.rate_at(at("2026-07-05 05:00")) is None, "that is Saturday's night"


def test_the_hours_are_those_of_the_time_zone() -> None:
    madrid = limit(*OFFICE, timezone=MADRID)
    assert madrid.rate_at(at("2026-07-06 06:00")) == 5 * MB
    assert madrid.rate_at(at("2026-01-05 06:30")) == 40 * MB
    assert madrid.rate_at(at("2026-01-05 07:00")) == 5 * MB
    # As the same instant is written elsewhere.
    assert madrid.rate_at(at("2026-07-06 06:00").astimezone(ZoneInfo("Asia/Tokyo"))) == 5 * MB


def test_an_hour_that_is_skipped_does_not_count() -> None:
    night = limit("02:00-03:00 5 MB/s", timezone=MADRID)
    assert night.rate_at(at("2026-03-29 00:59:59")) is None
    assert night.rate_at(at("2026-03-29 01:00")) is None  # 03:00 already
    assert night.next_change(at("2026-03-28 12:00")) == at("2026-03-30 00:00")
    begun = limit("01:30-02:30 5 MB/s", timezone=MADRID)
    assert begun.next_change(at("2026-03-29 00:45")) == at("2026-03-29 01:00")


def test_an_hour_that_is_repeated_counts_twice() -> None:
    night = limit("02:00-02:30 5 MB/s", timezone=MADRID)
    changes, moment = [], at("2026-10-24 12:00")
    for _ in range(4):
        change = night.next_change(moment)
        assert change is not None
        changes.append(change)
        moment = change
    assert changes == [at(f"2026-10-25 {hours}") for hours in ("00:00", "00:30", "01:00", "01:30")]


def test_a_line_for_the_very_hour_that_is_skipped_comes_a_week_later() -> None:
    night = limit("Sun 02:00-03:00 5 MB/s", timezone=MADRID)
    assert night.next_change(at("2026-03-22 01:00") + timedelta(hours=1)) == at("2026-04-05 00:00")


def test_what_is_the_same_at_all_times_never_changes() -> None:
    assert limit("40 MB/s").next_change(at("2026-07-06 12:00")) is None
    assert limit("Mon 5 MB/s", "5 MB/s").next_change(at("2026-07-06 12:00")) is None


MINUTES = st.integers(0, DAY - 1)
LINES = st.builds(
    lambda rate, days, begin, length: TimedRate(
        rate=rate, days=tuple(sorted(days)), begin=begin, end=(begin + length) % DAY or DAY
    ),
    st.sampled_from([None, 1000, 2000]),
    st.sets(st.integers(0, 6), min_size=1),
    MINUTES,
    st.integers(1, DAY - 1),
)
ZONES = st.sampled_from(["UTC", MADRID, "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
) | st.sampled_from([at("2026-03-28 20:00"), at("2026-10-24 20:00"), at("2026-04-04 03:00")])


@given(st.lists(LINES, min_size=1, max_size=3).map(tuple), ZONES, MOMENTS)
def test_the_next_change_is_the_first_minute_with_another_rate(
    lines: tuple[TimedRate, ...], zone: str, moment: datetime
) -> None:
    table = Limit(Timetable(lines), zone)
    change = table.next_change(moment)
    rate = table.rate_at(moment)
    minute = moment.replace(second=0, microsecond=0) + MINUTE
    end = min(change or moment + timedelta(days=15), moment + timedelta(days=2))
    while minute < end:
        assert table.rate_at(minute) == rate
        minute += 7 * MINUTE
    if change is not None:
        assert table.rate_at(change - timedelta(seconds=1)) == rate
        assert table.rate_at(change) != rate


@settings(max_examples=30, deadline=None)
@given(LINES)
def test_a_line_fits_as_long_as_its_hours_on_each_of_its_days(line: TimedRate) -> None:
    length = (line.end - line.begin) % DAY or DAY
    fitting = {minute for minute in range(WEEK) if line.fits(minute)}
    assert fitting == line.minutes()
    assert len(fitting) == length * len(line.days)
    assert all((day * DAY + line.begin) in fitting for day in line.days)


# -- what may be written


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ("40 MB/s", "40 MB/s"),
        ("unlimited", "unlimited"),
        (["40 MB/s"], "40 MB/s"),
        ("22:00-06:00 5MB/s", "22:00-06:00 5 MB/s"),
        ("mon, wed 8:00 - 18:00 300 Mbit/s", "Mon,Wed 08:00-18:00 37500 kB/s"),
        ("Sat-Mon Unlimited", "Mon,Sat,Sun unlimited"),
        ("Mon-Sun 00:00-24:00 1 kB/s", "1 kB/s"),
        ("Sun-Sun 20:00-00:00 1 kB/s", "Sun 20:00-24:00 1 kB/s"),
        (OFFICE, OFFICE),
    ],
)
def test_lines_are_written_as_they_are_meant(written: str | list[str], again: str | list[str]) -> None:
    kind = Rates()
    value = kind.read(written)  # type: ignore[arg-type]
    assert kind.write(value) == again
    assert kind.read(again) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("Mon-Fry 08:00-18:00 5 MB/s", "'Mon-Fry' names no days"),
        ("Monday 5 MB/s", "'Monday' names no days: write Mon, Tue"),
        ("Mon, 5 MB/s", "names no days"),
        ("08:00 5 MB/s", "'08:00' names no hours: write 08:00-18:00"),
        ("08:00-18:60 5 MB/s", "names no hours"),
        ("24:00-08:00 5 MB/s", "hours that no day has"),
        ("08:00-24:01 5 MB/s", "hours that no day has"),
        ("08:00-08:00 5 MB/s", "leave the hours out"),
        ("Mon-Fri 08:00-18:00 5", "'5' has no unit"),
        ("Mon-Fri 08:00-18:00", "'08:00-18:00' is not a rate"),
        ("5 MB/s Mon-Fri", "is not a rate"),
        ("08:00-18:00 Mon-Fri 5 MB/s", "is not a rate"),
        ("0 MB/s", "at least 1 kB/s"),
        ("", "it is empty"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong_in_it(line: str, because: str) -> None:
    with pytest.raises(ValueNotAllowedError) as caught:
        Rates().read(["22:00-06:00 unlimited", line])
    assert str(caught.value).startswith("line 2, ")
    assert because in str(caught.value)


def test_one_wrong_rate_is_told_without_a_line() -> None:
    with pytest.raises(ValueNotAllowedError, match=r"^'40' has no unit: write 40 MB/s"):
        Rates().read("40")
    with pytest.raises(ValueNotAllowedError, match="a mapping with 'rate' is not a rate of at least"):
        Rates().read({"rate": "40 MB/s"})
    with pytest.raises(ValueNotAllowedError, match="line 1 is not one text"):
        Rates().read([None])
    with pytest.raises(ValueNotAllowedError, match="it has no lines"):
        Rates().read([])


@pytest.mark.parametrize(
    ("lines", "idle"),
    [
        (["40 MB/s", "22:00-06:00 unlimited"], "line 2, '22:00-06:00 unlimited', never counts"),
        (["Mon-Fri 5 MB/s", "Sat,Sun unlimited", "40 MB/s"], "line 3"),
        (["22:00-06:00 1 MB/s", "Sat 23:00-01:00 unlimited"], "line 2"),
        (["00:00-12:00 1 MB/s", "12:00-00:00 2 MB/s", "40 MB/s"], "line 3"),
    ],
)
def test_a_line_that_never_counts_is_refused(lines: list[str], idle: str) -> None:
    with pytest.raises(ValueNotAllowedError, match=idle):
        Rates().read(list(lines))


@settings(max_examples=25, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=4))
def test_a_line_is_idle_where_no_minute_needs_it(lines: list[TimedRate]) -> None:
    idle = first_idle_line(lines)
    counting = [
        next((number for number, line in enumerate(lines) if line.fits(minute)), None)
        for minute in range(WEEK)
    ]
    unused = [number for number in range(len(lines)) if number not in counting]
    assert idle == (unused[0] if unused else None)
