"""Profiles as the state knows them, and another name for one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.errors import BusyError, ExitCode, UsageError
from jwstwatch.store import tables
from jwstwatch.store.reports import FileQuery
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names, observation

NEW = "ceers"
MEMORY = ProfileMemory(query_digest="d", floor=59000.5, rechecked_at=NOW, completed_at=NOW)
ONE_OFF = "one-off:0123456789ab"


def end(desk: Desk) -> None:
    desk.store.runs.finish(desk.run, Outcome.COMPLETE, counts=Counts(downloaded=3), error=None, now=NOW)


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """A profile with everything that one can have, and another one beside it, neither of them running."""
    desk.observe(observation(1), observation(2))
    desk.fetch(*file_names(3))
    desk.store.runs.remember(PROFILE, MEMORY, now=NOW)
    desk.store.runs.approve(PROFILE, 7)
    other = desk.of(OTHER)
    other.observe(observation(1))
    other.fetch("jw01345001001_02101_00001_nrcb1_rate.fits")
    for at in (desk, other):
        end(at)
    return desk


def test_everything_goes_along_when_a_profile_is_renamed(lived: Desk) -> None:
    store = lived.store
    files = [file.name for file in store.reports.files(FileQuery(profile=PROFILE))]
    before = store.runs.history(profile=PROFILE, limit=5)
    renamed = store.profiles.rename(PROFILE, NEW, now=NOW + HOUR)
    assert (renamed.name, renamed.files, renamed.present, renamed.size) == (NEW, 3, 3, 3000)
    assert store.runs.memory(NEW) == MEMORY
    assert store.runs.memory(PROFILE) is None
    assert store.runs.approved(NEW) == 7
    assert store.runs.history(profile=NEW, limit=5) == [replace(run, profile=NEW) for run in before]
    assert [file.name for file in store.reports.files(FileQuery(profile=NEW))] == files
    assert store.listings.count_observations(NEW) == 2
    for table in (tables.run, tables.interest, tables.want):
        assert {row.profile for row in lived.rows(table)} == {NEW, OTHER}
    # What is asked next is what would have been asked: nothing is wanted anew.
    asked = store.listings.due_observations(NEW, now=NOW, settle=DAY, recheck=DAY)
    assert asked == [*store.listings.due_observations(OTHER, now=NOW, settle=DAY, recheck=DAY), 1002]


def test_what_is_held_against_a_profile_goes_along_too(lived: Desk) -> None:
    notices = lived.store.notices
    told = {
        f"plan waits {PROFILE}": PROFILE,
        f"nothing found {PROFILE}": PROFILE,
        f"nothing found {OTHER}": OTHER,
        "clock": None,
    }
    for cause, profile in told.items():
        notices.raise_(cause, kind="plan", text="t", now=NOW, profile=profile)
    notices.raise_(f"plan waits {NEW}", kind="plan", text="of a profile long gone", now=NOW, profile=NEW)
    assert notices.may_tell(f"plan waits {PROFILE}", now=NOW, pause=HOUR)
    lived.store.profiles.rename(PROFILE, NEW, now=NOW)
    assert {notice.cause: notice.profile for notice in notices.holding()} == {
        f"plan waits {NEW}": NEW,
        f"nothing found {NEW}": NEW,
        f"nothing found {OTHER}": OTHER,
        "clock": None,
    }
    assert {notice.text for notice in notices.holding()} == {"t"}
    assert not notices.may_tell(f"plan waits {NEW}", now=NOW, pause=HOUR)


def test_a_name_that_nobody_knows_or_that_has_a_history_is_refused(lived: Desk) -> None:
    with pytest.raises(UsageError, match="knows no profile 'nircom'") as caught:
        lived.store.profiles.rename("nircom", NEW, now=NOW)
    assert caught.value.hint == f"It knows: {OTHER}, {PROFILE}."
    with pytest.raises(UsageError, match=f"{OTHER} has a history of its own"):
        lived.store.profiles.rename(PROFILE, OTHER, now=NOW)
    lived.store.runs.begin("only-begun", Trigger.MANUAL, now=NOW)
    with pytest.raises(BusyError):
        lived.store.profiles.rename(PROFILE, "only-begun", now=NOW)
    assert lived.store.runs.memory(PROFILE) == MEMORY


def test_nothing_is_renamed_while_a_run_of_it_goes_on(lived: Desk) -> None:
    run = lived.store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    with pytest.raises(BusyError, match=f"{PROFILE}: a run goes on") as caught:
        lived.store.profiles.rename(PROFILE, NEW, now=NOW)
    assert caught.value.exit_code is ExitCode.BUSY
    # One whose process is dead is closed, and in nobody's way.
    with lived.store.database.write() as connection:
        connection.execute(tables.run.update().where(tables.run.c.id == run.id).values(process_start="0:1"))
    lived.store.profiles.rename(PROFILE, NEW, now=NOW)
    assert lived.scalar(select(tables.run.c.outcome).where(tables.run.c.id == run.id)) == "cancelled"


def test_every_profile_that_left_something_is_listed(lived: Desk) -> None:
    ids = lived.want("jw01345001001_02101_00009_nrca1_rate.fits")
    lived.set_file([next(iter(ids.values()))], state=FileState.FAILED.value)
    typed = lived.of(ONE_OFF)
    typed.fetch("jw01345001001_02101_00001_nrcb2_rate.fits")
    everything, nircam, typed_one = sorted(lived.store.profiles.all(), key=lambda each: each.name)
    assert (nircam.name, nircam.files, nircam.present, nircam.size) == (PROFILE, 4, 3, 3000)
    assert nircam.last is not None
    assert nircam.last.counts.downloaded == 3
    assert not nircam.is_one_off
    assert (everything.name, everything.present) == (OTHER, 1)
    assert typed_one.is_one_off
    assert lived.store.profiles.names() == [OTHER, PROFILE]


def test_a_state_that_was_never_used_knows_no_profile(store: Store) -> None:
    assert store.profiles.all() == []
    with pytest.raises(UsageError) as caught:
        store.profiles.rename(PROFILE, NEW, now=NOW)
    assert "No profile has run yet" in caught.value.hint
