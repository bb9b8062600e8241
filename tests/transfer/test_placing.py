"""The last step: all or nothing, and nothing that is not ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.errors import StorageError, UnsafePathError
from jwstwatch.transfer import placing
from jwstwatch.transfer.placing import leftovers, place, remove_parts, sync_folders


def part_in(folder: Path, *, name: str = "file.fits", revision: int = 2) -> Path:
    part = folder / f".{name}.{revision}.part"
    part.write_bytes(b"new")
    part.with_name(f"{part.name}.json").write_text("{}")
    return part


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_partial_takes_its_place_and_leaves_nothing(tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "file.fits"
    if old is not None:
        target.write_bytes(old)
    part = part_in(tmp_path)
    modes = part.stat().st_mode
    place(part, target)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file.fits", b"new")]
    assert target.stat().st_mode == modes


def test_modes_can_be_given(tmp_path: Path) -> None:
    target = tmp_path / "file.fits"
    place(part_in(tmp_path), target, mode=0o640)
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("foreign", ["link", "dangling", "folder", "pipe"])
def test_what_is_not_a_plain_file_is_left_alone(tmp_path: Path, foreign: str) -> None:
    target, theirs = tmp_path / "file.fits", tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    make: dict[str, Callable[[], Any]] = {
        "link": lambda: target.symlink_to(theirs),
        "dangling": lambda: target.symlink_to("nowhere"),
        "folder": target.mkdir,
        "pipe": lambda: os.mkfifo(target),
    }
    make[foreign]()
    before = os.lstat(target)
    part = part_in(tmp_path)
    with pytest.raises(UnsafePathError, match="left alone"):
        place(part, target)
    assert os.lstat(target).st_ino == before.st_ino
    assert theirs.read_bytes() == b"theirs"
    assert part.read_bytes() == b"new"


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "01345").symlink_to("big-disk")
    place(part_in(tmp_path / "big-disk"), tmp_path / "01345" / "file.fits")
    assert (tmp_path / "big-disk" / "file.fits").read_bytes() == b"new"


def test_a_disk_that_refuses_is_told_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    target = tmp_path / "file.fits"
    target.write_bytes(b"old")
    part = part_in(tmp_path)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StorageError, match="read-only"):
        place(part, target)
    assert target.read_bytes() == b"old"


def test_each_folder_of_a_group_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(placing, "sync_folder", synced.append)
    one, two = tmp_path / "1", tmp_path / "2"
    sync_folders([one, two, one, one])
    assert synced == [one, two]
    monkeypatch.undo()
    sync_folders([tmp_path])


def test_leftovers_are_ours_only(tmp_path: Path) -> None:
    part_in(tmp_path)
    for name in ("file.fits", ".file.fits", ".file.fits.part", "file.fits.2.part", ".x.part.json", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".folder.1.part").mkdir()
    assert [entry.name for entry in leftovers(tmp_path)] == [".file.fits.2.part", ".file.fits.2.part.json"]
    assert leftovers(tmp_path / "nowhere") == []


def test_partials_of_other_revisions_are_removed(tmp_path: Path) -> None:
    for revision in (1, 2, 3):
        part_in(tmp_path, revision=revision)
    part_in(tmp_path, name="other.fits", revision=1)
    part_in(tmp_path, name="file.fits.1.part", revision=1)
    assert remove_parts(tmp_path, "file.fits", keep_revision=2) == 4
    assert {entry.name for entry in leftovers(tmp_path) if not entry.name.endswith(".json")} == {
        ".file.fits.2.part",
        ".other.fits.1.part",
        ".file.fits.1.part.1.part",
    }
    assert remove_parts(tmp_path, "file.fits") == 2
