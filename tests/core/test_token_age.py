"""How long a token can live on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.token_age import IDLE_LIFE, LIFE, days_left

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGES = st.timedeltas(timedelta(days=-3), timedelta(days=100))


def left(seen: float, used: float | None = None, refused: float | None = None) -> int | None:
    """Ask for a token that was seen, used and refused so many days ago."""
    ago = [None if days is None else NOW - timedelta(days=days) for days in (seen, used, refused)]
    return days_left(ago[0], ago[1], NOW, rejected_at=ago[2])


def test_nothing_is_known_of_a_token_that_was_never_seen() -> None:
    assert days_left(None, None, NOW) is None
    assert days_left(None, NOW, NOW) is None


def test_a_token_ends_sixty_days_after_it_was_first_seen() -> None:
    assert left(0) == 60
    assert left(0.1) == 59
    assert left(53, used=0) == 7
    assert left(59.5, used=0) == 0


def test_a_token_that_rests_ends_ten_days_after_its_last_use() -> None:
    assert left(20, used=0) == 10
    assert left(20, used=4) == 6
    assert left(58, used=4) == 2
    assert left(20, used=11) == 0


def test_a_token_that_was_refused_last_has_no_days_left() -> None:
    assert left(3, refused=1) == 0
    assert left(3, used=2, refused=1) == 0
    assert left(3, used=1, refused=2) == 9


@given(AGES, st.none() | AGES)
def test_what_is_told_is_an_upper_bound_of_either_rule(seen: timedelta, used: timedelta | None) -> None:
    accepted = None if used is None else NOW - used
    days = days_left(NOW - seen, accepted, NOW)
    assert days is not None
    assert 0 <= days <= 60
    assert days <= max(timedelta(0), LIFE - seen) / timedelta(days=1) or seen < timedelta(0)
    if used is not None:
        assert days <= 10
        assert days <= max(timedelta(0), IDLE_LIFE - used) / timedelta(days=1) or used < timedelta(0)


@given(AGES, st.none() | AGES, st.timedeltas(timedelta(0), timedelta(days=100)))
def test_the_days_never_grow_while_nothing_happens(
    seen: timedelta, used: timedelta | None, passed: timedelta
) -> None:
    accepted = None if used is None else NOW - used
    before = days_left(NOW - seen, accepted, NOW)
    after = days_left(NOW - seen, accepted, NOW + passed)
    assert before is not None
    assert after is not None
    assert after <= before
