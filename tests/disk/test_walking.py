"""Walking a tree that somebody else made: everything once, whatever links there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.planning import DiskKind
from jwstwatch.disk.walking import Walked, in_folder, walk


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x" * len(path))


def paths(root: Path) -> list[str]:
    return [found.path for found in walk(root, unreadable=pytest.fail)]


def test_every_file_is_found_with_its_size(tmp_path: Path) -> None:
    make(tmp_path, "a.fits", "01409/obsnum03/b.fits", "01409/obsnum03/jpg/c.jpg")
    found = {each.path: each for each in walk(tmp_path, unreadable=pytest.fail)}
    assert set(found) == {"a.fits", "01409/obsnum03/b.fits", "01409/obsnum03/jpg/c.jpg"}
    assert found["a.fits"] == Walked(path="a.fits", kind=DiskKind.FILE, size=6)
    assert found["01409/obsnum03/jpg/c.jpg"].name == "c.jpg"


def test_where_all_but_a_few_names_are_known_only_these_are_looked_at(tmp_path: Path) -> None:
    make(tmp_path, "a.fits", "b.fits", "one/c.fits", "one/d.fits", "one/.e.part", "two/f.fits")
    only = {"": ["b.fits", "one", "two", "gone.fits"], "one": ["d.fits", ".e.part"]}

    def found(**how: Any) -> list[str]:
        return [each.path for each in walk(tmp_path, unreadable=pytest.fail, only=only, **how)]

    assert found() == ["b.fits", "one/d.fits", "two/f.fits"]
    assert found(hidden=True) == ["b.fits", "one/.e.part", "one/d.fits", "two/f.fits"]
    inside = in_folder(tmp_path, "one", unreadable=pytest.fail, names=["c.fits"])
    assert [each.path for each in inside] == ["one/c.fits"]


def test_what_begins_with_a_dot_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".jwstwatch-root", ".x.fits.1.part", ".snapshot/a.fits", "a.fits")
    assert paths(tmp_path) == ["a.fits"]


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    make(tmp_path, "disk/a.fits", "root/b.fits")
    root = tmp_path / "root"
    for name in ("one", "two"):
        (root / name).symlink_to(tmp_path / "disk")
    assert paths(root) == ["b.fits", "one/a.fits"]


def test_loops_end(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.fits")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "here").symlink_to(".")
    (tmp_path / "self").symlink_to("self")
    found = {each.path: each.kind for each in walk(tmp_path, unreadable=pytest.fail)}
    assert found == {"sub/a.fits": DiskKind.FILE, "self": DiskKind.LINK}


def test_a_folder_is_called_by_its_own_path_and_not_by_a_link_to_it(tmp_path: Path) -> None:
    make(tmp_path, "z/deep/a.fits")
    (tmp_path / "a").symlink_to("z/deep")
    assert paths(tmp_path) == ["z/deep/a.fits"]


def test_a_link_to_a_file_and_a_broken_one_are_links(tmp_path: Path) -> None:
    make(tmp_path, "a.fits")
    (tmp_path / "b.fits").symlink_to("a.fits")
    (tmp_path / "c.fits").symlink_to("nowhere")
    kinds = {each.path: each.kind for each in walk(tmp_path, unreadable=pytest.fail)}
    assert kinds == {"a.fits": DiskKind.FILE, "b.fits": DiskKind.LINK, "c.fits": DiskKind.LINK}


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")
    assert [each.kind for each in walk(tmp_path, unreadable=pytest.fail)] == [DiskKind.OTHER]


def test_a_folder_that_cannot_be_listed_is_told_and_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "closed/a.fits", "open/b.fits")
    scandir = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("os.scandir", refuse)
    told: list[str] = []
    assert [each.path for each in walk(tmp_path, unreadable=told.append)] == ["open/b.fits"]
    assert told == [f"{tmp_path / 'closed'} cannot be read: Permission denied"]
