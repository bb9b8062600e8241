"""What is forgotten in time, and that nothing anybody asks for goes with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import ArchiveError
from jwstwatch.store import newsfeed, tables, upkeep
from jwstwatch.store.news import News
from jwstwatch.store.notices import Notices
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from jwstwatch.store.tellings import Tellings
from jwstwatch.store.upkeep import Forgotten, forget
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, RATE, Desk, row

YEARS = timedelta(days=730)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of few runs stands for one of many."""
    monkeypatch.setattr(upkeep, "LAST_RUNS", 2)
    monkeypatch.setattr(upkeep, "_AT_ONCE", 3)


def idle_run(store: Store, profile: str, at: datetime, outcome: Outcome = Outcome.COMPLETE) -> int:
    """Let a run come and go without a change to any file."""
    run = store.runs.begin(profile, Trigger.SCHEDULE, now=at)
    error = ArchiveError("the archive is down", hint="Wait.") if outcome is Outcome.FAILED else None
    store.runs.finish(run, outcome, counts=Counts(bytes=7), error=error, now=at + HOUR)
    return run.id


def known(store: Store) -> set[int]:
    with store.database.read() as connection:
        return set(connection.execute(select(tables.run.c.id)).scalars())


def clear_up(store: Store, *, now: datetime) -> Forgotten:
    return forget(store.database, before=now - YEARS, stop=lambda: False)


def test_old_runs_that_did_nothing_go_and_the_last_of_each_profile_stay(store: Store) -> None:
    mine = [idle_run(store, PROFILE, NOW + number * DAY) for number in range(8)]
    other = [idle_run(store, OTHER, NOW + number * DAY) for number in range(4)]
    once = idle_run(store, "once", NOW)
    totals = News(store.database).totals()
    last = store.runs.last([PROFILE, OTHER, "once"])
    assert clear_up(store, now=NOW + YEARS) == Forgotten()
    assert clear_up(store, now=NOW + YEARS + 6 * DAY + 2 * HOUR).runs == 8
    assert known(store) == {*mine[-2:], *other[-2:], once}
    assert store.runs.last([PROFILE, OTHER, "once"]) == last
    assert [record.id for record in store.runs.history(profile=PROFILE, limit=9)] == mine[:-3:-1]
    # A counter that fell would look like a new one.
    assert News(store.database).totals() == totals
    idle_run(store, PROFILE, NOW + 9 * DAY)
    clear_up(store, now=NOW + 2 * YEARS)
    assert News(store.database).totals()[PROFILE] == {"runs": 9, "files": 0, "bytes": 63}


def test_what_is_younger_than_the_limit_stays_however_much_it_is(store: Store) -> None:
    runs = {idle_run(store, PROFILE, NOW + number * HOUR * 2) for number in range(7)}
    assert clear_up(store, now=NOW + YEARS) == Forgotten()
    assert known(store) == runs


def test_the_run_with_which_the_next_one_is_compared_stays(store: Store) -> None:
    failed = idle_run(store, PROFILE, NOW, Outcome.FAILED)
    stopped = [idle_run(store, PROFILE, NOW + number * DAY, Outcome.CANCELLED) for number in range(1, 6)]
    clear_up(store, now=NOW + 2 * YEARS)
    assert known(store) == {failed, *stopped[-2:]}


def test_the_runs_since_the_last_whole_listing_stay_before_a_removal_they_are_asked_for(store: Store) -> None:
    before = [idle_run(store, PROFILE, NOW + number * DAY) for number in range(3)]
    memory = ProfileMemory(query_digest="d", floor=None, rechecked_at=None, completed_at=NOW + 2 * DAY)
    store.runs.remember(PROFILE, memory, now=NOW)
    amid_its_listing = idle_run(store, PROFILE, NOW + 3 * DAY, Outcome.FAILED)
    unanswered = [idle_run(store, PROFILE, NOW + number * DAY, Outcome.FAILED) for number in range(4, 8)]
    assert clear_up(store, now=NOW + 2 * YEARS).runs == len(before)
    assert known(store) == {amid_its_listing, *unanswered}


