"""Where a backup may be put."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwstwatch.cli.db import _refuse_target
from jwstwatch.errors import UsageError


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize(
    "end",
    ["", "-wal", "-wal2", "-shm", "-journal", ".daemon.lock", ".restore.lock", ".migration.lock"],
)
def test_a_file_of_the_state_is_no_place_for_a_backup_whatever_either_is_called(
    state: Path, tmp_path: Path, end: str
) -> None:
    link, folder, target = tmp_path / "link.db", tmp_path / "folder", tmp_path / "target.db"
    link.symlink_to(state)
    folder.symlink_to(state.parent)
    target.symlink_to(f"{state}{end}")
    for name in (state, link, folder / "state.db"):
        for place in (Path(f"{state}{end}"), folder / f"state.db{end}", target):
            with pytest.raises(UsageError, match="is the state itself|is a file that the state needs"):
                _refuse_target(name, place, force=True)


def test_any_other_file_may_be_one(state: Path, tmp_path: Path) -> None:
    for place in (state.with_name("state.db.bak"), state.with_name("old.db"), tmp_path / "state.db-wal"):
        _refuse_target(state, place, force=False)
