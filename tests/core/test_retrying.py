"""When a file that failed is tried again: a value, never a sleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.retrying import FIRST_DELAY, LONGEST_DELAY, Failure, FailureKind, next_attempt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def delay(kind: FailureKind, attempts: int, retry_after: float | None = None) -> timedelta:
    failure = Failure(kind=kind, message="it failed", retry_after=retry_after)
    return next_attempt(failure, attempts=attempts, now=NOW) - NOW


@pytest.mark.parametrize(
    ("attempts", "waits"),
    [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (9, 1280), (10, 1440), (60, 1440), (10**6, 1440)],
)
def test_the_delay_doubles_from_five_minutes_to_a_day(attempts: int, waits: int) -> None:
    assert delay(FailureKind.CONTENT, attempts) == waits * MINUTE


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (FailureKind.ARCHIVE, FIRST_DELAY),
        (FailureKind.CONTENT, FIRST_DELAY),
        (FailureKind.UNAUTHORISED, FIRST_DELAY),
        (FailureKind.MISSING, HOUR),
        (FailureKind.REFUSED, HOUR),
    ],
)
def test_what_trying_again_does_not_mend_waits_longer(kind: FailureKind, first: timedelta) -> None:
    assert delay(kind, 1) == first
    assert delay(kind, 5) == 80 * MINUTE


@pytest.mark.parametrize(
    ("retry_after", "waits"),
    [
        (None, 5 * MINUTE),
        (0.0, 5 * MINUTE),
        (-50.0, 5 * MINUTE),
        (60.0, 5 * MINUTE),
        (1800.0, 30 * MINUTE),
        (1e6, LONGEST_DELAY),
        (1e18, LONGEST_DELAY),
        (float("inf"), LONGEST_DELAY),
    ],
)
def test_the_archive_s_own_wish_is_honoured_within_a_day(retry_after: float | None, waits: timedelta) -> None:
    assert delay(FailureKind.ARCHIVE, 1, retry_after) == waits


@given(
    st.sampled_from(FailureKind),
    st.integers(0, 10**9),
    st.none() | st.floats(allow_nan=False, allow_infinity=True),
)
def test_the_next_attempt_is_never_at_once_and_never_further_than_a_day(
    kind: FailureKind, attempts: int, retry_after: float | None
) -> None:
    found = delay(kind, attempts, retry_after)
    assert FIRST_DELAY <= found <= LONGEST_DELAY
    assert delay(kind, attempts + 1, retry_after) >= found
