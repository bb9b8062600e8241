"""A limit on bytes a second that all workers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST = 0.25
"""Seconds of unused allowance that may be caught up with."""
_LARGEST_READ = 1 << 20
_SMALLEST_READ = 4096


class Bandwidth:
    """Lets `rate` bytes a second pass, over all threads; None is no limit.

    Each amount books its time on one line; who books waits until its time has come. The socket fills
    meanwhile and the archive slows down by itself. `sleep` may return early, as when everything stops.
    """

    def __init__(
        self,
        rate: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if rate is not None and rate <= 0:
            raise ValueError(f"a bandwidth of {rate} bytes a second lets nothing pass")
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._booked_until = clock()

    @property
    def read_size(self) -> int:
        """Return how many bytes to read at a time, so that a wait stays short."""
        if self._rate is None:
            return _LARGEST_READ
        return int(min(_LARGEST_READ, max(_SMALLEST_READ, self._rate / 16)))

    def take(self, count: int) -> None:
        """Wait until `count` bytes that have arrived may have arrived."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            start = max(self._booked_until, now - _BURST)
            self._booked_until = start + count / self._rate
            wait = self._booked_until - now
        if wait > 0:
            self._sleep(wait)
