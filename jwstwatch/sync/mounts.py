"""Whether output folders are there, asked so that a dead network mount keeps nobody waiting for long."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.disk import markers

PATIENCE = 1.0
"""Seconds that a folder may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What a look at an output folder found; its bytes are None where it is not mounted."""

    mounted: bool
    free_bytes: int | None = None
    total_bytes: int | None = None
    problem: str | None = None


class Mounts:
    """Looks at output folders; kept by whoever looks often, it has one thread at most for each that hangs."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._asked: dict[Path, Future[Mount]] = {}

    def look(self, path: Path, identity: str) -> Mount:
        """Return whether the root with this identity is at `path`, and how much is free there."""
        with self._lock:
            answer = self._asked.get(path)
            if answer is None:
                answer = self._asked[path] = Future()
                threading.Thread(
                    target=_answer, args=(answer, path, identity), name="mount-look", daemon=True
                ).start()
        try:
            found = answer.result(timeout=self._patience)
        except TimeoutError:
            return Mount(mounted=False, problem="does not answer")
        with self._lock:
            self._asked.pop(path, None)
        return found


def look(path: Path, identity: str) -> Mount:
    """Return the same without a limit on the time it takes."""
    if not markers.is_mounted(path, identity):
        return Mount(mounted=False, problem=_why_not(path))
    try:
        status = os.statvfs(path)
    except OSError as error:
        return Mount(mounted=True, problem=f"cannot be asked for its free space: {error.strerror}")
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    return Mount(mounted=True, free_bytes=free, total_bytes=total)


def _answer(answer: Future[Mount], path: Path, identity: str) -> None:
    answer.set_result(look(path, identity))


def _why_not(path: Path) -> str:
    try:
        found = markers.read(path)
        if found is not None:
            return "is another output folder"
        return "has no marker" if path.is_dir() else "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
