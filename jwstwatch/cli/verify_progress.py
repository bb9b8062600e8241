"""Progress of a verification: a bar on a terminal, plain lines elsewhere, nothing where JSON is asked for."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jwstwatch.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress

    from jwstwatch.sync.verifying import Watcher

PLAIN_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


@contextlib.contextmanager
def watcher(*, quiet: bool) -> Iterator[Watcher]:
    """Yield what tells of a verification on standard error, as fits what that is."""
    if quiet:
        yield _Nobody()
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines()


class _Nobody:
    """Says nothing."""

    def step(self, text: str) -> None: ...
    def began(self, *, files: int, size: int, done_files: int, done_size: int) -> None: ...
    def read(self, count: int) -> None: ...
    def looked_at(self, count: int) -> None: ...


class _Lines:
    """A line every few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = self._done = self._read = 0
        self._said = time.monotonic()

    def step(self, text: str) -> None:
        self._say(text)

    def began(self, *, files: int, size: int, done_files: int, done_size: int) -> None:
        self._files, self._done, self._read = files, done_files, done_size
        self._say(f"verifying {files} files" + (f", {output.size(size)}" if size else ""))

    def read(self, count: int) -> None:
        with self._lock:
            self._read += count
        self._say_at_times()

    def looked_at(self, count: int) -> None:
        with self._lock:
            self._done += count
        self._say_at_times()

    def _say_at_times(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._said < PLAIN_EVERY:
                return
            self._said = now
        read = f", {output.size(self._read)} read" if self._read else ""
        self._say(f"{self._done} of {self._files} files{read}")

    def _say(self, text: str) -> None:
        # Nobody may be listening any more (`2>&1 | head`): no reason to end.
        with contextlib.suppress(BrokenPipeError):
            print(f"jwstwatch: {text}", file=sys.stderr, flush=True)


class _Bar:
    """Files, bytes, rate and the time that is left; files alone where nothing is read."""

    def __init__(self) -> None:
        from rich.console import Console

        self._lock = threading.Lock()
        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._by_bytes = False
        self._files = self._done = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def step(self, text: str) -> None:
        self._console.print(text, style="dim", markup=False)

    def began(self, *, files: int, size: int, done_files: int, done_size: int) -> None:
        self._by_bytes = size > 0
        self._files, self._done = files, done_files
        self._progress = _progress(self._console, by_bytes=self._by_bytes)
        total, done = (size, done_size) if self._by_bytes else (files, done_files)
        self._progress.add_task(self._headline(), total=total, completed=done)
        self._progress.start()

    def read(self, count: int) -> None:
        if self._progress is not None and self._by_bytes:
            self._progress.advance(self._progress.task_ids[0], count)

    def looked_at(self, count: int) -> None:
        with self._lock:
            self._done += count
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(
                task, description=self._headline(), advance=None if self._by_bytes else count
            )

    def _headline(self) -> str:
        return f"{self._done} of {self._files} files"


def _progress(console: object, *, by_bytes: bool) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    assert isinstance(console, Console)
    of_bytes = (DownloadColumn(), TransferSpeedColumn()) if by_bytes else ()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *of_bytes,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
