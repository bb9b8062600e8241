"""Writing to disk so that a reader never sees half a file, and names that stay where they belong."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from jwstwatch.errors import StorageError, UnsafePathError

NAME_LIMIT = 255
"""Bytes in one path component, the limit of every common file system."""

# "." + name + "." + revision + ".part" must still fit.
_ROOM_FOR_PARTIAL = 24

_WRITE_AFRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


def write_atomically(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Put `content` at `path`, whole and durable, or leave what was there; missing folders are made.

    The file gets the modes of the umask (or `mode`), so that a team can read what a daemon wrote. Its
    temporary name is always the same: what a kill left is overwritten, not heaped up. Two processes must
    therefore not write one path at the same time (`locked` serialises them).
    """
    with translate_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_name(path)
        try:
            with open(temporary, "wb", opener=_open_afresh) as stream:
                stream.write(content)
                stream.flush()
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            durable_replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write `content` only where it differs from what lies there; True where it was written."""
    with contextlib.suppress(FileNotFoundError), translate_storage_errors(path):
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            temporary_name(path).unlink(missing_ok=True)
            return False
    write_atomically(path, content)
    return True


def write_remakable(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole, or leave what was there; for files that can be made again.

    It is not made durable, which costs many small files more than everything else: a power failure may lose
    the file or leave it empty. Otherwise as `write_atomically`.
    """
    with translate_storage_errors(path):
        temporary = temporary_name(path)
        try:
            try:
                handle = _open_afresh(str(temporary), _WRITE_AFRESH)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = _open_afresh(str(temporary), _WRITE_AFRESH)
            with open(handle, "wb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def temporary_name(path: Path) -> Path:
    """Return where a file is written before it takes its name."""
    return path.with_name(f".{path.name}.tmp")


def _open_afresh(path: str, flags: int) -> int:
    # Somebody's link must not lead the write elsewhere.
    with contextlib.suppress(FileNotFoundError):
        if Path(path).is_symlink():
            os.unlink(path)
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the advisory lock of an existing file; yields False where another process has it (no `wait`).

    A file system without locks is taken as unlocked: there the state's own claims must do.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EBADF, errno.EINVAL):
                raise
        yield True
    finally:
        os.close(handle)


def durable_replace(source: Path, target: Path) -> None:
    """Rename `source` over `target` and make the folder's entry durable."""
    os.replace(source, target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, durably: a file lasts no longer than its folder."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of `folder` durable (a file system that cannot is left as it is)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def current_umask() -> int:
    """Return the process's umask without touching it (setting it would race with other threads)."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022


def check_name(name: str) -> str:
    """Return `name` if it can be one file name below a folder, or raise `UnsafePathError`."""
    if not name or name in (".", ".."):
        raise UnsafePathError(f"{name!r} is no file name")
    if "/" in name or "\\" in name:
        raise UnsafePathError(f"{name!r} holds a path separator")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        raise UnsafePathError(f"{name!r} holds a control character")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise UnsafePathError(f"{name!r} cannot be written as a file name") from None
    if len(encoded) > NAME_LIMIT - _ROOM_FOR_PARTIAL:
        raise UnsafePathError(f"{name[:40]!r}... is {len(encoded)} bytes long, too long for a file name")
    return name


def join_safely(root: Path, relative: str) -> Path:
    """Return `root/relative` where every component of `relative` is a safe name."""
    parts = relative.split("/")
    for part in parts:
        check_name(part)
    return root.joinpath(*parts)


_STORAGE_HINTS = {
    errno.ENOSPC: ("is full", "Free some space there; the next run goes on where this one stopped."),
    errno.EDQUOT: ("is over its disk quota", "Raise the quota or free some space there."),
    errno.EROFS: ("is read-only", "Mount it for writing."),
    errno.EACCES: ("may not be written by this user", "Check the owner and the modes of the folder."),
    errno.EPERM: ("may not be written by this user", "Check the owner and the modes of the folder."),
    errno.EIO: ("reports input/output errors", "Check the disk and the system log."),
    errno.ESTALE: ("is a stale network mount", "Mount it again."),
    errno.ENOTDIR: ("is not a folder", "A file stands where a folder is needed; move it away."),
    errno.ENOTCONN: ("is a dead mount", "Mount it again."),
    errno.EHOSTDOWN: ("is on a host that is down", "Mount it again."),
    errno.ETIMEDOUT: ("does not answer in time", "Check the network mount."),
    errno.EREMOTEIO: ("reports remote input/output errors", "Check the network mount."),
    errno.ELOOP: ("is a link that leads in a circle", "Mend the link."),
    errno.ENODEV: ("is gone", "Mount it again."),
    errno.ENXIO: ("is gone", "Mount it again."),
    errno.EMFILE: ("cannot be opened: too many open files", "Raise the limit on open files (ulimit -n)."),
}


class translate_storage_errors:  # noqa: N801  (reads as the verb that it is)
    """Turn what the operating system says of local storage into a `StorageError` with a hint.

    A class and not a generator: it is entered a dozen times for each file.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin to listen."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the `StorageError` that an `OSError` of local storage amounts to."""
        if isinstance(error, OSError) and error.errno in _STORAGE_HINTS:
            what, hint = _STORAGE_HINTS[error.errno]
            raise StorageError(f"{self._path} {what}", hint=hint) from error
