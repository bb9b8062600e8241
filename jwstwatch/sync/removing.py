"""Take files away for good: only below their root, only plain files, never through a link."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jwstwatch.core.layout import thumbnail_name
from jwstwatch.disk import markers
from jwstwatch.errors import RootMissingError, UnsafePathError
from jwstwatch.files import check_name, translate_storage_errors

_PICTURES = (".jpg", ".png")


def require_roots(roots: Iterable[tuple[Path, str]]) -> None:
    """Raise `RootMissingError` unless every folder holds the marker with its identity."""
    for path, identity in sorted(set(roots)):
        if not markers.is_mounted(path, identity):
            raise _away(path)


def _away(root: Path) -> RootMissingError:
    return RootMissingError(
        f"{root} is not there, or is another folder than the one the state means: "
        f"its marker {markers.MARKER} is missing or foreign",
        hint="Is its disk mounted? What is not told as removed is still there.",
    )


class Remover:
    """Removes files below one root; what it did is durable once `sync` returns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._touched: set[tuple[str, ...]] = set()

    def remove(self, path: str, *, size: int | None) -> str | None:
        """Remove a copy with its thumbnail and its partials; returns why it was left, None where it is gone.

        `size` are the bytes that it is known to have: another file than that one is not ours to remove.
        """
        *folders, name = path.split("/")
        try:
            with translate_storage_errors(self._root), self._opened(folders) as handle:
                reason = _remove_plain(handle, check_name(name), size)
                if reason is None:
                    _remove_companions(handle, name)
                    self._touched.add(tuple(folders))
                return reason
        except FileNotFoundError:
            return None  # not even its folder is there
        except UnsafePathError as error:
            return error.message

    def sync(self) -> None:
        """Make durable what was removed."""
        for folders in self._touched:
            with translate_storage_errors(self._root), self._opened(folders) as handle:
                _sync(handle)
        self._touched.clear()

    @contextlib.contextmanager
    def _opened(self, folders: Sequence[str]) -> Iterator[int]:
        """Open a folder below the root step by step, so that no link can lead anywhere else."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            handle = os.open(self._root, flags)
        except FileNotFoundError:
            raise _away(self._root) from None
        try:
            for part in folders:
                inner = _step(check_name(part), handle, flags | os.O_NOFOLLOW)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)


def _sync(handle: int) -> None:
    with contextlib.suppress(OSError):  # a file system that cannot is left as it is
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


def _remove_plain(handle: int, name: str, size: int | None) -> str | None:
    try:
        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return "a link stands at its path"
    if not stat.S_ISREG(status.st_mode):
        return "no plain file stands at its path"
    if size is not None and status.st_size != size:
        return f"another file stands at its path ({status.st_size} bytes instead of {size})"
    os.unlink(name, dir_fd=handle)
    return None


def _remove_companions(handle: int, name: str) -> None:
    """Its thumbnail, and what was received of it or of its successor."""
    partial = re.compile(rf"\.{re.escape(name)}\.[0-9]+\.part(\.json)?")
    names = [entry for entry in os.listdir(handle) if partial.fullmatch(entry)]
    if name.endswith(_PICTURES):
        names.append(thumbnail_name(name))
    for each in names:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.stat(each, dir_fd=handle, follow_symlinks=False).st_mode):
                os.unlink(each, dir_fd=handle)
