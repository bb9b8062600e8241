"""When to stop asking an archive that is down."""

from __future__ import annotations

import threading

from jwstwatch.core.retrying import Failure

DIFFERENT_FILES = 5
"""Files that fail in a row, whichever worker has them, before no further one is started."""
ATTEMPTS = 9
"""The same for attempts of any kind, also those that the archive asked us to repeat later."""
CONVINCING = 1 << 20
"""Bytes that show that an archive works, before a first file is whole."""


class Breaker:
    """Counts the archive's failures since the last file that went well; all workers share it.

    Once open it stays open. In an outage fewer than twenty requests are made before it opens.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: set[int] = set()
        self._attempts = 0
        self._bytes = 0
        self.opened_by: Failure | None = None
        self.warmed_up = False
        """The archive has shown that it works: all connections may be used."""

    @property
    def is_open(self) -> bool:
        """Tell whether nothing further is to be started."""
        return self.opened_by is not None

    def received(self, count: int) -> None:
        """Note that `count` bytes came, of whatever file."""
        if not self.warmed_up:
            with self._lock:
                self._bytes += count
                self.warmed_up = self._bytes >= CONVINCING

    def succeeded(self) -> None:
        """Note that the archive did its part for a file."""
        with self._lock:
            self._files.clear()
            self._attempts = 0
            self.warmed_up = True

    def failed(self, key: int, failure: Failure, *, last: bool) -> None:
        """Note an attempt that failed for the archive's sake; `last`: no other follows for this file."""
        with self._lock:
            self._attempts += 1
            # An archive that says when to come back is not down yet.
            if last or failure.retry_after is None:
                self._files.add(key)
            too_many = len(self._files) >= DIFFERENT_FILES or self._attempts >= ATTEMPTS
            if too_many and self.opened_by is None:
                self.opened_by = failure
