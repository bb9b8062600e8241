"""When a file that failed is tried again: a value, never a sleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.retrying import (
    FIRST_DELAY,
    LONGEST_DELAY,
    NOT_THERE,
    Failure,
    FailureKind,
    confirmed,
    next_attempt,
)

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


@pytest.mark.parametrize(
    ("attempts", "recheck", "waits"),
    [
        (1, 7, 0.5),
        (2, 7, 1),
        (3, 7, 2),
        (4, 7, 4),
        (5, 7, 7),
        (10**6, 7, 7),
        (2, 3660, 1),
        (60, 3660, 3660),
        (60, 0, 1),
    ],
)
def test_what_is_absent_waits_for_a_day_doubling_up_to_the_recheck(
    attempts: int, recheck: int, waits: float
) -> None:
    failure = Failure(kind=FailureKind.ABSENT, message="not there")
    found = next_attempt(failure, attempts=attempts, now=NOW, recheck=timedelta(days=recheck)) - NOW
    assert found == timedelta(days=waits)


def test_the_recheck_holds_back_only_what_is_absent() -> None:
    for kind in set(FailureKind) - {FailureKind.ABSENT}:
        failure = Failure(kind=kind, message="it failed")
        found = next_attempt(failure, attempts=60, now=NOW, recheck=timedelta(days=30)) - NOW
        assert found == LONGEST_DELAY


CERTAIN = (FailureKind.STILL_LISTED, FailureKind.ABSENT)


@given(st.sampled_from(FailureKind), st.none() | st.sampled_from(FailureKind))
def test_only_another_404_after_a_listing_makes_it_certain_that_a_file_is_absent(
    kind: FailureKind, before: FailureKind | None
) -> None:
    failure = Failure(kind=kind, message="it failed")
    found = confirmed(failure, before)
    if kind is FailureKind.MISSING and before in CERTAIN:
        assert found.kind is FailureKind.ABSENT
        assert found.message == f"{NOT_THERE}: it failed"
    else:
        assert found == failure
