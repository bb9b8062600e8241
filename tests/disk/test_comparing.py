"""Folders against what should lie in them, and the marks by which an unchanged one is known."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.disk import comparing
from jwstwatch.disk.comparing import ABSENT, SETTLED_NS, Compared, Expected, compare, compare_all, marks
from jwstwatch.errors import StorageError


def later() -> int:
    """The time at which what changes now is settled."""
    return time.time_ns() + 2 * SETTLED_NS


def fill(root: Path, folder: str, *names: str, size: int = 10) -> Expected:
    """Make files, and expect them."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / folder / name).write_bytes(b"x" * size)
    return Expected(folder, dict.fromkeys(names, size))


def names(count: int) -> list[str]:
    return [f"{number:03d}.fits" for number in range(count)]


def found(compared: Compared) -> tuple[list[str], list[str]]:
    return sorted(compared.missing), sorted(compared.other)


@pytest.mark.parametrize("count", [0, 20])
def test_whatever_is_not_the_file_that_was_there_is_found(tmp_path: Path, count: int) -> None:
    # A few are asked for by name, more are listed.
    fill(tmp_path, "01345", "good", *names(count), "foreign")
    place = tmp_path / "01345"
    (place / "cut").write_bytes(b"x")
    (place / "link").symlink_to(place / "good")
    (place / "folder").mkdir()
    wanted = {"good": 10, "cut": 10, "link": 10, "folder": None, "missing": 10, "unknown": None}
    (place / "unknown").write_bytes(b"of any size")
    few = {name: wanted[name] for name in list(wanted)[:4]}
    for expected in ({**wanted, **dict.fromkeys(names(count), 10)}, few):
        compared = compare(tmp_path, Expected("01345", expected))
        gone = ["01345/missing"] if "missing" in expected else []
        assert found(compared) == (gone, ["01345/cut", "01345/folder", "01345/link"])
        assert compared.files == len(expected)
    unsized = compare(tmp_path, Expected("01345", wanted), sizes=False)
    assert found(unsized) == (["01345/missing"], ["01345/folder", "01345/link"])


def test_a_folder_that_is_not_there_lacks_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in ("away", "away/deeper", "file"):
        compared = compare(tmp_path, Expected(folder, {"a": 1, "b": None}))
        assert (found(compared), compared.mark) == (([f"{folder}/a", f"{folder}/b"], []), ABSENT)


def test_links_to_folders_are_followed_and_the_root_is_a_folder_too(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    fill(elsewhere, "", "a")
    expected = fill(root, "", "a", "b")
    (root / "linked").symlink_to(elsewhere)
    assert found(compare(root, Expected("linked", {"a": 10, "b": 10}))) == (["linked/b"], [])
    (root / "b").unlink()
    assert found(compare(root, expected)) == (["b"], [])


@given(
    there=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3)),
    wanted=st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 3)),
)
def test_any_folder_is_compared_file_by_file(there: dict[str, int], wanted: dict[str, int | None]) -> None:
    with TemporaryDirectory() as folder:
        for name, size in there.items():
            (Path(folder) / name).write_bytes(b"x" * size)
        compared = compare(Path(folder), Expected("", wanted))
    other = [name for name, size in wanted.items() if name in there and size not in (None, there[name])]
    assert found(compared) == (sorted(wanted.keys() - there.keys()), sorted(other))


# Marks


