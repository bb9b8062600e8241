"""When a profile is due: intervals from the last start, crontab fields as a crontab means them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.parameter_units import Cron
from jwstwatch.core.parameters import Parameters
from jwstwatch.daemon.schedule import next_run

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""A Sunday."""

MOMENTS = st.datetimes(min_value=datetime(2022, 1, 1), max_value=datetime(2040, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


def cron(text: str, *, timezone: str = "UTC") -> Parameters:
    return Parameters(cron=Cron().read_text(text), every=None, timezone=timezone)


def following(parameters: Parameters, count: int) -> list[str]:
    """The next runs, each started on time."""
    found = []
    moment = NOW
    for _ in range(count):
        due = next_run(parameters, last_started_at=moment, now=moment)
        assert due is not None
        found.append(due.strftime("%a %d %b %H:%M"))
        moment = due
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15 */6 * * *", ["Sun 01 Mar 12:15", "Sun 01 Mar 18:15", "Mon 02 Mar 00:15"]),
        ("0 0 * * mon-fri", ["Mon 02 Mar 00:00", "Tue 03 Mar 00:00", "Wed 04 Mar 00:00"]),
        ("0 0 * * 0", ["Sun 08 Mar 00:00", "Sun 15 Mar 00:00", "Sun 22 Mar 00:00"]),
        ("0 0 * * 5-7", ["Fri 06 Mar 00:00", "Sat 07 Mar 00:00", "Sun 08 Mar 00:00"]),
        ("0 0 * * 7,3", ["Wed 04 Mar 00:00", "Sun 08 Mar 00:00", "Wed 11 Mar 00:00"]),
        ("0 0 15 * mon", ["Mon 02 Mar 00:00", "Mon 09 Mar 00:00", "Sun 15 Mar 00:00"]),
        ("0 0 1-7 * *", ["Mon 02 Mar 00:00", "Tue 03 Mar 00:00", "Wed 04 Mar 00:00"]),
        ("30 4 1 jan,jul *", ["Wed 01 Jul 04:30", "Fri 01 Jan 04:30", "Thu 01 Jul 04:30"]),
    ],
)
def test_cron_fields_mean_what_they_mean_in_a_crontab(text: str, expected: list[str]) -> None:
    assert following(cron(text), 3) == expected


def test_cron_follows_the_time_zone_through_the_change_of_clocks() -> None:
    berlin = cron("0 6 * * *", timezone="Europe/Berlin")
    before = next_run(berlin, last_started_at=None, now=datetime(2026, 3, 28, 0, tzinfo=UTC))
    after = next_run(berlin, last_started_at=None, now=datetime(2026, 3, 30, 0, tzinfo=UTC))
    assert before == datetime(2026, 3, 28, 5, tzinfo=UTC)
    assert after == datetime(2026, 3, 30, 4, tzinfo=UTC)


def test_a_cron_time_that_passed_while_nobody_was_there_is_due_at_once() -> None:
    assert next_run(cron("0 6 * * *"), last_started_at=NOW - timedelta(days=3), now=NOW) == NOW


def test_a_cron_time_that_was_kept_is_not_due_again() -> None:
    due = next_run(cron("0 12 * * *"), last_started_at=NOW, now=NOW)
    assert due == NOW + timedelta(days=1)


def test_a_date_that_never_comes_is_never_due() -> None:
    assert next_run(Parameters(cron="0 0 31 2 *", every=None), last_started_at=None, now=NOW) is None


def test_who_rests_or_runs_by_hand_is_never_due() -> None:
    assert next_run(Parameters(enabled=False), last_started_at=None, now=NOW) is None
    assert next_run(Parameters(every=None), last_started_at=None, now=NOW) is None


