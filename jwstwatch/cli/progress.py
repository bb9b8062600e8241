"""Progress of a run: bars on a terminal, plain lines elsewhere, nothing where JSON is asked for."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from jwstwatch.cli.output import size as size_text
from jwstwatch.sync.context import Reporter, Silence

PLAIN_EVERY = 10.0
"""Seconds between two lines about a long transfer where there is no terminal."""


@contextlib.contextmanager
def reporter(*, quiet: bool) -> Iterator[Reporter]:
    """Yield what tells of a run on standard error, as fits what that is."""
    if quiet:
        yield Silence()
    elif sys.stderr.isatty():
        with _Bars() as bars:
            yield bars
    else:
        yield _Lines()


class _Lines:
    """One line per fact, and one every few seconds on a long transfer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = self._done = self._bytes = 0
        self._said = time.monotonic()

    def began(self, run_id: int) -> None:
        """Its number is of no interest here."""

    def step(self, text: str) -> None:
        self._say(text)

    def listed(self, *, observations: int, done: int, products: int) -> None:
        if done == observations or self._is_time():
            self._say(f"listed {products} product rows of {done} of {observations} observations")

    def checked(self, *, files: int, done: int) -> None:
        if done == files or self._is_time():
            self._say(f"read {done} of {files} files")

    def planned(self, *, files: int, size: int) -> None:
        with self._lock:
            if self._done >= self._files:  # what was planned before is over
                self._files, self._done, self._bytes = 0, 0, 0
            self._files += files
        self._say(f"fetching {files} files, {size_text(size)}")

    def started(self, key: int, name: str, size: int | None) -> None:
        """A line for the whole is enough."""

    def advanced(self, key: int, count: int) -> None:
        with self._lock:
            self._bytes += count

    def finished(self, key: int) -> None:
        with self._lock:
            self._done += 1
        if self._done >= self._files or self._is_time():
            self._say(f"{self._done} of {self._files} files, {size_text(self._bytes)}")

    def failed(self, name: str, problem: str) -> None:
        self._say(f"{name}: {problem}")

    def warned(self, text: str) -> None:
        self._say(f"warning: {text}")

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._said < PLAIN_EVERY:
            return False
        self._said = now
        return True

    def _say(self, text: str) -> None:
        # Nobody may be listening any more (`2>&1 | head`): no reason to end a run.
        with contextlib.suppress(BrokenPipeError):
            print(f"jwstwatch: {text}", file=sys.stderr, flush=True)


class _Bars:
    """A bar for the whole, and one for each file that takes long enough to be seen."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._lock = threading.Lock()
        self._console = Console(stderr=True, highlight=False)
        self._counts = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
        )
        self._bytes = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._active: Progress | None = None
        self._whole: Any = None
        self._listing: Any = None
        self._checking: Any = None
        self._tasks: dict[int, Any] = {}
        self._files = self._done = self._size = 0

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        self._show(None)

    def _show(self, progress: Any) -> None:
        if self._active is progress:
            return
        if self._active is not None:
            self._active.stop()
        self._active = progress
        if progress is not None:
            progress.start()

    def began(self, run_id: int) -> None:
        """Its number is of no interest here."""

    def step(self, text: str) -> None:
        self._show(None)
        self._console.print(text, style="dim", markup=False)

    def listed(self, *, observations: int, done: int, products: int) -> None:
        self._show(self._counts)
        if self._listing is None:
            self._listing = self._counts.add_task("observations", total=observations)
        self._counts.update(
            self._listing,
            total=observations,
            completed=done,
            description=f"observations ({products} product rows)",
        )

    def checked(self, *, files: int, done: int) -> None:
        self._show(self._counts)
        if self._checking is None:
            self._checking = self._counts.add_task("files read", total=files)
        self._counts.update(self._checking, total=files, completed=done)

    def planned(self, *, files: int, size: int) -> None:
        with self._lock:
            self._show(self._bytes)
            if self._done >= self._files:  # what was planned before is over
                self._files = self._done = self._size = 0
                if self._whole is not None:
                    self._bytes.remove_task(self._whole)
                self._whole = self._bytes.add_task("", total=None)
            self._files += files
            self._size += size
            self._bytes.update(self._whole, description=self._headline(), total=self._size or None)

    def _headline(self) -> str:
        return f"{self._done} of {self._files} files"

    def started(self, key: int, name: str, size: int | None) -> None:
        with self._lock:
            before = self._tasks.pop(key, None)
            if before is not None:
                self._bytes.remove_task(before)
            self._tasks[key] = self._bytes.add_task(name, total=size)

    def advanced(self, key: int, count: int) -> None:
        with self._lock:
            for task in (self._tasks.get(key), self._whole):
                if task is not None:
                    self._bytes.advance(task, count)

    def finished(self, key: int) -> None:
        with self._lock:
            task = self._tasks.pop(key, None)
            self._done += 1
            if task is not None:
                self._bytes.remove_task(task)
            if self._whole is not None:
                self._bytes.update(self._whole, description=self._headline())

    def failed(self, name: str, problem: str) -> None:
        self._console.print(f"{name}: {problem}", style="red", markup=False)

    def warned(self, text: str) -> None:
        self._console.print(f"warning: {text}", style="yellow", markup=False)
