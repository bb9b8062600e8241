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
    meanwhile and the archive slows down by itself.
    """

    def __init__(self, rate: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._booked_until = clock()
        self._rate = _possible(rate)

    @property
    def read_size(self) -> int:
        """Return how many bytes to read at a time, so that a wait stays short."""
        rate = self._rate
        if rate is None:
            return _LARGEST_READ
        return int(min(_LARGEST_READ, max(_SMALLEST_READ, rate / 16)))

    def resize(self, rate: float | None) -> None:
        """Let `rate` bytes a second pass from now on; who waits already waits no longer than before."""
        with self._lock:
            self._rate = _possible(rate)

    def take(self, count: int, *, sleep: Callable[[float], object] = time.sleep) -> None:
        """Wait until `count` bytes that have arrived may have arrived.

        `sleep` waits for seconds and may return early, as when everything stops.
        """
        with self._lock:
            if self._rate is None:
                return
            now = self._clock()
            start = max(self._booked_until, now - _BURST)
            self._booked_until = start + count / self._rate
            wait = self._booked_until - now
        if wait > 0:
            sleep(wait)


def _possible(rate: float | None) -> float | None:
    if rate is not None and rate <= 0:
        raise ValueError(f"a bandwidth of {rate} bytes a second lets nothing pass")
    return rate
