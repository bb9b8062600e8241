"""Reading files through: all of it, from what is a file, and not against anybody's will."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from jwstwatch.disk.reading import BLOCK, NoPlainFileError, become_idle, read_through
from jwstwatch.disk.walking import in_folder, walk


def test_a_file_is_read_to_its_end_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    for content in (b"", b"abc", os.urandom(17 * BLOCK + 3)):
        path.write_bytes(content)
        os.utime(path, ns=(1, 12345))
        passed: list[int] = []
        found = read_through(path, passed=passed.append)
        assert (found.size, found.modified_ns) == (len(content), 12345)
        assert found.sha256 == hashlib.sha256(content).hexdigest()
        assert sum(passed) == len(content)
        assert max(passed, default=0) <= BLOCK


def test_who_hears_of_the_blocks_can_end_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(bytes(3 * BLOCK))
    passed: list[int] = []

    def stop(count: int) -> None:
        passed.append(count)
        raise InterruptedError

    before = _open_files()
    with pytest.raises(InterruptedError):
        read_through(path, passed=stop)
    assert passed == [BLOCK]
    assert _open_files() == before


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_links_pipes_and_folders_are_no_files_and_nobody_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "link").symlink_to("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = _open_files()
    with pytest.raises(OSError, match="symbolic link"):
        read_through(tmp_path / "link", passed=lambda count: None)
    for name in ("pipe", "folder"):
        with pytest.raises(NoPlainFileError):
            read_through(tmp_path / name, passed=lambda count: None)
    assert _open_files() == before


def test_an_idle_thread_reads_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    sizes: list[int] = []

    def work() -> None:
        become_idle()
        sizes.append(read_through(tmp_path / "x", passed=lambda count: None).size)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert sizes == [3]


def test_hidden_files_are_found_where_they_are_asked_for(tmp_path: Path) -> None:
    for path in (".a.part", "b", ".kept/c", ".snapshot/d", "sub/.e", "sub/f"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    (tmp_path / ".link").symlink_to("sub")
    (tmp_path / "linked").symlink_to("sub")
    (tmp_path / "dangling").symlink_to("nowhere")

    def found(**how: object) -> set[str]:
        return {each.path for each in walk(tmp_path, unreadable=pytest.fail, **how)}  # type: ignore[arg-type]

    assert found() == {"b", "dangling", "sub/f"}
    assert found(hidden=True) == {".a.part", "b", "dangling", "sub/.e", "sub/f"}
    assert found(hidden=True, enter=(".kept",)) == found(hidden=True) | {".kept/c"}
    here = {each.path for each in in_folder(tmp_path, "", unreadable=pytest.fail)}
    assert here == {".a.part", "b", "dangling"}
    assert {each.path for each in in_folder(tmp_path, "sub", unreadable=pytest.fail)} == {"sub/.e", "sub/f"}
    assert list(in_folder(tmp_path, "away", unreadable=pytest.fail)) == []
