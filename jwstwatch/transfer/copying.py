"""A product that is on disk already is copied to its second path, verified, and not fetched again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from jwstwatch.files import make_folder, translate_storage_errors
from jwstwatch.transfer.job import Fetched, Job
from jwstwatch.transfer.partial import note_of, part_name

_FICLONE = 0x40049409
"""Linux: share the source's blocks (Btrfs, XFS), which costs neither time nor space."""
_BLOCK = 1 << 20


def copy_verified(job: Job, source: Path, *, sha256: str) -> Fetched | None:
    """Copy `source` to the partial of `job`; None where its bytes are not (any more) those of `sha256`.

    Raises `StorageError` where the disk of the target refuses; nothing is left behind then.
    """
    with translate_storage_errors(job.target.parent):
        make_folder(job.target.parent)
    part = job.target.parent / part_name(job.name, job.revision)
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    note_of(part).unlink(missing_ok=True)
    try:
        original = source.open("rb")
    except OSError:
        return None  # whatever ails the other copy, the archive has the file
    try:
        with original, translate_storage_errors(part):
            size, found = _copy(original, part)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if found != sha256:
        part.unlink()
        return None
    return Fetched(job=job, part=part, size=size, sha256=found, received=0)


def _copy(original: BinaryIO, part: Path) -> tuple[int, str]:
    """Return size and SHA-256 of what was written, read back from the copy itself."""
    with part.open("xb+") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        except OSError:
            shutil.copyfileobj(original, copy, _BLOCK)
            copy.flush()
        os.fsync(copy.fileno())
        copy.seek(0)
        digest = hashlib.sha256()
        size = 0
        while block := copy.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
