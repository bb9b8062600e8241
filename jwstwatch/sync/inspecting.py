"""Copies against the disk, folder by folder: there, a plain file, of the size, and of the content."""

from __future__ import annotations

import errno
import os
import queue
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.disk import comparing
from jwstwatch.disk.looking import look
from jwstwatch.disk.reading import NoPlainFileError, become_idle, read_through
from jwstwatch.errors import StorageError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.verifications import Lying

CONTENT = "its content is not what was verified (SHA-256)"
MISSING = "missing"
LINK = "a link stands at its path"
NO_FILE = "no plain file stands at its path"
_UNREADABLE = "cannot be read: "

_DENIALS = (os.strerror(errno.EACCES), os.strerror(errno.EPERM))

_AWAY = frozenset(
    {
        *(errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO),
        errno.EMFILE,
    }
)
"""What a disk says that is away, and a process that may not: no file is to blame."""


class Fault(StrEnum):
    """What is wrong with a copy."""

    MISSING = "missing"
    CUT = "cut"
    """Of another size."""
    FOREIGN = "foreign"
    """Something that is no plain file stands at its path."""
    CONTENT = "content"
    UNREADABLE = "unreadable"
    DENIED = "denied"
    """This user may not read it, which says nothing of its content."""


def fault_of(problem: str) -> Fault:
    """Return what a problem, as it is told and remembered, is about."""
    if problem == CONTENT:
        return Fault.CONTENT
    if problem == MISSING:
        return Fault.MISSING
    if problem in (LINK, NO_FILE):
        return Fault.FOREIGN
    if problem.startswith(_UNREADABLE):
        return Fault.DENIED if problem.endswith(_DENIALS) else Fault.UNREADABLE
    return Fault.CUT


class Expected(Protocol):
    """What should stand at a path: bytes, SHA-256, and what was found wrong with it before."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def damage(self) -> str | None: ...


Item = TypeVar("Item", bound=Expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Generic[Item]):
    """What a look at a copy found; `problem` is None where it is as it should be.

    `size` and `sha256` are those on disk, None where they were not found out.
    """

    copy: Item
    problem: str | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def fault(self) -> Fault | None:
        """What the problem is about."""
        return None if self.problem is None else fault_of(self.problem)


class StoppedError(Exception):
    """Somebody asked for an end in the middle of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How copies are looked at: `deep` reads them through, `passed` hears of every block of bytes.

    `passed` is called in any thread; it raises `StoppedError` where `stop` is set.
    """

    deep: bool
    jobs: int
    stop: threading.Event
    passed: Callable[[int], None]


def inspect(root: Path, lots: Iterable[Sequence[Item]], way: Way) -> Iterator[Finding[Item]]:
    """Yield what is found of each copy below `root`; `way.jobs` folders are read at the same time.

    Each folder is read in the order of its paths. Ends early where `way.stop` is set: what was not finished
    by then is not yielded. Raises `StorageError` where a disk is away.
    """
    found: queue.SimpleQueue[Finding[Item] | int] = queue.SimpleQueue()
    quitting = threading.Event()

    def work(number: int, copies: Sequence[Item]) -> None:
        try:
            for finding in _inspect_folder(root, copies, way, quitting):
                found.put(finding)
        finally:
            found.put(number)

    begun: dict[int, Future[None]] = {}

    def arrivals(most: int) -> Iterator[Finding[Item]]:
        """Yield what arrives until at most so many folders are under way."""
        while len(begun) > most:
            item = found.get()
            if isinstance(item, int):
                begun.pop(item).result()
            else:
                yield item

    # Threads of their own also for one job: an idle priority cannot be taken back from this one.
    with ThreadPoolExecutor(way.jobs, thread_name_prefix="verify", initializer=become_idle) as pool:
        try:
            for number, copies in enumerate(_by_folder(lots)):
                if way.stop.is_set():
                    break
                begun[number] = pool.submit(work, number, copies)
                yield from arrivals(2 * way.jobs - 1)
            yield from arrivals(0)
        finally:
            quitting.set()


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at a folder says: how many copies are as they should be, and the paths of the others.

    `beside` are the names of what else is there, None where that is not known.
    """

    folder: str
    sound: int
    doubtful: Sequence[str]
    beside: Collection[str] | None = None


