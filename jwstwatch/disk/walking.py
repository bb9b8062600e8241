"""Every file below a folder, whatever made it."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.core.planning import DiskKind
from jwstwatch.files import translate_storage_errors

_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What stands at `path` (relative to where the walk began, with `/`); size in bytes."""

    path: str
    kind: DiskKind
    size: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def walk(
    root: Path,
    *,
    unreadable: Callable[[str], None],
    hidden: bool = False,
    enter: Collection[str] = (),
    only: Mapping[str, Collection[str]] | None = None,
) -> Iterator[Walked]:
    """Yield everything below `root` that is no folder and whose name does not begin with a dot.

    Each folder is visited once, however many links lead to it, and by its own path where it lies below
    `root`; folders that begin with a dot are left out, but for the names in `enter`. With `hidden` files that
    begin with one are found too. `unreadable` hears of folders that cannot be listed. In the folders
    (relative to `root`) that `only` has, no other names than those are looked at.
    """
    with translate_storage_errors(root):
        seen = {_identity(root.stat())}
        _list(root)  # the beginning has to be readable, of the rest it is told
    folders: deque[str] = deque([""])
    links: deque[str] = deque()
    while folders or links:
        # Links come last, so that what lies below the root is found where it lies.
        folder = folders.popleft() if folders else _follow(root, links.popleft(), seen)
        if folder is None:
            continue
        names = None if only is None else only.get(folder)
        entries = _try_to_list(root / folder, unreadable, hidden=hidden or bool(enter), names=names)
        for name, status in entries:
            path = f"{folder}/{name}" if folder else name
            is_folder = stat.S_ISDIR(status.st_mode)
            meant = name in enter if is_folder else hidden and stat.S_ISREG(status.st_mode)
            if name.startswith(".") and not meant:
                continue
            if is_folder:
                if _identity(status) not in seen:
                    seen.add(_identity(status))
                    folders.append(path)
            elif stat.S_ISLNK(status.st_mode) and (root / path).is_dir():
                links.append(path)
            else:
                yield Walked(path=path, kind=_kind(status.st_mode), size=status.st_size)


def in_folder(
    root: Path, folder: str, *, unreadable: Callable[[str], None], names: Collection[str] | None = None
) -> Iterator[Walked]:
    """Yield what stands in one folder below `root` and is no folder, hidden or not; none where it is away.

    Where `names` are given, others are not looked at.
    """
    place = root / folder if folder else root
    if not place.is_dir():
        return
    for name, status in _try_to_list(place, unreadable, hidden=True, names=names):
        path = f"{folder}/{name}" if folder else name
        if name.startswith(".") and not stat.S_ISREG(status.st_mode):
            continue
        if stat.S_ISDIR(status.st_mode) or (stat.S_ISLNK(status.st_mode) and (root / path).is_dir()):
            continue
        yield Walked(path=path, kind=_kind(status.st_mode), size=status.st_size)


def _try_to_list(
    folder: Path, unreadable: Callable[[str], None], *, hidden: bool, names: Collection[str] | None = None
) -> list[tuple[str, os.stat_result]]:
    try:
        return _list(folder, hidden=hidden) if names is None else _ask_each(folder, names, hidden=hidden)
    except OSError as error:
        shown = str(folder).encode(errors="replace").decode()
        unreadable(f"{shown} cannot be read: {error.strerror}")
        return []


def _list(folder: Path, *, hidden: bool = False) -> list[tuple[str, os.stat_result]]:
    """Return names with what `lstat` says of them, in order; what vanishes meanwhile is left out."""
    found = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") and not hidden:
                continue
            try:
                found.append((entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
    return found


def _ask_each(folder: Path, names: Iterable[str], *, hidden: bool) -> list[tuple[str, os.stat_result]]:
    found = []
    for name in sorted(names):
        if name.startswith(".") and not hidden:
            continue
        try:
            found.append((name, os.lstat(folder / name)))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def _follow(root: Path, link: str, seen: set[_Identity]) -> str | None:
    """Return the link as a folder to visit, or None where that folder has been visited."""
    try:
        identity = _identity((root / link).stat())
    except OSError:
        return None
    if identity in seen:
        return None
    seen.add(identity)
    return link


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _kind(mode: int) -> DiskKind:
    if stat.S_ISREG(mode):
        return DiskKind.FILE
    return DiskKind.LINK if stat.S_ISLNK(mode) else DiskKind.OTHER
