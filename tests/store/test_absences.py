"""Files that the archive lists and does not have: when that is certain, and what it costs then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION, DiskKind, OnDisk
from jwstwatch.core.retrying import NOT_THERE, FailureKind
from jwstwatch.store.runs import Counts
from tests.store.desk import DAY, HOUR, NOW, PROFILE, RATE, Desk, file_names, observation, row

WEEK = 7 * DAY
ABSENT = "listed, and yet not there (HTTP 404)"


def kind(desk: Desk, name: str = RATE) -> FailureKind | None:
    """How a file is known to have failed, as its next claim tells."""
    (claim,) = [claim for claim in desk.claim(force=True) if claim.name == name]
    return claim.failed_as


def fail(desk: Desk, failure: FailureKind, again: timedelta = WEEK) -> Desk:
    """Let everything that is due fail; returns the desk of the next run."""
    desk.fail(*desk.claim(), kind=failure, message=ABSENT, reason=NOT_THERE, again=desk.now + again)
    return desk.next_run()


def due(desk: Desk) -> list[int]:
    return desk.store.listings.due_observations(desk.profile, now=desk.now, settle=14 * DAY, recheck=WEEK)


@pytest.fixture
def listed(desk: Desk) -> Desk:
    """An old observation with one file, all of it listed and checked."""
    desk.observe(observation(1))
    desk.want(RATE)
    desk.store.listings.mark_checked(PROFILE, [1001], now=NOW)
    return desk


def test_a_file_that_was_never_tried_failed_in_no_way(listed: Desk) -> None:
    assert kind(listed) is None


def test_a_list_that_names_the_file_again_is_remembered(listed: Desk) -> None:
    run = fail(listed, FailureKind.MISSING)
    other = row(file_names(2)[1])
    run.list(other)
    assert kind(run) is FailureKind.MISSING, "that list did not name it"
    run = run.next_run()
    run.list(row(), other)
    assert kind(run) is FailureKind.STILL_LISTED


@pytest.mark.parametrize("failure", [FailureKind.CONTENT, FailureKind.REFUSED, FailureKind.ARCHIVE])
def test_a_list_says_nothing_about_other_failures(listed: Desk, failure: FailureKind) -> None:
    run = fail(listed, failure)
    run.list(row())
    assert kind(run) is failure


def test_a_readable_older_copy_does_not_hide_that_the_newer_one_is_absent(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(size=2000))
    run = fail(desk.next_run(), FailureKind.MISSING)
    run.list(row(size=2000))
    run.replan(on_disk=OnDisk(DiskKind.FILE, 1000))
    assert kind(run) is FailureKind.STILL_LISTED
    assert run.file().state is FileState.STALE


def test_an_absent_file_costs_no_product_list(listed: Desk) -> None:
    later = listed.later(HOUR)
    assert due(later) == [1001], "wanted"
    run = fail(later, FailureKind.MISSING)
    assert due(run) == [1001], "failed"
    run.list(row())
    assert due(run) == [1001], "still uncertain"
    run.fail(*run.claim(force=True), kind=FailureKind.ABSENT, again=run.now + WEEK)
    assert due(run) == []
    # Nor does it keep others of the observation from unsettling it.
    run.want(file_names(2)[1])
    assert due(run) == [1001]


def test_an_absent_file_waits_longer_than_any_other(listed: Desk) -> None:
    run = fail(listed, FailureKind.ABSENT, 60 * DAY)
    for days in (1, 30, 59):
        assert run.later(days * DAY).claim() == []
    (claim,) = run.later(60 * DAY).claim()
    assert claim.failed_as is FailureKind.ABSENT


def test_an_absence_that_a_clock_ahead_of_today_found_is_not_believed(listed: Desk) -> None:
    ahead = listed.later(400 * DAY)
    run = fail(ahead, FailureKind.ABSENT)
    back = run.later(-399 * DAY)
    assert [claim.name for claim in back.claim()] == [RATE]


def test_force_and_retry_try_an_absent_file_at_once(listed: Desk) -> None:
    run = fail(listed, FailureKind.ABSENT)
    assert run.claim() == []
    assert [claim.name for claim in run.claim(force=True)] == [RATE]
    run = run.next_run()
    assert run.store.transfers.retry([], profiles=(), now=run.now) == (1, [PROFILE])
    (claim,) = run.claim()
    assert (claim.failed_as, claim.attempts) == (None, 0)


@pytest.mark.parametrize("failure", [FailureKind.MISSING, FailureKind.STILL_LISTED, FailureKind.ABSENT])
def test_another_content_is_tried_at_once(listed: Desk, failure: FailureKind) -> None:
    run = fail(listed, failure)
    run.list(row(size=2000))
    assert (run.file().state, run.file().reason) == (FileState.WANTED, NEWER_REVISION)
    (claim,) = run.claim()
    assert (claim.failed_as, claim.attempts, claim.revision) == (None, 0, 2)


def test_an_absent_file_failed_in_the_run_that_tried_it_and_is_unchanged_after(listed: Desk) -> None:
    listed.fail(*listed.claim(), kind=FailureKind.ABSENT, again=NOW + WEEK)
    reports = listed.store.reports
    assert reports.of_run(listed.run.id, PROFILE) == Counts(failed=1)
    run = listed.next_run()
    assert reports.of_run(run.run.id, PROFILE) == Counts(unchanged=1)
    assert reports.counts()[PROFILE].files == {FileState.FAILED: 1}, "and whoever asks is told"
    again = run.later(WEEK)
    again.fail(*again.claim(), kind=FailureKind.ABSENT, again=again.now + WEEK)
    assert reports.of_run(again.run.id, PROFILE) == Counts(failed=1)


def test_a_newer_content_that_is_absent_is_no_failure_of_every_run_either(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(size=2000))
    run = fail(desk.next_run(), FailureKind.ABSENT)
    assert run.store.reports.of_run(run.run.id, PROFILE) == Counts(unchanged=1)