def test_a_run_that_the_history_names_stays_and_feeds_and_files_tell_what_they_told(desk: Desk) -> None:
    store = desk.store
    desk.fetch(RATE)
    idle = desk.next_run()
    later = replace(idle, now=NOW + DAY).next_run()
    later.list(row(RATE, size=1500))  # its event is of the product: revised
    later = replace(later, now=NOW + 2 * DAY).next_run()
    for number in range(3, 6):
        later = replace(later, now=NOW + number * DAY).next_run()
    named = {desk.run.id, later.run.id}
    with store.database.read() as connection:
        named |= set(connection.execute(select(tables.event.c.run_id)).scalars())
        feed = newsfeed.read_news(connection, desk.root.id)
    totals, why = News(store.database).totals(), store.reports.product(RATE)
    gone = clear_up(store, now=NOW + 2 * YEARS).runs
    assert gone >= 2
    assert named <= known(store)
    assert idle.run.id not in known(store)
    with store.database.read() as connection:
        assert newsfeed.read_news(connection, desk.root.id) == feed != ()
    assert (News(store.database).totals(), store.reports.product(RATE)) == (totals, why)


def test_a_run_that_goes_on_or_has_a_claim_is_left_alone(desk: Desk) -> None:
    store = desk.store
    desk.want(RATE)
    desk.claim()
    with store.database.write() as connection:
        connection.execute(tables.event.delete())
        # As only a damaged history has it: the claim alone keeps the run.
        ended = {"outcome": "complete", "finished_at": NOW}
        connection.execute(update(tables.run).where(tables.run.c.id == desk.run.id).values(ended))
    for number in range(3):
        idle_run(store, PROFILE, NOW + number * DAY)
    going_on = store.runs.begin(PROFILE, Trigger.SCHEDULE, now=NOW + 4 * DAY)
    clear_up(store, now=NOW + 2 * YEARS)
    assert {desk.run.id, going_on.id} <= known(store)


def test_notices_that_are_over_go_those_that_hold_and_how_far_was_told_stay(store: Store) -> None:
    notices, tellings = Notices(store.database), Tellings(store.database)
    for cause in ("over", "holds", "over lately"):
        notices.raise_(cause, kind="profile", text="something", now=NOW)
    notices.clear("over", now=NOW + DAY)
    notices.clear("over lately", now=NOW + YEARS)
    tellings.begin({"news watch": PROFILE}, now=NOW)
    for _ in range(3):
        idle_run(store, PROFILE, NOW)
    assert clear_up(store, now=NOW + YEARS + 2 * DAY) == Forgotten(runs=1, notices=1)
    assert clear_up(store, now=NOW + YEARS + 2 * DAY) == Forgotten()
    with store.database.read() as connection:
        causes = set(connection.execute(select(tables.notice.c.cause)).scalars())
    assert causes == {"holds", "over lately", "news watch", f"runs forgotten {PROFILE}"}
    assert [notice.cause for notice in notices.holding()] == ["holds"]


def test_a_renamed_profile_keeps_what_its_forgotten_runs_came_to(store: Store) -> None:
    for number in range(5):
        idle_run(store, PROFILE, NOW + number * DAY)
    clear_up(store, now=NOW + 2 * YEARS)
    store.profiles.rename(PROFILE, "renamed", now=NOW + 2 * YEARS)
    assert News(store.database).totals() == {"renamed": {"runs": 5, "files": 0, "bytes": 35}}


def test_it_ends_between_two_transactions_when_it_is_to_stop(store: Store) -> None:
    for number in range(9):
        idle_run(store, PROFILE, NOW + number * DAY)
    asked = iter([False, True, True])
    assert forget(store.database, before=NOW + YEARS, stop=lambda: next(asked)) == Forgotten(runs=3)
    assert len(known(store)) == 6
