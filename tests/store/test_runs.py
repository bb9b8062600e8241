"""Runs: one at a time for each profile, buried when their process is dead, and what profiles remember."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.errors import ArchiveError, BusyError, ExitCode
from jwstwatch.store import liveness, tables
from jwstwatch.store.runs import SILENCE, Counts, RunRecord
from jwstwatch.store.store import Store
from tests.store.desk import DAY, HOUR, LEASE, NOW, OTHER, PROFILE, Desk, file_names

# Begins a run, claims what is due, says so, and goes on until it is killed.
_CHILD = """
import sys
from jwstwatch.core.model import Trigger
from jwstwatch.store.store import open_store
from tests.store.desk import DAY, NOW, PROFILE
store = open_store(sys.argv[1], upgrade=False)
run = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
claims = store.transfers.claim(run.id, PROFILE, limit=100, now=NOW, lease_until=NOW + DAY)
print(run.id, len(claims), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(url: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process in the middle of a run: (process, run, how many files it has claimed)."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert child.stdout is not None
    try:
        number, claimed = child.stdout.readline().split()
        yield child, int(number), int(claimed)
    finally:
        child.kill()
        child.communicate()


def finish(store: Store, run: RunRecord, outcome: Outcome = Outcome.COMPLETE) -> RunRecord:
    return store.runs.finish(run, outcome, counts=Counts(), error=None, now=NOW)


def change_run(store: Store, run: RunRecord, **values: Any) -> None:
    with store.database.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.id == run.id).values(values))


def test_a_run_is_open_until_it_is_finished(store: Store) -> None:
    run = store.runs.begin(PROFILE, Trigger.SCHEDULE, now=NOW)
    assert store.runs.history(profile=None, limit=5) == [run]
    assert (run.outcome, run.finished_at) == (None, None)
    counts = Counts(
        observations=9, downloaded=1, unchanged=2, withheld=3, failed=4, waiting=5, bytes=2**40, pages=6
    )
    error = ArchiveError("the archive is down", hint="Wait.")
    done = store.runs.finish(run, Outcome.PARTIAL, counts=counts, error=error, now=NOW + HOUR)
    assert done == replace(
        run,
        outcome=Outcome.PARTIAL,
        finished_at=NOW + HOUR,
        counts=counts,
        error_kind="archive_unreachable",
        error_message="the archive is down",
        error_hint="Wait.",
    )
    assert done.counts.products == 15
    assert store.runs.history(profile=PROFILE, limit=5) == [done]


def test_a_profile_is_run_once_at_a_time_and_others_beside_it(store: Store) -> None:
    run = store.runs.begin(PROFILE, Trigger.SCHEDULE, now=NOW)
    with pytest.raises(BusyError, match=f"{PROFILE}: a run goes on already") as caught:
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + DAY)
    assert caught.value.exit_code is ExitCode.BUSY
    store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
    finish(store, run)
    store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)


def test_a_run_whose_process_was_killed_is_buried_and_its_claims_are_free(desk: Desk, url: str) -> None:
    desk.want(*file_names(3))
    finish(desk.store, desk.run)
    with another_process(url) as (child, number, claimed):
        assert claimed == 3
        with pytest.raises(BusyError, match=f"process {child.pid} on "):
            desk.store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + DAY)
        child.kill()
        # Not waited for: a zombie is as dead as one that was reaped.
        run = begin_once_dead(desk.store)
    buried = desk.store.runs.history(profile=PROFILE, limit=5)[1]
    assert (buried.id, buried.outcome, buried.error_kind) == (number, Outcome.CANCELLED, "killed")
    assert buried.finished_at == NOW
    assert buried.error_hint
    # The lease of the dead one would have lasted a day.
    assert len(replace(desk, run=run, now=NOW + HOUR).claim()) == 3


def begin_once_dead(store: Store) -> RunRecord:
    """A kill takes a moment."""
    for _ in range(500):
        try:
            return store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + HOUR)
        except BusyError:
            time.sleep(0.01)
    raise AssertionError("the killed process is taken for alive")


def test_a_later_process_with_the_same_number_is_not_taken_for_the_one_that_died(store: Store) -> None:
    run = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    change_run(store, run, process_start="00000000:1")
    store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    assert store.runs.history(profile=PROFILE, limit=2)[1].outcome is Outcome.CANCELLED


def test_a_silent_run_of_this_host_is_alive_as_long_as_its_process_is(store: Store) -> None:
    store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    with pytest.raises(BusyError):
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + 30 * DAY)


def test_a_run_of_another_host_is_taken_for_dead_once_it_is_silent(desk: Desk) -> None:
    store = desk.store
    desk.want(*file_names(2))
    assert len(desk.claim()) == 2
    change_run(store, desk.run, host="elsewhere", pid=1)
    with pytest.raises(BusyError, match="process 1 on elsewhere"):
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + SILENCE - HOUR / 60)
    store.runs.heartbeat(desk.run.id, now=NOW + HOUR, lease_until=NOW + HOUR + LEASE)
    with pytest.raises(BusyError):
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + HOUR + SILENCE / 2)
    run = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW + HOUR + SILENCE)
    assert len(replace(desk, run=run, now=NOW + HOUR).claim()) == 2


