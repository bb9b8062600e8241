"""A root's marker: made once, believed while it is sound, and never replaced where files depend on it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jwstwatch.disk.markers import MARKER, establish, is_mounted, read
from jwstwatch.errors import RootMissingError, StorageError


def test_the_first_use_of_a_folder_makes_it_and_its_marker(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    identity = establish(root, expected=None, files=0)
    assert read(root) == identity
    assert [path.name for path in root.iterdir()] == [MARKER]
    assert establish(root, expected=identity, files=7) == identity


def test_processes_that_use_a_folder_first_at_the_same_time_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: establish(tmp_path / "data", expected=None, files=0), range(16)))
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == [MARKER]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"root": 3}', b"\xff\xfe"])
def test_a_garbled_marker_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKER).write_bytes(content)
    assert read(tmp_path) is None
    with pytest.raises(RootMissingError):
        establish(tmp_path, expected="x", files=1)
    assert (tmp_path / MARKER).read_bytes() == content
    assert read(tmp_path) is None
    identity = establish(tmp_path, expected=None, files=0)
    assert json.loads((tmp_path / MARKER).read_text())["root"] == identity


def test_another_marker_stops_where_files_are_known_and_is_taken_over_where_none_are(tmp_path: Path) -> None:
    identity = establish(tmp_path, expected=None, files=0)
    with pytest.raises(RootMissingError, match="another output folder"):
        establish(tmp_path, expected="somebody else's", files=3)
    assert establish(tmp_path, expected="somebody else's", files=0) == identity


def test_a_missing_folder_is_not_made_where_files_are_known(tmp_path: Path) -> None:
    root = tmp_path / "gone"
    with pytest.raises(RootMissingError) as caught:
        establish(root, expected="x", files=1)
    assert not root.exists()
    assert f"root move {root} NEW" in caught.value.hint
    assert f"root accept {root}" in caught.value.hint


def test_is_mounted_tells_the_right_folder_from_none_and_from_another(tmp_path: Path) -> None:
    identity = establish(tmp_path, expected=None, files=0)
    assert is_mounted(tmp_path, identity)
    assert not is_mounted(tmp_path, "another")
    assert not is_mounted(tmp_path / "nowhere", identity)


def test_a_file_in_the_folders_place_is_told_as_storage_trouble(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError):
        establish(tmp_path / "data", expected=None, files=0)
    assert not is_mounted(tmp_path / "data", "x")
