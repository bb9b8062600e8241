"""What is there to tell since something was told last, and how far that was."""

from __future__ import annotations

from typing import Any

import pytest

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import ArchiveError, CancelledError, JwstwatchError, StorageError
from jwstwatch.store.news import NEW, REPROCESSED, News
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from jwstwatch.store.tellings import Mark, Tellings
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names, row

NAMES = file_names(6)
OTHERS = "jw02561001001_02101_00001_nrca1_rate.fits"
START = Mark()


def end(desk: Desk, error: JwstwatchError | None = None, **counts: int) -> Mark:
    """End the desk's run; returns how far the history goes then."""
    outcome = Outcome.CANCELLED if isinstance(error, CancelledError) else Outcome.COMPLETE
    if error is not None and outcome is not Outcome.CANCELLED:
        outcome = Outcome.FAILED
    desk.store.runs.finish(desk.run, outcome, counts=Counts(**counts), error=error, now=desk.now)
    mark = Tellings(desk.store.database).newest(desk.profile)
    assert mark is not None
    return mark


def again(desk: Desk) -> Desk:
    """The same desk with another run."""
    return Desk(
        store=desk.store,
        root=desk.root,
        run=desk.store.runs.begin(desk.profile, Trigger.SCHEDULE, now=desk.now),
        profile=desk.profile,
        now=desk.now,
    )


def came(desk: Desk, *, after: Mark = START, profile: str = PROFILE) -> dict[str, int]:
    until = Tellings(desk.store.database).newest(profile)
    assert until is not None
    found = News(desk.store.database).arrivals(profile, after=after, until=until)
    return {what: sum(entry.files for entry in entries) for what, entries in found.items()}


def test_files_that_came_are_new_by_proposal(desk: Desk) -> None:
    desk.list(row(OTHERS, proposal=2561))
    desk.fetch(*NAMES[:2], OTHERS)
    until = end(desk)

    found = News(desk.store.database).arrivals(PROFILE, after=START, until=until)

    assert [(entry.proposal, entry.files, entry.size, entry.example) for entry in found[NEW]] == [
        (1345, 2, 2000, NAMES[0]),
        (2561, 1, 1000, OTHERS),
    ]
    assert found[REPROCESSED] == []


def test_what_was_told_is_not_told_again(desk: Desk) -> None:
    desk.fetch(NAMES[0])
    told = end(desk)
    later = again(desk)
    later.fetch(NAMES[1])
    end(later)

    assert came(desk, after=told) == {NEW: 1, REPROCESSED: 0}
    assert came(desk) == {NEW: 2, REPROCESSED: 0}


def test_a_file_with_a_newer_revision_is_reprocessed(desk: Desk) -> None:
    desk.fetch(NAMES[0])
    told = end(desk)
    later = again(desk)
    later.list(row(NAMES[0], size=2000))
    later.place(*later.claim())
    end(later)

    assert came(desk, after=told) == {NEW: 0, REPROCESSED: 1}


def test_a_file_that_was_lost_and_came_back_is_no_news(desk: Desk) -> None:
    ids = desk.fetch(NAMES[0])
    told = end(desk)
    later = again(desk)
    later.set_file(ids.values(), state="wanted")
    later.place(*later.claim())
    end(later)

    assert came(desk, after=told) == {NEW: 0, REPROCESSED: 0}


def test_a_file_that_was_lost_after_it_had_been_reprocessed_is_no_news_either(desk: Desk) -> None:
    ids = desk.fetch(NAMES[0])
    desk.list(row(NAMES[0], size=2000))
    desk.next_run()
    later = Desk(store=desk.store, root=desk.root, run=desk.store.runs.history(profile=PROFILE, limit=1)[0])
    later.place(*later.claim())
    told = end(later)
    last = again(desk)
    last.set_file(ids.values(), state="wanted")
    last.place(*last.claim())
    end(last)

    assert came(desk, after=told) == {NEW: 0, REPROCESSED: 0}


def test_what_another_profile_fetched_is_its_own_news(desk: Desk) -> None:
    other = desk.of(OTHER)
    other.fetch(NAMES[0])
    end(other)
    end(desk)

    assert came(desk) == {NEW: 0, REPROCESSED: 0}
    assert came(desk, profile=OTHER) == {NEW: 1, REPROCESSED: 0}


def test_a_run_in_progress_is_told_at_its_end(desk: Desk) -> None:
    desk.fetch(NAMES[0])

    assert Tellings(desk.store.database).newest(PROFILE) is None
    assert Tellings(desk.store.database).newest(OTHER) is not None


def test_what_a_killed_run_fetched_is_told_with_the_next(desk: Desk) -> None:
    desk.fetch(NAMES[0])
    desk.store.runs.finish(desk.run, Outcome.CANCELLED, counts=Counts(), error=None, now=NOW)
    end(again(desk))

    assert came(desk) == {NEW: 1, REPROCESSED: 0}


