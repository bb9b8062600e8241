"""An older copy is kept as `.replaced/FOLDER/rN/NAME` before its successor takes its place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.errors import UnsafePathError
from jwstwatch.files import join_safely, sync_folder, translate_storage_errors
from jwstwatch.transfer import copying
from jwstwatch.transfer.partial import part_name

log = logging.getLogger(__name__)

FOLDER = ".replaced"
"""Below the output folder; whoever walks through it leaves out what begins with a dot."""

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS})
"""What a file system says that has no second names, or none for this file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCopy:
    """A copy that is about to be replaced, as it was verified: bytes, mtime in ns."""

    root: Path
    path: str
    """Relative to the root, with `/`."""
    revision: int
    size: int | None
    sha256: str | None
    modified_ns: int | None


def keep(old: OldCopy) -> str | None:
    """Give the copy a second name, or a second copy where that cannot be; it stays at its path.

    Returns where, relative to the root; None where no such copy stands at its path any more, or where it is
    not what was verified: what was damaged is not kept. The folder is yet to be synced.
    Raises `UnsafePathError` where a link, or no folder, is in the way or this user may not write, and
    `StorageError` where the disk refuses; nothing is half there then.
    """
    target = join_safely(old.root, old.path)
    with translate_storage_errors(old.root / FOLDER):
        if not _is_as_verified(target, old):
            return None
        for place in _places(old):
            kept = join_safely(old.root, place)
            if os.path.lexists(kept):
                if _holds(kept, target, old):
                    return place
                continue
            try:
                _make_folders(old.root, place)
                return place if _give(target, kept, old) else None
            except PermissionError as error:
                raise UnsafePathError(
                    f"{kept.parent} may not be written by this user: the older copy stays as it is",
                    hint="Check the owner and the modes of the folder, then retry.",
                ) from error
    raise AssertionError("unreachable")


def find(old: OldCopy) -> str | None:
    """Return where the copy was kept already, relative to the root, though nobody recorded it; else None."""
    with translate_storage_errors(old.root / FOLDER):
        for place in _places(old):
            kept = join_safely(old.root, place)
            if not os.path.lexists(kept):
                with contextlib.suppress(OSError):  # a copy that a death cut off
                    _part(kept, old).unlink()
                return None
            if _holds(kept, None, old):
                return place
    raise AssertionError("unreachable")


def _places(old: OldCopy) -> Iterator[str]:
    """Yield where it may lie: other content there, of a state that was lost, is not overwritten."""
    folder, _, name = old.path.rpartition("/")
    for number in itertools.count(1):
        revision = f"r{old.revision}" if number == 1 else f"r{old.revision}-{number}"
        yield "/".join(part for part in (FOLDER, folder, revision, name) if part)


def _is_as_verified(target: Path, old: OldCopy) -> bool:
    try:
        status = os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    if status.st_mtime_ns == old.modified_ns and status.st_size == old.size:
        return True
    if _is_content(target, status, old):
        return True
    log.warning("%s was changed since it was verified: it is replaced and not kept", target)
    return False


def _holds(kept: Path, target: Path | None, old: OldCopy) -> bool:
    """Return whether the copy lies at `kept` by now, as after a death between this step and the next."""
    status = os.lstat(kept)
    if not stat.S_ISREG(status.st_mode):
        return False
    if target is not None and os.path.samestat(status, os.lstat(target)):
        return True
    return _is_content(kept, status, old)


def _is_content(path: Path, status: os.stat_result, old: OldCopy) -> bool:
    if status.st_size != old.size or old.sha256 is None:
        return False
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == old.sha256
    except OSError as error:
        log.warning("%s cannot be read: %s", path, error.strerror)
        return False


def _make_folders(root: Path, place: str) -> None:
    """Make the folders of a place durably, one in the other; a link among them is not followed."""
    folder = root
    for part in place.split("/")[:-1]:
        folder = folder / part
        try:
            status = os.lstat(folder)
        except FileNotFoundError:
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
            continue
        if not stat.S_ISDIR(status.st_mode):
            raise UnsafePathError(
                f"{folder} is a link, or no folder; replaced copies are not kept behind it",
                hint="Move it away, then retry.",
            )


def _part(kept: Path, old: OldCopy) -> Path:
    return kept.parent / part_name(kept.name, old.revision)


def _give(target: Path, kept: Path, old: OldCopy) -> bool:
    """Let the copy be at `kept` too; False where it turns out not to be what was verified."""
    try:
        os.link(target, kept, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return True
    part = _part(kept, old)
    try:
        part.unlink(missing_ok=True)
        size, sha256 = copying.copy_bytes(target, part)
        if size == old.size and old.sha256 in (None, sha256):
            status = os.lstat(target)
            part.chmod(stat.S_IMODE(status.st_mode))
            os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
            part.rename(kept)
            return True
    except copying.NoCopyError:
        pass
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.unlink(missing_ok=True)
    log.warning("%s is not what was verified: it is replaced and not kept", target)
    return False
