"""A limit on bytes a second that all workers share, and that may be another one at another hour."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from jwstwatch.core.parameter_timetables import write_rate
from jwstwatch.core.timetables import Limit

log = logging.getLogger(__name__)

BURST = 0.25
"""Seconds of unused allowance that may be caught up with."""
GLANCE = 0.5
"""Seconds for which a rate is believed, and that somebody waits before he looks again."""
_LARGEST_READ = 1 << 20
_SMALLEST_READ = 4096


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


class Bandwidth:
    """A bucket that so many bytes a second drop into, for all threads; None is no limit.

    What has arrived is booked, and who booked it waits until the bucket has held as much; first booked,
    first served. The socket fills meanwhile and the archive slows down by itself. `limit` is a rate in bytes
    a second, or a timetable of such, which is followed in mid-file: a change counts within `GLANCE`.
    """

    def __init__(
        self,
        limit: Limit | float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._limit = _possible(limit)
        self._rate = self._rate_now()
        self._told: float | None = None
        self._looked_at = self._filled_at = clock()
        self._booked = 0.0
        """Bytes that have arrived, ever."""
        self._granted = 0.0
        """Bytes that were let pass, ever; those it is ahead of `_booked` are left in the bucket."""

    @property
    def read_size(self) -> int:
        """Return how many bytes to read at a time, so that a wait stays short."""
        rate = self._rate
        if rate is None:
            return _LARGEST_READ
        return int(min(_LARGEST_READ, max(_SMALLEST_READ, rate / 16)))

    def resize(self, limit: Limit | float | None) -> None:
        """Let as many bytes pass from now on, for those that wait already too."""
        limit = _possible(limit)
        with self._lock:
            self._fill()
            self._limit = limit
            self._look()

    def take(self, count: int, *, sleep: Callable[[float], object] = time.sleep) -> None:
        """Wait until `count` bytes that have arrived may have arrived.

        `sleep` waits for seconds; it returns something true where waiting is over, as when everything stops.
        """
        if self._limit is None:
            return
        with self._lock:
            self._fill()
            self._booked += count
            mine = self._booked
            wait = self._wait(mine)
        while wait > 0 and not sleep(wait):
            with self._lock:
                self._fill()
                wait = self._wait(mine)

    def _fill(self) -> None:
        """Let drop in what the time since has brought, at the rate of then; called with the lock held."""
        now = self._clock()
        if self._rate is None:
            self._granted = self._booked
        else:
            self._granted += self._rate * (now - self._filled_at)
        self._filled_at = now
        if now - self._looked_at >= GLANCE:
            self._look()
        # Only now: what was not used at a high rate is no provision for a low one.
        most = self._booked if self._rate is None else self._booked + self._rate * BURST
        self._granted = min(self._granted, most)

    def _wait(self, mine: float) -> float:
        # Half a byte is nothing to wait for, and less than the numbers can tell after some petabytes.
        if self._rate is None or mine - self._granted < 0.5:
            return 0.0
        return min((mine - self._granted) / self._rate, GLANCE)

    def _look(self) -> None:
        """Learn which rate the hour has, and tell of another one; called with the lock held."""
        self._looked_at = self._clock()
        self._rate = self._rate_now()
        if self._rate != self._told and isinstance(self._limit, Limit) and not self._limit.timetable.constant:
            log.info("%s", _describe(self._limit, self._now()))
            self._told = self._rate

    def _rate_now(self) -> float | None:
        return self._limit.rate_at(self._now()) if isinstance(self._limit, Limit) else self._limit


def _possible(limit: Limit | float | None) -> Limit | float | None:
    if isinstance(limit, Limit) or limit is None or limit > 0:
        return limit
    raise ValueError(f"a bandwidth of {limit} bytes a second lets nothing pass")


def _describe(limit: Limit, now: datetime) -> str:
    """Say which rate holds, and until when by the clocks of its zone."""
    rate, change = limit.rate_at(now), limit.next_change(now)
    text = f"the bandwidth is limited to {write_rate(rate)}" if rate else "the bandwidth is not limited"
    if change is None:
        return text
    end = limit.local(change)
    day = "" if end.date() == limit.local(now).date() else f"{end:%A} "
    return f"{text} until {day}{end:%H:%M} ({limit.timezone})"
