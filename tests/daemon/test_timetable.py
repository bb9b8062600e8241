"""The timetable's own signs of life, whatever the clock does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from jwstwatch.daemon import timetable as room
from jwstwatch.daemon.timetable import Timetable


@pytest.fixture
def timetable() -> Iterator[Timetable]:
    made = Timetable(lambda _profile, _trigger: None)
    made.start()
    yield made
    made.stop()


def pulse_is_due_in(timetable: Timetable) -> timedelta:
    (job,) = timetable._scheduler.get_jobs()
    due: datetime = job.next_run_time
    return due - datetime.now(UTC)


def test_a_clock_that_is_put_back_does_not_silence_the_pulse(timetable: Timetable) -> None:
    # As if the clock had been an hour ahead when the next sign of life was entered.
    timetable._scheduler.reschedule_job(
        room._PULSE_JOB, trigger="date", run_date=datetime.now(UTC) + timedelta(hours=1)
    )
    timetable.look_again()
    assert pulse_is_due_in(timetable) <= timedelta(seconds=room.PULSE)


def test_signs_of_life_that_were_missed_are_not_made_up_for(timetable: Timetable) -> None:
    beats = []
    right = timetable._beat
    timetable._beat = lambda: (beats.append(1), right())[1]  # type: ignore[method-assign]
    timetable._scheduler.add_job(
        timetable._beat,
        "date",
        run_date=datetime.now(UTC) - timedelta(days=400),
        id=room._PULSE_JOB,
        replace_existing=True,
    )
    assert pulse_is_due_in(timetable) <= timedelta(seconds=room.PULSE)
    assert len(beats) <= 1
    assert timetable.is_alive()


def test_a_scheduler_that_gives_no_sign_for_long_counts_as_dead(
    timetable: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "DEAD", -1.0)
    assert not timetable.is_alive()