def glance(root: Path, folders: Iterable[Lying], way: Way) -> Iterator[Glance]:
    """Yield what one look at each folder below `root` says, in their order; `way.jobs` at the same time.

    Ends early where `way.stop` is set. Raises `StorageError` where a disk is away.
    """
    waiting: deque[Future[Glance]] = deque()
    with ThreadPoolExecutor(way.jobs, thread_name_prefix="verify", initializer=become_idle) as pool:
        try:
            for lying in folders:
                if way.stop.is_set():
                    break
                waiting.append(pool.submit(_glance, root, lying))
                if len(waiting) >= 2 * way.jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _glance(root: Path, lying: Lying) -> Glance:
    folder, expected = lying.folder, comparing.Expected(lying.folder, lying.sizes)
    try:
        seen = comparing.compare(root, expected, beside=True)
    except StorageError as error:
        if _of_folder(error) is None:
            raise
        return Glance(folder, 0, [expected.path(name) for name in lying.sizes])
    doubtful = {*seen.missing, *seen.other, *lying.noted}
    beside = None
    if seen.beside is not None:
        # What stands in the place of a copy may be a link, or a folder with something in it.
        beside = [*seen.beside, *(path.rpartition("/")[2] for path in seen.other)]
    return Glance(folder, len(lying.sizes) - len(doubtful), sorted(doubtful), beside)


def judge_all(root: Path, copies: Sequence[Item], way: Way) -> Iterator[Finding[Item]]:
    """Yield what is to be said of each of some copies, in this thread; of none after `way.stop` is set."""
    for some in _by_folder([copies]):
        yield from _inspect_folder(root, some, way, way.stop)


def _by_folder(lots: Iterable[Sequence[Item]]) -> Iterator[list[Item]]:
    for lot in lots:
        folders: dict[str, list[Item]] = defaultdict(list)
        for copy in lot:
            folders[copy.path.rpartition("/")[0]].append(copy)
        for _, copies in sorted(folders.items()):
            yield sorted(copies, key=lambda copy: copy.path)


def _inspect_folder(
    root: Path, copies: Sequence[Item], way: Way, quitting: threading.Event
) -> Iterator[Finding[Item]]:
    try:
        standing = look(root, [copy.path for copy in copies])
    except StorageError as error:
        # One folder that cannot be looked into is no reason to leave all others.
        problem = _of_folder(error)
        if problem is None:
            raise
        yield from (Finding(copy=copy, problem=problem) for copy in copies)
        return
    for copy in copies:
        if way.stop.is_set() or quitting.is_set():
            return
        try:
            yield judge(root, copy, standing.get(copy.path), way)
        except StoppedError:
            return


def _of_folder(error: StorageError) -> str | None:
    """Return what is wrong with the copies in a folder that refuses, None where its disk is away."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM, errno.EIO):
        return f"{_UNREADABLE}{os.strerror(cause.errno)}"
    return None


def judge(root: Path, copy: Item, standing: OnDisk | None, way: Way) -> Finding[Item]:
    """Return what is to be said of one copy, for which `standing` was seen at its path."""
    if standing is None:
        return Finding(copy=copy, problem=MISSING)
    if standing.kind is not DiskKind.FILE:
        return Finding(copy=copy, problem=LINK if standing.kind is DiskKind.LINK else NO_FILE)
    if copy.size is not None and standing.size != copy.size:
        return Finding(copy=copy, problem=_cut(standing.size, copy.size), size=standing.size)
    if way.deep and copy.sha256:
        return _read(root, copy, way)
    noted = copy.damage is not None and fault_of(copy.damage) in (Fault.CONTENT, Fault.UNREADABLE)
    return Finding(copy=copy, problem=copy.damage if noted else None, size=standing.size)


def judge_now(root: Path, copy: Item, way: Way) -> Finding[Item]:
    """Look at one copy, in this thread."""
    return judge(root, copy, look(root, [copy.path]).get(copy.path), way)


def _cut(found: int, size: int) -> str:
    return f"{found} of {size} bytes"


def _read(root: Path, copy: Item, way: Way) -> Finding[Item]:
    path = root / copy.path
    try:
        read = read_through(path, passed=way.passed)
    except (FileNotFoundError, NotADirectoryError):
        return Finding(copy=copy, problem=MISSING)
    except NoPlainFileError:
        return Finding(copy=copy, problem=NO_FILE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return Finding(copy=copy, problem=LINK)
        if error.errno in _AWAY:
            with translate_storage_errors(path):
                raise
        return Finding(copy=copy, problem=f"{_UNREADABLE}{error.strerror or error}")
    problem = None
    if copy.size is not None and read.size != copy.size:
        problem = _cut(read.size, copy.size)
    elif read.sha256 != copy.sha256:
        problem = CONTENT
    return Finding(copy=copy, problem=problem, size=read.size, sha256=read.sha256)