def test_files_that_fail_are_told_when_they_first_fail(desk: Desk) -> None:
    desk.want(*NAMES[:2])
    claims = {claim.name: claim for claim in desk.claim()}
    desk.fail(claims[NAMES[0]])
    told = end(desk)
    later = again(desk.later(2 * HOUR))
    later.fail(*later.claim(), message="the archive has lost it (HTTP 404)")
    until = end(later)
    news = News(desk.store.database)

    first = news.failures(PROFILE, after=START, until=told)
    second = news.failures(PROFILE, after=told, until=until)

    assert (first.files, second.files) == (0, 1), "the first has failed twice by now: only then is it old"
    assert [(entry.name, entry.problem) for entry in second.examples] == [
        (NAMES[1], "the archive has lost it (HTTP 404)")
    ]
    assert news.failures(PROFILE, after=START, until=until).files == 2


def test_a_file_that_came_after_all_has_not_failed(desk: Desk) -> None:
    desk.want(NAMES[0])
    desk.fail(*desk.claim())
    end(desk)
    later = again(desk.later(2 * HOUR))
    later.place(*later.claim())
    until = end(later)

    assert News(desk.store.database).failures(PROFILE, after=START, until=until).files == 0


def test_many_failures_are_counted_and_some_are_named(desk: Desk) -> None:
    desk.want(*file_names(20))
    desk.fail(*desk.claim())

    found = News(desk.store.database).failures(PROFILE, after=START, until=end(desk))

    assert found.files == 20
    assert [entry.name for entry in found.examples] == file_names(5)


FULL = StorageError("the disk is full", hint="Free some space there.")


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([FULL], [0]),
        ([FULL, FULL, FULL], [0]),
        ([FULL, None, FULL], [0, 2]),
        ([FULL, CancelledError("interrupted"), FULL], [0]),
        ([None, FULL, JwstwatchError("the program failed unexpectedly")], [1, 2]),
        ([ArchiveError("the archive is down")], []),
    ],
    ids=["once", "goes on", "comes back", "goes on after a stop", "another", "told by the archive's notice"],
)
def test_what_stops_runs_is_told_when_it_begins(
    desk: Desk, errors: list[JwstwatchError | None], told: list[int]
) -> None:
    runs = []
    for number, error in enumerate(errors):
        desk = again(desk) if number else desk
        runs.append(desk.run.id)
        until = end(desk, error)

    troubles = News(desk.store.database).failures(PROFILE, after=START, until=until).troubles

    assert [runs.index(trouble.run_id) for trouble in troubles] == told


def test_trouble_that_was_told_and_goes_on_is_not_told_again(desk: Desk) -> None:
    told = end(desk, FULL)
    until = end(again(desk), FULL)

    assert News(desk.store.database).failures(PROFILE, after=told, until=until).troubles == ()


def test_a_day_and_all_days_are_summed_by_profile(desk: Desk) -> None:
    end(desk, downloaded=3, bytes=300)
    end(again(desk.later(2 * DAY)), downloaded=2, bytes=200)
    end(again(desk.later(2 * DAY)), FULL, downloaded=1, bytes=100)
    desk.of(OTHER)
    news = News(desk.store.database)

    day = news.days(since=NOW + DAY)[PROFILE]

    assert (day.runs, day.failed_runs, day.files, day.size) == (2, 1, 3, 300)
    assert news.totals() == {PROFILE: {"runs": 3, "files": 6, "bytes": 600}}


def test_the_past_is_no_news_to_somebody_who_begins_to_listen(desk: Desk) -> None:
    desk.fetch(NAMES[0])
    until = end(desk)
    tellings = Tellings(desk.store.database)

    tellings.begin({"news new nircam": PROFILE}, now=NOW)
    again(desk).fetch(NAMES[1])
    tellings.begin({"news new nircam": PROFILE, "news digest": None}, now=NOW + HOUR)

    told = tellings.told(["news new nircam", "news digest", "never heard of"])
    assert set(told) == {"news new nircam", "news digest"}
    assert told["news new nircam"].mark == until
    assert told["news new nircam"].first_at == NOW
    assert told["news digest"].mark.event > until.event


def test_what_is_told_is_no_notice_that_anybody_should_see_to(store: Store) -> None:
    tellings = Tellings(store.database)
    tellings.begin({"news new nircam": PROFILE}, now=NOW)

    assert store.notices.holding() == []
    assert store.notices.may_tell("news new nircam", now=NOW, pause=HOUR)
    assert not store.notices.may_tell("news new nircam", now=NOW, pause=HOUR)


def test_a_mark_moves_and_is_kept(store: Store) -> None:
    tellings = Tellings(store.database)
    tellings.begin({"news new nircam": PROFILE}, now=NOW)

    tellings.move("news new nircam", Mark(120, 45), now=NOW)

    facts: Any = tellings.told(["news new nircam"])["news new nircam"]
    assert facts.mark == Mark(120, 45)
