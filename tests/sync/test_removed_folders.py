"""Somebody removes a folder while files are put into it: that costs those files, and not the run."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.transfer import placing
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
