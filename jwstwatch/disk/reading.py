"""Reading many files through, so that whoever else uses the disk hardly notices."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from jwstwatch.disk.looking import Fingerprint

BLOCK = 1 << 20
"""Bytes read at a time; after each of them the reader may be told to wait, or to stop."""

_LET_GO = 16 * BLOCK
"""Bytes after which the system's memory need not hold what was read."""

_NUMBERS_OF_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
_WHO_THREAD = 1
_CLASS_IDLE = 3 << 13


class NoPlainFileError(OSError):
    """What stands at the path is no plain file."""


def read_through(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
    """Read a plain file from the disk, not from the system's memory of it, and return its fingerprint.

    `passed` hears of each block's bytes; what it raises ends the reading. A link is not followed, and what is
    no plain file is not waited for: `NoPlainFileError`. Raises `OSError` where it cannot be read.
    """
    digest = hashlib.sha256()
    size = let_go = 0
    view = memoryview(bytearray(BLOCK))
    # A pipe that took its place would be waited for.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NoPlainFileError(f"{path} is no plain file")
        _advise(handle, 0, 0, "POSIX_FADV_DONTNEED")
        _advise(handle, 0, 0, "POSIX_FADV_SEQUENTIAL")
        while count := os.readv(handle, [view]):
            digest.update(view[:count])
            size += count
            if size - let_go >= _LET_GO:
                _advise(handle, let_go, size - let_go, "POSIX_FADV_DONTNEED")
                let_go = size
            passed(count)
        _advise(handle, let_go, 0, "POSIX_FADV_DONTNEED")
    finally:
        os.close(handle)
    return Fingerprint(sha256=digest.hexdigest(), size=size, modified_ns=status.st_mtime_ns)


def _advise(handle: int, offset: int, length: int, advice: str) -> None:
    """Tell the system what to keep of a file; one that knows no such advice does as it likes."""
    number = getattr(os, advice, None)
    if number is None:
        return
    try:
        os.posix_fadvise(handle, offset, length, number)
    except OSError:
        return


def become_idle() -> bool:
    """Let the calling thread have the disk only when nobody else wants it; False where that cannot be told.

    Source: ioprio_set(2) of Linux. It counts with the I/O schedulers that know classes (bfq), and nowhere
    else; there is nothing to undo, as the thread ends with its work.
    """
    number = _NUMBERS_OF_IOPRIO_SET.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
        return bool(call(number, _WHO_THREAD, 0, _CLASS_IDLE) == 0)
    except (OSError, AttributeError):
        return False
