"""What the daemon does for the state itself while nothing runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from jwstwatch.store import upkeep
from jwstwatch.store.engine import Database, sqlite_path

log = logging.getLogger(__name__)

_DAY = 86_400.0
"""Seconds between two times that old runs are forgotten; the first is soon after the start."""


class Housekeeping:
    """Keeps log and run history of the state small."""

    def __init__(self, database: Database, *, stop: Callable[[], bool]) -> None:
        self._database = database
        self._stop = stop
        self._due: float | None = None

    def tick(self, keep_runs: timedelta | None, *, now: datetime, clock: float) -> None:
        """Do what is due at `clock` (seconds, monotonic); to be called while no run goes on."""
        self._database.fold_log()
        if self._due is not None and clock < self._due:
            return
        self._due = clock + _DAY
        if keep_runs is not None:
            gone = upkeep.forget(self._database, before=now - keep_runs, stop=self._stop)
            if gone.runs or gone.notices:
                log.info("forgot %d old runs and %d notices that were over", gone.runs, gone.notices)
        self._sweep()

    def _sweep(self) -> None:
        """The daemon has the state's lock: what a vacuum left was left by a killed one."""
        from jwstwatch.store.vacuuming import sweep

        path = sqlite_path(self._database.engine.url)
        if path is not None:
            sweep(path)