@given(last=MOMENTS, now=MOMENTS, every=st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
def test_an_interval_counts_from_the_last_start_and_is_never_in_the_past(
    last: datetime, now: datetime, every: timedelta
) -> None:
    due = next_run(Parameters(every=every), last_started_at=last, now=now)
    assert due == (now if last - now > CLOCKS_DIFFER else max(now, last + every))


@given(last=MOMENTS, now=MOMENTS)
def test_a_cron_run_is_never_due_in_the_past(last: datetime, now: datetime) -> None:
    due = next_run(cron("15 */6 * * *"), last_started_at=last, now=now)
    assert due is not None
    assert due >= now


def moments(parameters: Parameters, since: datetime, until: datetime) -> list[str]:
    """Every start of a profile that begins on time, in UTC."""
    found = []
    moment = since
    while True:
        due = next_run(parameters, last_started_at=moment, now=moment)
        assert due is not None
        if due >= until:
            return found
        found.append(due.strftime("%d %H:%M"))
        moment = due


SPRING = (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
"""In Berlin the clock goes from 02:00 to 03:00 on the 29th, at 01:00 UTC."""
AUTUMN = (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
"""In Berlin the clock goes from 03:00 back to 02:00 on the 25th, at 01:00 UTC."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["29 01:00", "30 00:30"]),
        ("0 2 * * *", ["29 01:00", "30 00:00"]),
        ("*/30 2 * * *", ["29 01:00", "30 00:00", "30 00:30"]),
        ("15 3 * * *", ["29 01:15", "30 01:15"]),
    ],
)
def test_a_time_that_the_clock_leaves_out_counts_as_the_first_minute_after_the_gap(
    text: str, expected: list[str]
) -> None:
    assert moments(cron(text, timezone="Europe/Berlin"), *SPRING) == expected


def test_a_midnight_that_the_clock_leaves_out_is_not_skipped() -> None:
    santiago = cron("0 0 * * *", timezone="America/Santiago")
    since, until = datetime(2026, 9, 5, 12, tzinfo=UTC), datetime(2026, 9, 7, 12, tzinfo=UTC)
    assert moments(santiago, since, until) == ["06 04:00", "07 03:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["25 00:30", "26 01:30"]),
        ("*/30 2 * * *", ["25 00:00", "25 00:30", "26 01:00", "26 01:30"]),
        ("0 3 * * *", ["25 02:00", "26 02:00"]),
    ],
)
def test_a_time_that_comes_twice_counts_once(text: str, expected: list[str]) -> None:
    assert moments(cron(text, timezone="Europe/Berlin"), *AUTUMN) == expected


def test_every_hour_means_real_hours_when_the_clock_is_put_back() -> None:
    found = moments(cron("0 * * * *", timezone="Europe/Berlin"), AUTUMN[0], AUTUMN[1])
    hours = [datetime.strptime(f"2026 10 {text}", "%Y %m %d %H:%M").replace(tzinfo=UTC) for text in found]
    assert {later - earlier for earlier, later in itertools.pairwise(hours)} == {timedelta(hours=1)}


@given(last=MOMENTS, ahead=st.timedeltas(min_value=timedelta(minutes=6), max_value=timedelta(days=3000)))
def test_a_start_that_lies_ahead_does_not_silence_a_profile(last: datetime, ahead: timedelta) -> None:
    now = last - ahead
    assert next_run(Parameters(every=timedelta(hours=6)), last_started_at=last, now=now) == now
    due = next_run(cron("15 4 * * *"), last_started_at=last, now=now)
    assert due is not None
    assert now <= due <= now + timedelta(days=1)


@given(
    since=MOMENTS,
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
)
def test_a_daily_time_comes_once_in_about_a_day(since: datetime, hour: int, minute: int, zone: str) -> None:
    daily = cron(f"{minute} {hour} * * *", timezone=zone)
    first = next_run(daily, last_started_at=since, now=since)
    assert first is not None
    second = next_run(daily, last_started_at=first, now=first)
    assert second is not None
    assert since < first <= since + timedelta(hours=25)
    assert timedelta(hours=22, minutes=30) <= second - first <= timedelta(hours=25, minutes=30)
