"""A copy that is about to be replaced gets a second place below the output folder, and keeps its first."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.errors import StorageError, UnsafePathError
from jwstwatch.transfer import aside, copying
from jwstwatch.transfer.aside import OldCopy, find, keep

CONTENT = b"as it was"


def old_copy(root: Path, path: str = "01345/file.fits", **changes: Any) -> OldCopy:
    """Put a copy in its place, as verified."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(CONTENT)
    facts: dict[str, Any] = {
        "root": root,
        "path": path,
        "revision": 4,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "modified_ns": target.stat().st_mtime_ns,
    }
    return OldCopy(**(facts | changes))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("01345/obsnum01/file.fits", ".replaced/01345/obsnum01/r4/file.fits"),
        ("file.fits", ".replaced/r4/file.fits"),
    ],
)
def test_it_is_the_same_file_under_a_second_name(tmp_path: Path, path: str, place: str) -> None:
    old = old_copy(tmp_path, path)
    assert keep(old) == place
    assert (tmp_path / place).samefile(tmp_path / path)
    assert keep(old) == find(old) == place, "as often as a death needs"


def test_what_is_found_is_what_was_verified_and_nothing_else(tmp_path: Path) -> None:
    old = old_copy(tmp_path)
    assert find(old) is None
    kept = tmp_path / ".replaced/01345/r4/file.fits"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"is not it")
    (kept.parent / ".file.fits.4.part").write_bytes(b"cut off")
    assert find(old) is None
    assert keep(old) == find(old) == ".replaced/01345/r4-2/file.fits"
    assert kept.read_bytes() == b"is not it"


def test_a_copy_that_a_death_cut_off_goes(tmp_path: Path) -> None:
    old = old_copy(tmp_path)
    part = tmp_path / ".replaced/01345/r4/.file.fits.4.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"cut off")
    assert find(old) is None
    assert not part.exists()


@pytest.mark.parametrize("stands", ["nothing", "a link", "a folder", "another content"])
def test_only_the_plain_file_that_was_verified_is_kept(tmp_path: Path, stands: str) -> None:
    old = old_copy(tmp_path)
    target, theirs = tmp_path / old.path, tmp_path / "theirs"
    target.rename(theirs)
    if stands == "a link":
        target.symlink_to(theirs)
    elif stands == "a folder":
        target.mkdir()
    elif stands == "another content":
        target.write_bytes(b"as it is!")
    assert keep(old) is None
    assert not (tmp_path / aside.FOLDER).exists()


def test_a_newer_time_does_not_matter_where_the_content_is_the_same(tmp_path: Path) -> None:
    old = old_copy(tmp_path)
    os.utime(tmp_path / old.path, ns=(1, 1))
    assert keep(old) is not None


@pytest.mark.parametrize("link", [".replaced", ".replaced/01345", ".replaced/01345/r4"])
def test_no_link_leads_it_elsewhere(tmp_path: Path, link: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    elsewhere.mkdir()
    old = old_copy(root)
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(elsewhere)
    with pytest.raises(UnsafePathError, match="link"):
        keep(old)
    assert list(elsewhere.iterdir()) == []


def test_behind_a_linked_folder_on_another_disk_a_verified_copy_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_another_disk(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    root, disk = tmp_path / "root", tmp_path / "disk"
    root.mkdir()
    disk.mkdir()
    (root / "01345").symlink_to(disk)
    old = old_copy(root)
    monkeypatch.setattr(os, "link", be_another_disk)
    place = keep(old)
    assert place is not None
    assert (root / place).read_bytes() == CONTENT
    assert [entry.name for entry in (root / place).parent.iterdir()] == ["file.fits"]


def test_a_copy_that_rotted_on_the_disk_is_not_kept_as_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    old = old_copy(tmp_path, sha256=hashlib.sha256(b"as it WAS").hexdigest())
    monkeypatch.setattr(os, "link", refuse)
    assert keep(old) is None
    assert [path for path in (tmp_path / aside.FOLDER).rglob("*") if path.is_file()] == []


def test_a_full_disk_is_told_and_nothing_is_half_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    def be_full(source: Path, part: Path) -> tuple[int, str]:
        part.write_bytes(b"as")
        raise OSError(errno.ENOSPC, "No space left on device")

    old = old_copy(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(copying, "copy_bytes", be_full)
    with pytest.raises(StorageError, match="full"):
        keep(old)
    assert [path for path in (tmp_path / aside.FOLDER).rglob("*") if path.is_file()] == []
    assert (tmp_path / old.path).read_bytes() == CONTENT
