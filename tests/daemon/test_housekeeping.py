"""What the daemon does for the state itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.daemon.housekeeping import Housekeeping
from jwstwatch.files import temporary_name
from jwstwatch.store import upkeep
from jwstwatch.store.runs import Counts
from jwstwatch.store.sqlite_files import log_of
from jwstwatch.store.store import Store, open_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CLOCK = 1000.0
KEEP = 90 * DAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A state with one run more than are kept, of a hundred days ago."""
    monkeypatch.setattr(upkeep, "LAST_RUNS", 1)
    with open_store(f"sqlite:///{path}", upgrade=True) as store:
        for _ in range(2):
            idle_run(store)
        yield store


def idle_run(store: Store) -> None:
    run = store.runs.begin("watch", Trigger.SCHEDULE, now=NOW - 100 * DAY)
    store.runs.finish(run, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW - 100 * DAY)


def count(store: Store) -> int:
    return len(store.runs.history(profile="watch", limit=1000))


def test_old_runs_are_forgotten_once_a_day_unless_they_are_kept_for_ever(store: Store) -> None:
    housekeeping = Housekeeping(store.database, stop=lambda: False)
    housekeeping.tick(None, now=NOW, clock=CLOCK)
    assert count(store) == 2
    housekeeping.tick(KEEP, now=NOW, clock=CLOCK + 86_399)
    assert count(store) == 2
    housekeeping.tick(KEEP, now=NOW, clock=CLOCK + 86_400)
    assert count(store) == 1


def test_after_each_time_the_log_is_empty_and_what_a_killed_vacuum_left_is_gone(
    store: Store, path: Path
) -> None:
    temporary_name(path).write_bytes(b"unfinished")
    housekeeping = Housekeeping(store.database, stop=lambda: False)
    housekeeping.tick(KEEP, now=NOW, clock=CLOCK)
    assert not temporary_name(path).exists()
    idle_run(store)
    assert log_of(path).stat().st_size > 0
    housekeeping.tick(KEEP, now=NOW, clock=CLOCK + 60)
    assert log_of(path).stat().st_size == 0
