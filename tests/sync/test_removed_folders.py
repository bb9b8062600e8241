"""Somebody removes a folder while files are put into it: that costs those files, and not the run."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.sync import fetching, settling
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.transfer import placing
from jwstwatch.transfer.job import Fetched
from tests.sync.bench import Bench


@pytest.mark.parametrize("moment", ["before", "after", "before it is durable"])
def test_a_folder_that_is_removed_while_files_are_placed_costs_only_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    removed: list[Path] = []
    place, sync = placing.place, placing.sync_folders

    def remove(folder: Path) -> None:
        if not removed:
            removed.append(folder)
            shutil.rmtree(folder)

    def placed(part: Path, target: Path) -> None:
        if moment == "before":
            remove(target.parent)
        place(part, target)
        if moment == "after":
            remove(target.parent)

    def synced(folders: Iterable[Path]) -> set[Path]:
        folders = list(folders)
        if moment == "before it is durable":
            remove(folders[0])
        return sync(folders)

    monkeypatch.setattr(placing, "place", placed)
    monkeypatch.setattr(placing, "sync_folders", synced)
    result = bench.attempt()
    assert removed
    assert result.record.error_message is None
    assert result.record.outcome is Outcome.PARTIAL
    assert result.record.counts.failed > 0
    on_disk = {bench.root / name for name in bench.files()}
    assert {report.path for report in bench.reports().values() if report.state == "present"} <= on_disk
    assert bench.ask("SELECT * FROM intent") == []
    bench.later(days=1)
    bench.run()
    assert bench.ask("SELECT DISTINCT state FROM file") == [("present",)]


def test_a_disk_that_is_unmounted_in_mid_run_has_nothing_written_to_its_mount_point(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = bench.root.with_name("away")
    place = placing.place

    def unmounted(part: Path, target: Path) -> None:
        place(part, target)
        if not away.exists():
            bench.root.rename(away)
            bench.root.mkdir()

    monkeypatch.setattr(placing, "place", unmounted)
    monkeypatch.setattr(fetching, "GROUP", 1)
    bench.mast["connections"] = 1
    bench.configure({"watch": {"propID": 9001, "makewebpages": True}})
    result = bench.attempt()
    assert away.exists()
    assert result.exit_code == 7
    assert "marker" in str(result.record.error_message)
    assert list(bench.root.iterdir()) == []
    monkeypatch.undo()
    bench.root.rmdir()
    away.rename(bench.root)
    bench.later(days=1)
    bench.run()
    assert bench.ask("SELECT DISTINCT state FROM file") == [("present",)]


def test_a_run_that_was_taken_for_dead_leaves_alone_what_another_has_claimed_since(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, taken = settling.settle, []

    def late(context: Context, subject: Subject, group: Any, **more: Any) -> None:
        claim, outcome = group[0]
        if not taken and isinstance(outcome, Fetched):
            taken.append(outcome)
            with contextlib.closing(sqlite3.connect(bench.folder / "state.db")) as state, state:
                state.execute("UPDATE file SET claimed_by = NULL WHERE id = ?", (claim.file_id,))
        settle(context, subject, group, **more)

    monkeypatch.setattr(settling, "settle", late)
    bench.attempt()
    (lost,) = taken
    assert lost.part.exists(), "it may be the other run's by now"
    assert not lost.job.target.exists()
    assert bench.ask("SELECT * FROM intent") == []
    monkeypatch.undo()
    bench.run()
    assert lost.job.target.exists()
    assert not lost.part.exists()