def test_a_sign_of_life_prolongs_the_leases_of_that_run_alone(desk: Desk) -> None:
    mine, theirs = file_names(2)
    desk.want(mine)
    other = desk.of(OTHER)
    other.want(theirs)
    assert [claim.name for claim in desk.claim()] == [mine]
    assert [claim.name for claim in other.claim()] == [theirs]
    desk.store.runs.heartbeat(desk.run.id, now=NOW + HOUR, lease_until=NOW + HOUR + LEASE)
    leases = {entry.path: entry.lease_until for entry in desk.rows(tables.file)}
    assert leases == {f"01345/{mine}": NOW + HOUR + LEASE, f"01345/{theirs}": NOW + LEASE}


def test_the_end_of_a_run_gives_back_what_it_claimed(desk: Desk) -> None:
    desk.want(*file_names(2))
    assert len(desk.claim()) == 2
    finish(desk.store, desk.run, Outcome.CANCELLED)
    assert {(entry.claimed_by, entry.lease_until) for entry in desk.rows(tables.file)} == {(None, None)}
    run = desk.store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    assert len(replace(desk, run=run).claim()) == 2


def test_the_history_is_newest_first_of_one_profile_or_of_all(store: Store) -> None:
    runs = []
    for name in (PROFILE, OTHER, PROFILE, OTHER, PROFILE):
        runs.append(finish(store, store.runs.begin(name, Trigger.MANUAL, now=NOW)))
    assert store.runs.history(profile=None, limit=3) == runs[:1:-1]
    assert store.runs.history(profile=OTHER, limit=9) == [runs[3], runs[1]]
    assert store.runs.last([PROFILE, OTHER, "unheard of"]) == {PROFILE: runs[4], OTHER: runs[3]}
    assert store.runs.last([]) == {}


def test_a_profile_remembers_its_cursors_and_nothing_before_its_first_whole_listing(store: Store) -> None:
    assert store.runs.memory(PROFILE) is None
    first = ProfileMemory(query_digest="a", floor=61000.125, rechecked_at=NOW, completed_at=NOW)
    store.runs.remember(PROFILE, first, now=NOW)
    assert store.runs.memory(PROFILE) == first
    second = ProfileMemory(query_digest="b", floor=None, rechecked_at=None, completed_at=NOW + DAY)
    store.runs.remember(PROFILE, second, now=NOW + DAY)
    assert store.runs.memory(PROFILE) == second
    assert store.runs.memory(OTHER) is None


@pytest.mark.parametrize("hidden", [FileNotFoundError, PermissionError])
def test_a_process_that_proc_hides_from_us_is_not_taken_for_dead(
    hidden: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As /proc mounted with hidepid does for the processes of other users.
    mark = liveness.own_mark()
    read = Path.read_text

    def guarded(path: Path, *arguments: Any, **options: Any) -> str:
        if path.match("/proc/[0-9]*/stat"):
            raise hidden(str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", guarded)
    assert not liveness.is_surely_dead(mark)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert liveness.is_surely_dead(replace(mark, pid=child.pid))


def test_a_process_of_another_host_is_never_surely_dead() -> None:
    mark = liveness.own_mark()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert liveness.is_surely_dead(replace(mark, pid=child.pid))
    assert not liveness.is_surely_dead(replace(mark, pid=child.pid, host="elsewhere"))


def test_a_run_whose_process_is_dead_is_told_as_ended_before_anybody_closed_it(desk: Desk, url: str) -> None:
    finish(desk.store, desk.run)
    with another_process(url) as (child, number, _):
        (going_on, *_) = desk.store.runs.history(profile=PROFILE, limit=1)
        assert (going_on.id, going_on.outcome) == (number, None)
        child.kill()
        child.wait()
        (killed, *_) = desk.store.runs.history(profile=PROFILE, limit=1)
        assert desk.store.runs.last([PROFILE])[PROFILE] == killed
        assert (killed.outcome, killed.error_kind) == (Outcome.CANCELLED, "killed")
        assert killed.finished_at == NOW
        # Whoever looks changes nothing.
        assert desk.scalar(select(tables.run.c.outcome).where(tables.run.c.id == number)) is None


def test_a_run_of_another_host_is_not_taken_for_dead_by_who_only_looks(store: Store) -> None:
    run = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW - 2 * SILENCE)
    change_run(store, run, host="elsewhere.example", pid=1)
    assert store.runs.last([PROFILE])[PROFILE].outcome is None


def test_a_yes_to_a_large_plan_is_kept_until_it_is_carried_out(store: Store) -> None:
    assert store.runs.approved(PROFILE) is None
    store.runs.approve(PROFILE, 7)  # of a profile that never listed anything, nothing can be planned
    assert store.runs.approved(PROFILE) is None
    memory = ProfileMemory(query_digest="d", floor=1.0, rechecked_at=NOW, completed_at=NOW)
    for name in (PROFILE, OTHER):
        store.runs.remember(name, memory, now=NOW)
    store.runs.approve(PROFILE, 600 * 10**9)
    assert (store.runs.approved(PROFILE), store.runs.approved(OTHER)) == (600 * 10**9, None)
    store.runs.remember(PROFILE, replace(memory, query_digest="e"), now=NOW + DAY)
    assert store.runs.approved(PROFILE) == 600 * 10**9
    store.runs.approve(PROFILE, None)
    assert store.runs.approved(PROFILE) is None


def test_what_a_query_found_is_kept_with_the_run(store: Store) -> None:
    run = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    counts = Counts(found=12, from_floor=True)
    store.runs.finish(run, Outcome.COMPLETE, counts=counts, error=None, now=NOW)
    (kept,) = store.runs.history(profile=PROFILE, limit=1)
    assert kept.counts == counts
    unanswered = store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    assert finish(store, unanswered).counts.found is None
