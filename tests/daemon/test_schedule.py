"""When a profile is due: intervals from the last start, crontab fields as a crontab means them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    assert next_run(cron("0 0 31 2 *"), last_started_at=None, now=NOW) is None


def test_who_rests_or_runs_by_hand_is_never_due() -> None:
    assert next_run(Parameters(enabled=False), last_started_at=None, now=NOW) is None
    assert next_run(Parameters(every=None), last_started_at=None, now=NOW) is None


@given(last=MOMENTS, now=MOMENTS, every=st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
def test_an_interval_counts_from_the_last_start_and_is_never_in_the_past(
    last: datetime, now: datetime, every: timedelta
) -> None:
    due = next_run(Parameters(every=every), last_started_at=last, now=now)
    assert due == max(now, last + every)


@given(last=MOMENTS, now=MOMENTS)
def test_a_cron_run_is_never_due_in_the_past(last: datetime, now: datetime) -> None:
    due = next_run(cron("15 */6 * * *"), last_started_at=last, now=now)
    assert due is not None
    assert due >= now
