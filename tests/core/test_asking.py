"""What is asked this time: the window, the floor, and when to look again from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.asking import MARGIN, ProfileMemory, TimeRules, ask, recheck_quota, remembered
from jwstwatch.core.dates import DateRange, to_mjd

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = TimeRules(dates=None, lookback=3.0, whole=False, recheck=7 * DAY, settle=14 * DAY)
WHOLE = replace(RULES, whole=True)


def mjd(days: float = 0) -> float:
    return to_mjd(NOW + timedelta(days=days))


def run(
    rules: TimeRules, memory: ProfileMemory | None, *, days: float = 0, digest: str = "a", full: bool = False
) -> tuple[tuple[float | None, float | None], bool, bool, ProfileMemory]:
    """Ask at a time and remember: (window, from the floor, everything, memory)."""
    moment = NOW + timedelta(days=days)
    asked = ask(rules, memory, digest=digest, now=moment, full=full)
    return (
        (asked.minimum, asked.maximum),
        asked.from_floor,
        asked.everything,
        remembered(asked, memory, digest=digest, started=moment),
    )


def test_the_first_run_looks_back_as_far_as_the_profile_says_and_asks_for_everything() -> None:
    window, from_floor, everything, memory = run(RULES, None)
    assert window == (mjd(-3), mjd() + MARGIN)
    assert (from_floor, everything) == (True, True)
    assert memory == ProfileMemory(query_digest="a", floor=mjd(-3), rechecked_at=NOW, completed_at=NOW)


def test_a_usual_run_asks_for_the_window_before_now() -> None:
    memory = run(RULES, None)[3]
    window, from_floor, everything, memory = run(RULES, memory, days=1)
    # As far back as one whose predecessor was a day ago: nothing falls between two runs.
    assert window == (mjd(-3), mjd(1) + MARGIN)
    assert (from_floor, everything) == (False, False)
    assert (memory.floor, memory.rechecked_at, memory.completed_at) == (mjd(-3), NOW, NOW + DAY)


def test_the_window_reaches_back_over_a_time_in_which_nobody_asked() -> None:
    memory = ProfileMemory(
        query_digest="a", floor=mjd(-400), rechecked_at=NOW, completed_at=NOW - timedelta(days=90)
    )
    window, from_floor, _, _ = run(RULES, memory)
    assert window[0] == pytest.approx(mjd(-93))
    assert not from_floor


def test_a_memory_without_a_complete_run_stretches_nothing() -> None:
    memory = ProfileMemory(query_digest="a", floor=mjd(-400), rechecked_at=NOW, completed_at=None)
    assert run(RULES, memory)[0][0] == mjd(-3)


@pytest.mark.parametrize(("days", "again"), [(6.99, False), (7, True), (30, True)])
def test_every_so_often_the_window_reaches_back_to_the_floor(days: float, again: bool) -> None:
    memory = run(RULES, None)[3]
    memory = replace(memory, completed_at=NOW + timedelta(days=days - 1))
    window, from_floor, everything, after = run(RULES, memory, days=days)
    assert (from_floor, everything) == (again, False)
    assert window[0] == pytest.approx(mjd(-3) if again else mjd(days - 4))
    assert after.rechecked_at == (NOW + timedelta(days=days) if again else NOW)


@pytest.mark.parametrize(
    ("memory", "digest", "full", "everything"),
    [
        (None, "a", False, True),
        ("kept", "a", False, False),
        ("kept", "b", False, True),
        ("kept", "a", True, True),
    ],
)
def test_everything_is_asked_for_again_by_a_new_query_or_on_request(
    memory: str | None, digest: str, full: bool, everything: bool
) -> None:
    kept = None if memory is None else run(RULES, None)[3]
    window, from_floor, found, after = run(RULES, kept, days=1, digest=digest, full=full)
    assert (from_floor, found) == (everything, everything)
    assert after.query_digest == digest
    if everything and kept is not None:
        assert window[0] == mjd(-3)
        assert after.rechecked_at == NOW + DAY


def test_a_longer_look_back_lowers_the_floor_and_a_shorter_one_leaves_it() -> None:
    memory = run(RULES, None)[3]
    longer = run(replace(RULES, lookback=30.0), memory, days=1, digest="b")
    assert longer[0][0] == longer[3].floor == mjd(-29)
    shorter = run(replace(RULES, lookback=1.0), longer[3], days=2, digest="c")
    assert shorter[3].floor == mjd(-29)


@pytest.mark.parametrize("rules", [WHOLE, replace(RULES, lookback=0.0)])
def test_a_whole_proposal_is_asked_for_without_limits_at_every_run(rules: TimeRules) -> None:
    window, _, everything, memory = run(rules, None)
    assert (window, everything, memory.floor) == ((None, None), True, None)
    window, from_floor, everything, memory = run(rules, memory, days=1)
    assert (window, from_floor, everything) == ((None, None), False, False)
    assert run(rules, memory, days=8)[1]


def test_a_query_that_was_for_a_whole_proposal_begins_a_floor_of_its_own() -> None:
    memory = run(WHOLE, None)[3]
    assert run(RULES, memory, days=5, digest="b")[3].floor == mjd(2)


@pytest.mark.parametrize(
    ("dates", "window"),
    [
        (DateRange(59752.5, 59753.5), (59752.5, 59753.5)),
        (DateRange(59752.5, None), (59752.5, mjd() + MARGIN)),
        (DateRange(None, 59753.5), (None, 59753.5)),
        (DateRange(59752.5, 70000.0), (59752.5, 70000.0)),
    ],
)
def test_given_dates_are_the_window_of_every_run(
    dates: DateRange, window: tuple[float | None, float | None]
) -> None:
    rules = replace(RULES, dates=dates, whole=True)  # they count before everything else
    found, from_floor, everything, memory = run(rules, None)
    assert (found, from_floor, everything) == (window, True, True)
    assert memory.floor == dates.minimum
    absent = replace(memory, completed_at=NOW - timedelta(days=90), rechecked_at=NOW)
    assert run(rules, absent)[:3] == (window, False, False)


steps = st.lists(
    st.tuples(st.floats(0.01, 60), st.sampled_from([0.5, 3.0, 30.0]), st.booleans()), min_size=1, max_size=12
)


@given(steps)
def test_the_floor_never_slides_forward_and_no_window_leaves_a_gap(
    history: list[tuple[float, float, bool]],
) -> None:
    memory: ProfileMemory | None = None
    days = 0.0
    for wait, lookback, full in history:
        days += wait
        before = memory
        window, from_floor, _, memory = run(
            replace(RULES, lookback=lookback), memory, days=days, digest=str(lookback), full=full
        )
        minimum, maximum = window
        assert memory.floor is not None
        assert minimum is not None
        assert maximum is not None
        assert memory.floor <= minimum <= mjd(days) < maximum
        assert minimum <= mjd(days - lookback) + 1e-6
        if from_floor:
            assert minimum == memory.floor
            assert memory.rechecked_at == NOW + timedelta(days=days)
        if before is not None and before.floor is not None and before.completed_at is not None:
            assert memory.floor <= before.floor
            assert minimum <= to_mjd(before.completed_at) + 1e-6


@given(steps)
def test_the_floor_is_asked_from_at_least_once_in_every_period(
    history: list[tuple[float, float, bool]],
) -> None:
    memory = run(RULES, None)[3]
    days = 0.0
    for wait, _, _ in history:
        days += wait
        memory = run(RULES, memory, days=days)[3]
        assert memory.rechecked_at is not None
        assert NOW + timedelta(days=days) - memory.rechecked_at < RULES.recheck


def quota(known: int, **passed: float) -> int:
    """The quota of a run so long after the last whole listing."""
    return recheck_quota(known, recheck=RULES.recheck, completed_at=NOW, now=NOW + timedelta(**passed))


def test_a_run_right_after_another_rechecks_nothing() -> None:
    assert quota(5000, seconds=30) == 0
    assert quota(5000, seconds=-3600) == 0, "a clock that was set back"
    assert recheck_quota(5000, recheck=RULES.recheck, completed_at=None, now=NOW) == 0


def test_a_run_rechecks_the_share_of_the_period_that_passed_and_never_more_than_there_is() -> None:
    assert quota(5600, hours=6) == 200
    assert quota(5600, days=7) == quota(5600, days=400) == 5600
    assert recheck_quota(12, recheck=timedelta(0), completed_at=NOW, now=NOW) == 12


@dataclass
class Watched:
    """Observations with the time of their last check, as runs ask for them again. Times in days."""

    checked: list[float]
    completed: float = 0.0

    def run(self, now: float) -> int:
        """Recheck as a run does; returns how many were asked for."""
        share = recheck_quota(
            len(self.checked),
            recheck=RULES.recheck,
            completed_at=NOW + self.completed * DAY,
            now=NOW + now * DAY,
        )
        self.checked.sort()
        due = [
            number
            for number, at in enumerate(self.checked)
            if number < share or (now - at) * DAY >= RULES.recheck
        ]
        for number in due:
            self.checked[number] = now
        self.completed = now
        return len(due)


@given(st.integers(0, 400), st.lists(st.floats(0.01, 20), min_size=1, max_size=60))
def test_however_runs_follow_each_other_every_observation_is_asked_for_within_a_period(
    known: int, waits: list[float]
) -> None:
    watched = Watched(checked=[0.0] * known)
    now = 0.0
    for wait in waits:
        now += wait
        watched.run(now)
        assert all((now - at) * DAY < RULES.recheck for at in watched.checked)


@given(st.integers(0, 500), st.sampled_from([0.25, 0.5, 1.0, 3.5]))
def test_in_steady_work_each_run_bears_about_the_same_part(known: int, every: float) -> None:
    watched = Watched(checked=[0.0] * known)
    runs = math.ceil(7 / every)
    asked = [watched.run(number * every) for number in range(1, 4 * runs)]
    # What rounding leaves over is less than one observation a run, and comes at once.
    assert max(asked) <= known * every / 7 + runs
    assert sum(asked[-runs:]) <= known + 2 * runs


@given(st.integers(1, 500), st.floats(7, 4000))
def test_after_a_long_absence_everything_is_asked_for_at_once(known: int, absence: float) -> None:
    watched = Watched(checked=[0.0] * known)
    assert watched.run(absence) == known


def test_times_that_a_clock_ahead_of_today_told_hold_nothing_up() -> None:
    ahead = NOW + 400 * DAY
    memory = ProfileMemory(query_digest="a", floor=mjd(-400), rechecked_at=ahead, completed_at=ahead)
    asking = ask(RULES, memory, digest="a", now=NOW)
    assert asking.from_floor
    assert asking.minimum == mjd(-400)
    assert remembered(asking, memory, digest="a", started=NOW).rechecked_at == NOW
