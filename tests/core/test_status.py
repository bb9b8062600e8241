"""How things stand, derived from rows and a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.model import Outcome
from jwstwatch.core.status import duration_text, is_reachable, next_interval_run, schedule_text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=90), "90min"),
        (6 * HOUR, "6h"),
        (24 * HOUR, "1d"),
        (36 * HOUR, "36h"),
        (timedelta(days=7), "7d"),
        (timedelta(days=1, seconds=1), "86401s"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(duration: timedelta, text: str) -> None:
    assert duration_text(duration) == text


@given(st.integers(0, 10**8))
def test_a_written_duration_is_the_duration(seconds: int) -> None:
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    text = duration_text(timedelta(seconds=seconds))
    number = text.rstrip("dhmins")
    assert int(number) * units[text.removeprefix(number)] == seconds


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"enabled": False, "every": 6 * HOUR}, "off"),
        ({"cron": "15 */6 * * *"}, "cron 15 */6 * * * (UTC)"),
        ({"cron": "15 */6 * * *", "every": 6 * HOUR}, "cron 15 */6 * * * (UTC)"),
        ({"every": 6 * HOUR}, "every 6h"),
        ({}, "by hand"),
    ],
)
def test_a_schedule_is_told_in_few_words(facts: dict[str, object], text: str) -> None:
    given_facts = {"enabled": True, "every": None, "cron": None, "timezone": "UTC"} | facts
    assert schedule_text(**given_facts) == text  # type: ignore[arg-type]


def test_an_interval_counts_from_the_start_of_the_last_run() -> None:
    assert next_interval_run(every=6 * HOUR, last_started_at=None, now=NOW) == NOW
    last = NOW - 2 * HOUR
    assert next_interval_run(every=6 * HOUR, last_started_at=last, now=NOW) == NOW + 4 * HOUR
    assert next_interval_run(every=2 * HOUR, last_started_at=last, now=NOW) == NOW
    assert next_interval_run(every=HOUR, last_started_at=last, now=NOW) == NOW


@pytest.mark.parametrize(
    ("error_kind", "outcome", "reachable"),
    [
        (None, Outcome.COMPLETE, True),
        (None, Outcome.PARTIAL, True),
        ("authentication", Outcome.PARTIAL, True),
        ("authentication", Outcome.FAILED, True),
        ("incomplete_listing", Outcome.FAILED, True),
        ("query_rejected", Outcome.FAILED, True),
        ("archive_unreachable", Outcome.FAILED, False),
        ("archive_unreachable", Outcome.PARTIAL, False),
        ("archive_timeout", Outcome.PARTIAL, False),
        ("storage", Outcome.FAILED, None),
        ("cancelled", Outcome.CANCELLED, None),
        ("killed", Outcome.CANCELLED, None),
        (None, None, None),
    ],
)
def test_a_run_tells_whether_the_archive_was_there(
    error_kind: str | None, outcome: Outcome | None, reachable: bool | None
) -> None:
    assert is_reachable(error_kind, outcome) is reachable
