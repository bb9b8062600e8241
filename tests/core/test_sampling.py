"""What a validator proves, how many are asked for, and when they are believed no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.sampling import (
    DAY,
    ETAG,
    FALSE_ALARMS,
    LAST_MODIFIED,
    PATIENCE,
    PAUSE,
    REST,
    VALIDATORS,
    Alarm,
    accusers,
    compare,
    quota,
    trust,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE, OTHER = '"one"', '"other"'
THEN, LATER = "Sun, 01 Mar 2026 10:00:00 GMT", "Mon, 02 Mar 2026 10:00:00 GMT"


def differs(then: dict[str, str], now: dict[str, str], *, trusted: tuple[str, ...] = VALIDATORS) -> set[str]:
    return set(compare(then, now, trusted=trusted).contradicted)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({ETAG: ONE}, {ETAG: OTHER}, {ETAG}),
        ({ETAG: ONE}, {ETAG: ONE}, set()),
        ({ETAG: ONE}, {}, set()),
        ({}, {ETAG: ONE, LAST_MODIFIED: THEN}, set()),
        ({ETAG: ONE}, {ETAG: f"W/{OTHER}"}, set()),
        ({ETAG: f"W/{ONE}"}, {ETAG: f"W/{OTHER}"}, set()),
        ({ETAG: f"W/{ONE}"}, {ETAG: ONE}, set()),
        ({ETAG: ONE}, {ETAG: "other"}, set()),
        ({LAST_MODIFIED: THEN}, {LAST_MODIFIED: LATER}, {LAST_MODIFIED}),
        ({LAST_MODIFIED: THEN}, {LAST_MODIFIED: "yesterday"}, set()),
        ({LAST_MODIFIED: "0"}, {LAST_MODIFIED: THEN}, set()),
        ({LAST_MODIFIED: THEN}, {LAST_MODIFIED: "Sun, 1 Mar 2026 10:00:00 +0000"}, set()),
        ({ETAG: ONE, LAST_MODIFIED: THEN}, {ETAG: ONE, LAST_MODIFIED: LATER}, set()),
        ({ETAG: ONE, LAST_MODIFIED: THEN}, {ETAG: OTHER, LAST_MODIFIED: LATER}, {ETAG, LAST_MODIFIED}),
        ({ETAG: f"W/{ONE}", LAST_MODIFIED: THEN}, {ETAG: f"W/{ONE}", LAST_MODIFIED: LATER}, {LAST_MODIFIED}),
    ],
)
def test_only_what_was_stated_then_and_now_and_is_strong_proves_a_change(
    then: dict[str, str], now: dict[str, str], expected: set[str]
) -> None:
    assert differs(then, now) == expected


def test_a_validator_that_is_not_believed_proves_nothing() -> None:
    then, now = {ETAG: ONE, LAST_MODIFIED: THEN}, {ETAG: OTHER, LAST_MODIFIED: LATER}
    assert differs(then, now, trusted=(LAST_MODIFIED,)) == {LAST_MODIFIED}
    assert differs(then, now, trusted=()) == set()


def test_what_appears_is_kept_only_beside_something_that_tells_which_content_it_is_of() -> None:
    now = {ETAG: ONE, LAST_MODIFIED: THEN}
    assert compare({ETAG: ONE}, now, trusted=VALIDATORS).facts == now
    assert compare({"s3.etag": ONE}, now, trusted=VALIDATORS).facts == {}


TEXTS = st.sampled_from([ONE, OTHER, f"W/{ONE}", "one", "", THEN, LATER, "soon"])
FACTS = st.dictionaries(st.sampled_from([*VALIDATORS, "keywords.size"]), TEXTS)


@given(FACTS, FACTS, st.sets(st.sampled_from(VALIDATORS)))
def test_a_contradiction_is_always_between_two_stated_facts_that_are_believed(
    then: dict[str, str], now: dict[str, str], trusted: set[str]
) -> None:
    found = compare(then, now, trusted=trusted)
    assert found.contradicted <= trusted & then.keys() & now.keys()
    assert found.facts.keys() <= trusted & now.keys()
    assert {fact for fact, value in found.facts.items() if then.get(fact, value) != value} == (
        found.contradicted
    )
    assert not compare(then, then, trusted=trusted).contradicted


@given(
    limit=st.integers(0, 100_000),
    gaps=st.lists(st.integers(0, 30 * 3600), min_size=1, max_size=60),
)
def test_no_day_has_more_than_the_limit_however_often_a_profile_runs(limit: int, gaps: list[int]) -> None:
    now, last, asked = NOW, NOW - DAY, list[tuple[datetime, int]]()
    for seconds in gaps:
        gap = timedelta(seconds=seconds)
        now += gap
        count = sum(number for at, number in asked if at > now - DAY)
        number = quota(limit, asked=count, since=now - last, gap=gap)
        assert count + number <= limit
        assert number <= max(1, limit * gap / DAY)
        if number:
            asked.append((now, number))
            last = now


@pytest.mark.parametrize(("limit", "minutes", "a_day"), [(240, 60, 240), (10, 60, 8), (200, 5, 144)])
def test_what_is_asked_in_a_day_comes_near_the_limit(limit: int, minutes: int, a_day: int) -> None:
    gap, since, total = timedelta(minutes=minutes), DAY, 0
    for _ in range(DAY // gap):
        number = quota(limit, asked=0, since=since, gap=gap)
        total += number
        since = gap if number else since + gap
    assert total == a_day


def test_each_run_bears_the_share_of_the_time_since_the_last() -> None:
    hour, week = timedelta(hours=1), 7 * DAY
    assert quota(240, asked=0, since=week, gap=hour) == 10
    assert quota(240, asked=0, since=hour, gap=week) == 10
    assert quota(240, asked=0, since=week, gap=week) == 240
    assert quota(240, asked=235, since=week, gap=week) == 5
    assert quota(240, asked=300, since=week, gap=week) == 0
    assert quota(100_000, asked=0, since=PAUSE - timedelta(seconds=1), gap=week) == 0
    assert quota(200, asked=0, since=-week, gap=-week) == 0


def alarm(*, false: bool | None, days_ago: float = 1.0, of: tuple[str, ...] = (ETAG,)) -> Alarm:
    return Alarm(validators=frozenset(of), at=NOW - timedelta(days=days_ago), false=false)


def test_a_validator_that_was_wrong_three_times_is_not_believed_for_a_month() -> None:
    raised = [alarm(false=True, days_ago=days) for days in (1, 2, 3)]
    found = trust(raised, ETAG, now=NOW)
    assert (found.most, found.until) == (0, raised[0].at + REST)
    assert trust(raised, LAST_MODIFIED, now=NOW).most == FALSE_ALARMS
    later = trust(raised, ETAG, now=raised[0].at + REST)
    assert (later.most, later.until) == (1, None)


def test_as_long_as_nothing_is_proven_only_a_few_alarms_are_open_at_a_time() -> None:
    assert trust([], ETAG, now=NOW).most == FALSE_ALARMS
    assert trust([alarm(false=None)] * 2, ETAG, now=NOW).most == 1
    assert trust([alarm(false=None)] * 5, ETAG, now=NOW).most == 0
    assert trust([alarm(false=True), alarm(false=None)], ETAG, now=NOW).most == 1
    forgotten = alarm(false=None, days_ago=PATIENCE / DAY)
    assert trust([forgotten] * 5, ETAG, now=NOW).most == FALSE_ALARMS


def test_alarms_that_came_true_lift_the_limit() -> None:
    assert trust([alarm(false=False)], ETAG, now=NOW).most is None
    assert trust([alarm(false=False)] * 5 + [alarm(false=True)] * 3, ETAG, now=NOW).most is None


def test_what_other_facts_told_of_too_accuses_no_validator() -> None:
    assert accusers('http.etag was "a", now "b"') == {ETAG}
    both = f'http.etag was "a", now "b"; http.last_modified was {THEN}, now {LATER}'
    assert accusers(both) == set(VALIDATORS)
    assert accusers('caom.size was 1, now 2; http.etag was "a", now "b"') == set()
    assert accusers("caom.prvversion was 1.17.1, now 1.18.0") == set()
