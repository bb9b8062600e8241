"""A thread that does one thing after the other, so that nobody else has to wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)

Work = Callable[[], None]

REST = 10.0
"""Seconds without work after which the thread ends; the next work starts another."""


class Worker:
    """Works wait in line, at most `capacity` of them; each belongs to a `group` that can be waited for."""

    def __init__(self, name: str, *, capacity: int) -> None:
        self._name = name
        self._capacity = capacity
        self._changed = threading.Condition()
        self._line: deque[tuple[Hashable, Work]] = deque()
        self._open: Counter[Hashable] = Counter()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.abandoned = threading.Event()
        """Set when the work in progress must end now."""

    @property
    def waiting(self) -> int:
        """Return how many works wait in line."""
        with self._changed:
            return len(self._line)

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to do."""
        with self._changed:
            return not self._open

    def submit(self, work: Work, *, group: Hashable, patience: float = 0.0, forced: bool = False) -> bool:
        """Put a work in line; False where the line is full for `patience` seconds, or closed.

        What is `forced` is taken however long the line is.
        """
        with self._changed:
            if not forced:
                self._changed.wait_for(lambda: self._closed or self._has_room(), patience)
            if self._closed or not (forced or self._has_room()):
                return False
            self._line.append((group, work))
            self._open[group] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def _has_room(self) -> bool:
        return len(self._line) < self._capacity

    def wait(self, group: Hashable, *, until: float) -> bool:
        """Wait till every work of a group is done, or the monotonic clock says `until`; whether they are."""
        with self._changed:
            left = max(0.0, until - time.monotonic())
            return self._changed.wait_for(lambda: not self._open[group], left)

    def rest(self, *, until: float | None) -> bool:
        """Wait till there is nothing to do, or the monotonic clock says `until`; whether there is nothing."""
        with self._changed:
            left = None if until is None else max(0.0, until - time.monotonic())
            return self._changed.wait_for(lambda: not self._open, left)

    def stop(self) -> int:
        """Take nothing more, drop what is in line, abandon what is in progress; returns what was dropped."""
        with self._changed:
            self._closed = True
            left_out = len(self._line)
            for group, _ in self._line:
                self._done(group)
            self._line.clear()
            self.abandoned.set()
            self._changed.notify_all()
            return left_out

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._line) or self._closed, REST)
                if not self._line:
                    self._thread = None
                    return
                group, work = self._line.popleft()
                self._changed.notify_all()
            try:
                work()
            except Exception:
                log.exception("%s: this should not happen", self._name)
            with self._changed:
                self._done(group)
                self._changed.notify_all()

    def _done(self, group: Hashable) -> None:
        self._open[group] -= 1
        if not self._open[group]:
            del self._open[group]
