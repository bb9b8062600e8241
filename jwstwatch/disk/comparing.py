"""Folders against what should lie in them: each listed once, and on a network file system many at a time."""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from jwstwatch.disk.looking import FEW
from jwstwatch.files import translate_storage_errors

ABSENT: Final = "absent"
"""The mark of a folder that is not there."""

SETTLED_NS: Final = 300 * 10**9
"""Nanoseconds since a folder last changed after which another change cannot have the same time.

File systems tell times by up to two seconds, and the clock of a file server may differ by minutes.
"""

_NO_FILE = -1

_MARKED_AT_ONCE = 32
"""Folders that one thread asks for one after the other: handing out work costs more than to ask."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Expected:
    """A folder (relative to its root, with `/`), and the names in it with their bytes, None where unknown."""

    folder: str
    sizes: Mapping[str, int | None]

    def path(self, name: str) -> str:
        """Return the path of a name, relative to the root."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(slots=True)
class Compared:
    """What a look at a folder found of `files`: paths where nothing stands, and where something else does.

    `mark` tells the folder, as it was before its files were looked at, from every other state of it; None
    where it changed so lately that it might change again unnoticed.
    """

    folder: str
    files: int
    mark: str | None
    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    beside: list[str] | None = None
    """Names of what else is in it; None where it was not listed, or nobody asked."""


def compare(
    root: Path,
    expected: Expected,
    *,
    sizes: bool = True,
    beside: bool = False,
    clock: Clock = time.time_ns,
) -> Compared:
    """Look once at a folder below `root`; without `sizes` any plain file at a path will do.

    With `beside` it is told what else is in the folder.

    Links are not followed at the path itself, and are followed in the folders above it. A folder that is not
    there lacks all its files. Raises `StorageError` where it cannot be listed.
    """
    place = root / expected.folder if expected.folder else root
    with translate_storage_errors(place):
        try:
            handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            missing = [expected.path(name) for name in expected.sizes]
            return Compared(expected.folder, len(missing), ABSENT, missing)
        except PermissionError:
            # One that may be passed through, and not be listed.
            if beside or len(expected.sizes) > FEW:
                raise
            compared = Compared(expected.folder, len(expected.sizes), None)
            _judge(_sizes(_ask_each(expected.sizes, place=place)), expected, compared, sizes=sizes)
            return compared
        try:
            # What is noted must not be newer than what is looked at.
            now = clock()
            compared = Compared(expected.folder, len(expected.sizes), _settled(os.fstat(handle), now))
            compared.beside = [] if beside else None
            _compare(handle, expected, compared, sizes=sizes)
        finally:
            os.close(handle)
    return compared


def _compare(handle: int, expected: Expected, compared: Compared, *, sizes: bool) -> None:
    wanted = expected.sizes
    listed = len(wanted) > FEW or compared.beside is not None
    entries = _list(handle, wanted, compared.beside) if listed else _ask_each(wanted, handle=handle)
    _judge(_sizes(entries), expected, compared, sizes=sizes)


def _sizes(entries: Iterable[tuple[str, os.stat_result]]) -> dict[str, int]:
    """Return the bytes of each plain file, `_NO_FILE` for anything else that stands at a name."""
    return {
        name: status.st_size if stat.S_ISREG(status.st_mode) else _NO_FILE
        for name, status in entries  # some file systems tell twice what is replaced meanwhile
    }


def _judge(found: Mapping[str, int], expected: Expected, compared: Compared, *, sizes: bool) -> None:
    wanted = expected.sizes
    if found == wanted:  # nearly always
        return
    for name, size in wanted.items():
        there = found.get(name)
        if there is None:
            compared.missing.append(expected.path(name))
        elif there == _NO_FILE or (sizes and size is not None and size != there):
            compared.other.append(expected.path(name))


def _ask_each(
    wanted: Iterable[str], *, handle: int | None = None, place: Path | None = None
) -> Iterator[tuple[str, os.stat_result]]:
    for name in wanted:
        try:
            yield name, os.lstat(name if place is None else place / name, dir_fd=handle)
        except FileNotFoundError:
            continue


def _list(
    handle: int, wanted: Mapping[str, object], beside: list[str] | None
) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(handle) as entries:
        for entry in entries:
            name = entry.name
            if name in wanted:
                try:
                    yield name, entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
            elif beside is not None:
                beside.append(name)


def compare_all(
    root: Path,
    folders: Iterable[Expected],
    *,
    jobs: int = 1,
    sizes: bool = True,
    clock: Clock = time.time_ns,
) -> Generator[Compared, None, None]:
    """Yield the same for many folders, in their order; `jobs` of them are looked at at the same time."""

    def look(expected: Expected) -> Compared:
        return compare(root, expected, sizes=sizes, clock=clock)

    return _in_order(look, folders, jobs=jobs)


def marks(root: Path, folders: Sequence[str], *, jobs: int = 1) -> dict[str, str]:
    """Return the marks that folders below `root` have now: one look at each, and none into it."""
    prefix = f"{root}/"

    def look(some: Sequence[str]) -> list[tuple[str, str]]:
        return [(folder, _mark_now(prefix + folder)) for folder in some]

    groups = [folders[start : start + _MARKED_AT_ONCE] for start in range(0, len(folders), _MARKED_AT_ONCE)]
    return {folder: mark for found in _in_order(look, groups, jobs=jobs) for folder, mark in found}


def _mark_now(place: str) -> str:
    try:
        return _mark(os.stat(place))  # noqa: PTH116 - thousands of them
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError:
        with translate_storage_errors(Path(place)):
            raise


def _mark(status: os.stat_result) -> str:
    """Which folder it is, and when its entries changed; somebody can set the one time back, not the other."""
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"


def _settled(status: os.stat_result, now: int) -> str | None:
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    return _mark(status) if changed < now - SETTLED_NS else None


def _in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, jobs: int
) -> Generator[Result, None, None]:
    """Yield what `work` makes of each item, in their order; the first error ends it."""
    if jobs == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    left = iter(items)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="folder")
    try:
        waiting.extend(pool.submit(work, item) for item in islice(left, 2 * jobs))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(left, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
