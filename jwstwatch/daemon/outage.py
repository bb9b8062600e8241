"""An archive that is down: one probe decides; one line in the log when it goes, one when it is back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jwstwatch.errors import CancelledError

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import Probe

log = logging.getLogger(__name__)

FIRST_PAUSE = 15.0
LONGEST_PAUSE = 900.0
"""Seconds between two probes: doubling from the first to the longest."""


class Outage:
    """Watches an archive that a run found silent, in a thread that lives as long as the outage."""

    def __init__(
        self,
        probe: Callable[[], Probe],
        *,
        stop: threading.Event,
        down: Callable[[datetime, str], None],
        back: Callable[[timedelta], None],
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._probe = probe
        self._stop = stop
        self._down = down
        self._back = back
        self._first_pause = first_pause
        self._lock = threading.Lock()
        self._began = 0.0
        self._over = threading.Event()
        self.since: datetime | None = None
        self.probed_at: datetime | None = None
        self.next_probe_at: datetime | None = None

    def suspect(self) -> bool:
        """A run could not reach the archive: probe it; returns whether it is down (all pause then)."""
        # Held until all is told: an outage must not end before it has begun for everybody.
        with self._lock:
            if self.since is not None:
                return True
            found = self._look()
            if found is None or found.reachable:
                return False
            self.since = datetime.now(UTC)
            self._began = time.monotonic()
            problem = found.problem or "no answer"
            log.warning("the archive is down (%s): every profile pauses until it answers", problem)
            self._over = threading.Event()
            self._down(self.since, problem)
            watch = threading.Thread(
                target=self._watch, args=(self._over,), name="archive-probe", daemon=True
            )
            watch.start()
        return True

    def answered(self) -> None:
        """A run reached the archive, whatever the last probe said."""
        self._end()

    def _look(self) -> Probe | None:
        """Return what a probe finds, None where it could not be made."""
        try:
            found = self._probe()
        except CancelledError:  # stopping
            return None
        except Exception:
            log.exception("the archive could not be probed")
            return None
        self.probed_at = datetime.now(UTC)
        return found

    def _watch(self, over: threading.Event) -> None:
        """Probe until this outage is over."""
        pause = self._first_pause
        while not over.is_set():
            self.next_probe_at = datetime.now(UTC) + timedelta(seconds=pause)
            if self._rest(over, pause) or self._stop.is_set():
                return
            found = self._look()
            if found is not None and found.reachable:
                self._end()
                return
            pause = min(2 * pause, LONGEST_PAUSE)

    @staticmethod
    def _rest(over: threading.Event, seconds: float) -> bool:
        return over.wait(seconds)

    def _end(self) -> None:
        with self._lock:
            if self.since is None:
                return
            self.since = self.next_probe_at = None
            self._over.set()
            length = timedelta(seconds=round(time.monotonic() - self._began))
            log.warning("the archive is back after %s", length)
            self._back(length)
