"""A product that is on disk already is copied to its second path, verified, and not fetched again."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from jwstwatch.files import translate_storage_errors
from jwstwatch.transfer.job import Fetched, Job
from jwstwatch.transfer.partial import Folders, note_of, part_name
from jwstwatch.transfer.placing import discard

_FICLONE = 0x40049409
"""Linux: share the source's blocks (Btrfs, XFS), which costs neither time nor space."""
_BLOCK = 1 << 20


def copy_verified(job: Job, source: Path, *, sha256: str, folders: Folders | None = None) -> Fetched | None:
    """Copy `source` to the partial of `job`; None where its bytes are not (any more) those of `sha256`.

    None, too, where the source cannot be read, whatever ails it, or something is wrong with this one path:
    the archive has the file, and to fetch it tells what stands in its way.
    Raises `StorageError` where the disk of the target refuses; nothing is left behind then.
    """
    part = job.target.parent / part_name(job.name, job.revision)
    try:
        with source.open("rb") as original, translate_storage_errors(job.target.parent):
            _make_way(part, folders or Folders())
            size, found = _copy(original, part)
    except (NoCopyError, OSError):
        discard(part)
        return None
    except BaseException:
        discard(part)
        raise
    if found != sha256:
        discard(part)
        return None
    return Fetched(job=job, part=part, size=size, sha256=found, received=0)


def copy_bytes(source: Path, part: Path) -> tuple[int, str]:
    """Write the bytes of `source` durably to `part`, which is new; returns their size and SHA-256.

    Raises `NoCopyError` where the source cannot be read, `OSError` where the disk refuses to take them.
    """
    try:
        original = source.open("rb")
    except OSError as error:
        raise NoCopyError from error
    with original:
        return _copy(original, part)


class NoCopyError(Exception):
    """The other copy, or this one path, is the trouble, and not the disk that is written to."""


def _make_way(part: Path, folders: Folders) -> None:
    try:
        folders.ready(part.parent)
    except (FileExistsError, NotADirectoryError) as error:
        raise NoCopyError from error
    part.unlink(missing_ok=True)
    note_of(part).unlink(missing_ok=True)


def _copy(original: BinaryIO, part: Path) -> tuple[int, str]:
    """Return size and SHA-256 of what was written, read back from the copy itself."""
    with part.open("xb+") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        except OSError:
            while block := _read(original):
                copy.write(block)
            copy.flush()
        os.fsync(copy.fileno())
        copy.seek(0)
        digest = hashlib.sha256()
        size = 0
        while block := copy.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _read(original: BinaryIO) -> bytes:
    try:
        return original.read(_BLOCK)
    except OSError as error:
        raise NoCopyError from error
