"""Every file below a folder, whatever made it."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
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


def walk(root: Path, *, unreadable: Callable[[str], None]) -> Iterator[Walked]:
    """Yield everything below `root` that is no folder and whose name does not begin with a dot.

    Each folder is visited once, however many links lead to it, and by its own path where it lies below
    `root`; folders that begin with a dot are left out. `unreadable` hears of folders that cannot be listed.
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
        try:
            found = _list(root / folder)
        except OSError as error:
            shown = str(root / folder).encode(errors="replace").decode()
            unreadable(f"{shown} cannot be read: {error.strerror}")
            continue
        for name, status in found:
            path = f"{folder}/{name}" if folder else name
            if stat.S_ISDIR(status.st_mode):
                if _identity(status) not in seen:
                    seen.add(_identity(status))
                    folders.append(path)
            elif stat.S_ISLNK(status.st_mode) and (root / path).is_dir():
                links.append(path)
            else:
                yield Walked(path=path, kind=_kind(status.st_mode), size=status.st_size)


def _list(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Return names with what `lstat` says of them, in order; what vanishes meanwhile is left out."""
    found = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.name.startswith("."):
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
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