def mark_of(root: Path, expected: Expected) -> str | None:
    return compare(root, expected, clock=later).mark


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place / "a").unlink(),
        lambda place: (place / "new").write_text(""),
        lambda place: (place / "a").rename(place / "b"),
        lambda place: (shutil.move(place, place.parent / "aside"), place.mkdir()),
        shutil.rmtree,
    ],
)
def test_a_mark_tells_a_changed_folder_although_its_time_was_set_back(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    expected = fill(tmp_path, "01345", "a")
    place = tmp_path / "01345"
    os.utime(place, ns=(10**18, 10**18))
    before = mark_of(tmp_path, expected)
    assert before is not None
    (place / "a").write_text("cut in its place")
    assert marks(tmp_path, ["01345"]) == {"01345": before}
    # Somebody's clock moves on by more than the system's tells apart.
    os.utime(place, ns=(10**18 + 1, 10**18 + 1))
    change(place)
    assert marks(tmp_path, ["01345"]) != {"01345": before}


def test_a_time_that_was_set_back_is_not_the_time_of_the_change(tmp_path: Path) -> None:
    expected = fill(tmp_path, "01345", "a")
    place = tmp_path / "01345"
    before = mark_of(tmp_path, expected)
    status = place.stat()
    while place.stat().st_ctime_ns == status.st_ctime_ns:
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place.stat().st_mtime_ns == status.st_mtime_ns
    assert marks(tmp_path, ["01345"]) != {"01345": before}


def test_a_folder_that_changed_a_moment_ago_is_not_marked(tmp_path: Path) -> None:
    expected = fill(tmp_path, "01345", "a")
    assert compare(tmp_path, expected).mark is None
    changed = (tmp_path / "01345").stat().st_ctime_ns
    assert compare(tmp_path, expected, clock=lambda: changed + SETTLED_NS).mark is None
    settled = compare(tmp_path, expected, clock=lambda: changed + SETTLED_NS + 1).mark
    assert {"01345": settled} == marks(tmp_path, ["01345"])


def test_a_mark_is_taken_before_the_files_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill(tmp_path, "01345", *names(9))
    os.utime(tmp_path / "01345", ns=(10**18, 10**18))
    before = marks(tmp_path, ["01345"])["01345"]
    list_folder = comparing._list

    def change_first(*words: object) -> Iterator[tuple[str, os.stat_result]]:
        (tmp_path / "01345" / "new").write_text("")
        os.utime(tmp_path / "01345", ns=(10**18 + 1, 10**18 + 1))
        return list_folder(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(comparing, "_list", change_first)
    assert mark_of(tmp_path, expected) == before != marks(tmp_path, ["01345"])["01345"]


def test_marks_cost_one_look_at_each_folder_and_none_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [f"{number:05d}" for number in range(100)]
    for folder in folders[:-1]:
        (tmp_path / folder).mkdir()
    looked: Counter[str] = Counter()
    ask = os.stat

    def count(place: str) -> os.stat_result:
        looked[place] += 1
        return ask(place)

    monkeypatch.setattr(comparing.os, "stat", count)
    monkeypatch.setattr(comparing.os, "scandir", None)
    alone = marks(tmp_path, folders)
    assert looked == Counter(f"{tmp_path}/{folder}" for folder in folders)
    assert list(alone) == folders
    assert [folder for folder, mark in alone.items() if mark == ABSENT] == [folders[-1]]
    assert marks(tmp_path, folders, jobs=3) == alone


# Many at a time


def test_folders_are_looked_at_as_many_at_a_time_as_was_said_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = 4
    folders = [fill(tmp_path, f"{number:05d}", *names(6)) for number in range(3 * jobs)]
    (tmp_path / "00003" / "001.fits").unlink()
    together = threading.Barrier(jobs)
    lock, listed, most, now = threading.Lock(), Counter[int](), 0, 0
    scan = os.scandir

    def slow(handle: int) -> object:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            listed[os.fstat(handle).st_ino] += 1
        # Nobody goes on before so many are at it.
        together.wait(timeout=20)
        with lock:
            now -= 1
        return scan(handle)

    monkeypatch.setattr(comparing.os, "scandir", slow)
    compared = list(compare_all(tmp_path, iter(folders), jobs=jobs))
    assert [each.folder for each in compared] == [each.folder for each in folders]
    assert [each.missing for each in compared if each.missing] == [["00003/001.fits"]]
    assert most == jobs
    assert set(listed.values()) == {1}
    assert len(listed) == len(folders)


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_first_error_of_a_disk_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    folders = [fill(tmp_path, f"{number:05d}", *names(6)) for number in range(100)]
    scanned = []

    def stale(handle: int) -> object:
        scanned.append(handle)
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(comparing.os, "scandir", stale)
    asked = []

    def one_by_one() -> Iterator[Expected]:
        for folder in folders:
            asked.append(folder)
            yield folder

    with pytest.raises(StorageError, match="stale network mount"):
        list(compare_all(tmp_path, one_by_one(), jobs=jobs))
    assert len(asked) <= 2 * jobs
    assert len(scanned) <= 2 * jobs
    assert not [each for each in threading.enumerate() if each.name.startswith("folder")]


def test_a_name_that_is_listed_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file that is replaced while its folder is listed may come under both its entries.
    expected = fill(tmp_path, "01345", *names(10))
    right = os.scandir

    class Twice:
        def __init__(self, handle: int) -> None:
            with right(handle) as entries:
                self.entries = [entry for entry in entries for _ in range(2)]

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Twice)
    assert found(compare(tmp_path, expected)) == ([], [])


def test_a_few_names_are_asked_for_in_a_folder_that_may_not_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = fill(tmp_path, "few", "there"), fill(tmp_path, "many", *names(10))

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    compared = compare(tmp_path, Expected("few", {**few.sizes, "missing": 1}), clock=later)
    assert (found(compared), compared.mark) == ((["few/missing"], []), None)
    with pytest.raises(StorageError):
        compare(tmp_path, many)
