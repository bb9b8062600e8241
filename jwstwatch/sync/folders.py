"""Folders below an output folder, opened so that no link can lead anywhere else; and what stands in them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jwstwatch.disk import markers
from jwstwatch.errors import RootMissingError, UnsafePathError
from jwstwatch.files import check_name


@contextlib.contextmanager
def opened(root: Path, folders: Sequence[str]) -> Iterator[int]:
    """Open a folder below the root, one step after the other; yields its descriptor.

    Raises `RootMissingError` without a root, `UnsafePathError` for a link or no folder on the way, and
    `OSError` for what the disk says.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        handle = os.open(root, flags)
    except FileNotFoundError:
        raise away(root) from None
    try:
        for part in folders:
            inner = _step(check_name(part), handle, flags | os.O_NOFOLLOW)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def away(root: Path) -> RootMissingError:
    """Return the error for a root that is not there, or is not the one that the state means."""
    return RootMissingError(
        f"{root} is not there, or is another folder than the one the state means: "
        f"its marker {markers.MARKER} is missing or foreign",
        hint="Is its disk mounted? What is not told as removed is still there.",
    )


def names_in(handle: int) -> list[str]:
    """Return what stands in an open folder."""
    return os.listdir(handle)


def remove_plain_files(handle: int, names: Iterable[str]) -> int:
    """Remove what this program made in an open folder; returns how many. What is no plain file stays."""
    removed = 0
    for each in names:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.stat(each, dir_fd=handle, follow_symlinks=False).st_mode):
                os.unlink(each, dir_fd=handle)
                removed += 1
    return removed


def make_durable(handle: int) -> None:
    """Make durable what was removed from an open folder; a file system that cannot is left as it is."""
    with contextlib.suppress(OSError):
        os.fsync(handle)


def _step(part: str, handle: int, flags: int) -> int:
    try:
        return os.open(part, flags, dir_fd=handle)
    except OSError as error:
        # What such a flag says of a link depends on the system.
        if stat.S_ISLNK(os.stat(part, dir_fd=handle, follow_symlinks=False).st_mode):
            raise UnsafePathError(f"it lies behind a link ({part}), which is not followed") from None
        if isinstance(error, NotADirectoryError):
            raise UnsafePathError(f"{part} is no folder any more") from None
        raise
