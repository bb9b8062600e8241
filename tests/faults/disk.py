"""What a disk may do, played by the calls that reach it; only files with one name are struck."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DiskFault = Callable[[pytest.MonkeyPatch, str], None]
"""Makes the disk misbehave for files with this in their name, until the patch is undone."""


def refuses_bytes(code: int, *, after: int) -> DiskFault:
    """Let writing fail once `after` bytes of a partial are there."""

    def strike(patch: pytest.MonkeyPatch, name: str) -> None:
        def wrap(real: Callable[..., int]) -> Callable[..., int]:
            def write(handle: int, *rest: Any) -> int:
                if _is_partial_of(handle, name) and os.fstat(handle).st_size >= after:
                    raise OSError(code, os.strerror(code))
                return real(handle, *rest)

            return write

        for call in ("write", "writev", "pwrite"):
            patch.setattr(os, call, wrap(getattr(os, call)))

    return strike


def refuses_to_sync(code: int) -> DiskFault:
    """Let fsync fail for a partial."""

    def strike(patch: pytest.MonkeyPatch, name: str) -> None:
        def wrap(real: Callable[[int], None]) -> Callable[[int], None]:
            def sync(handle: int) -> None:
                if _is_partial_of(handle, name):
                    raise OSError(code, os.strerror(code))
                real(handle)

            return sync

        for call in ("fsync", "fdatasync"):
            patch.setattr(os, call, wrap(getattr(os, call)))

    return strike


def refuses_to_sync_the_folder(patch: pytest.MonkeyPatch, name: str) -> None:
    """Let fsync fail for the folder in which the file stands by then."""
    real = os.fsync

    def sync(handle: int) -> None:
        place = _path_of(handle)
        if place.is_dir() and any(name in entry.name for entry in place.iterdir()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    patch.setattr(os, "fsync", sync)


def refuses_to_rename(code: int) -> DiskFault:
    """Let the rename of a partial to its name fail."""

    def strike(patch: pytest.MonkeyPatch, name: str) -> None:
        def wrap(real: Callable[..., None]) -> Callable[..., None]:
            def rename(source: Any, target: Any, **options: Any) -> None:
                if name in Path(target).name:
                    raise OSError(code, os.strerror(code))
                real(source, target, **options)

            return rename

        for call in ("replace", "rename"):
            patch.setattr(os, call, wrap(getattr(os, call)))

    return strike


def refuses_to_open(code: int) -> DiskFault:
    """Let making the partial fail."""

    def strike(patch: pytest.MonkeyPatch, name: str) -> None:
        real = os.open

        def opened(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            wanted = Path(os.fsdecode(path)).name
            if name in wanted and wanted.endswith(".part") and flags & os.O_CREAT:
                raise OSError(code, os.strerror(code))
            return real(path, flags, *rest, **options)

        patch.setattr(os, "open", opened)

    return strike


def _is_partial_of(handle: int, name: str) -> bool:
    place = _path_of(handle).name
    return name in place and place.endswith(".part")


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()
