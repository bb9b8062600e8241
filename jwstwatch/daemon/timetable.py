"""The timetable: one APScheduler job for each profile that has a schedule."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.daemon.schedule import next_run

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

    from jwstwatch.config import Profile
    from jwstwatch.store.runs import RunRecord

log = logging.getLogger(__name__)

PULSE = 5.0
"""Seconds between two signs of life of the scheduler's thread."""
DEAD = 60.0
"""Seconds without one after which it counts as dead."""

_PULSE_JOB = " pulse"
"""No profile's name has a blank."""

Due = Callable[[str, Trigger], None]


class Timetable:
    """Calls `due(profile, trigger)` when a profile's time has come; the jobs live in memory alone."""

    def __init__(self, due: Due) -> None:
        self._call = due
        self._random = Random()  # noqa: S311 - spreads starts, guards nothing
        self._lock = threading.Lock()
        self._due: dict[str, datetime] = {}
        self._pulse = time.monotonic()
        self._scheduler = self._make()

    def _make(self) -> BackgroundScheduler:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        return BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            # A late run is made up for once and never dropped: a job only asks for it, so it may do so
            # although it has hardly ended asking for the one before. The runner sees to the rest.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 100},
            timezone=UTC,
        )

    def start(self) -> None:
        """Let time run."""
        self._scheduler.start()
        self._beat()

    def stop(self) -> None:
        """Call nobody any more."""
        if self._scheduler.running:
            # Not in the middle of a look at the jobs, which would stumble over their end.
            self._scheduler.pause()
            self._scheduler.get_jobs()
            self._scheduler.shutdown(wait=False)

    def _beat(self) -> None:
        """Give a sign of life, and ask for the next; one at a time, however far the clock jumps."""
        self._pulse = time.monotonic()
        self._add_pulse()

    def _add_pulse(self) -> None:
        when = datetime.now(UTC) + timedelta(seconds=PULSE)
        self._scheduler.add_job(self._beat, "date", run_date=when, id=_PULSE_JOB, replace_existing=True)

    def is_alive(self) -> bool:
        """Return whether the scheduler's thread has given a sign of life lately."""
        return time.monotonic() - self._pulse < DEAD

    @property
    def due(self) -> dict[str, datetime]:
        """When each profile that has a schedule is due."""
        with self._lock:
            return dict(self._due)

    def enter(self, profile: Profile, last: RunRecord | None, *, starting: bool = False) -> None:
        """Enter a profile by its schedule and its last run; `starting`: with the daemon.

        A run that was cut short goes on when the daemon starts; one that ended is not repeated.
        """
        now = datetime.now(UTC)
        last_started_at = None if last is None else last.started_at
        due = next_run(profile.parameters, last_started_at=last_started_at, now=now)
        trigger = Trigger.SCHEDULE
        if starting and profile.parameters.run_on_start and profile.parameters.enabled:
            due, trigger = now, Trigger.START
        elif starting and due is not None and last is not None and last.outcome is Outcome.CANCELLED:
            due, trigger = now, Trigger.CATCH_UP
        elif due is not None and due <= now and last is not None:
            trigger = Trigger.CATCH_UP
        self.set(profile, due, trigger)

    def set(self, profile: Profile, due: datetime | None, trigger: Trigger) -> None:
        """Enter a profile for a time (with its jitter), or strike it out."""
        if due is None:
            self.strike(profile.name)
            return
        jitter = profile.parameters.jitter.total_seconds() * self._random.random()
        when = due + timedelta(seconds=jitter)
        with self._lock:
            self._due[profile.name] = when
        log.info("next run at %s", when.strftime("%Y-%m-%dT%H:%M:%SZ"), extra={"profile": profile.name})
        self._scheduler.add_job(
            self._fire,
            "date",
            run_date=when,
            args=(profile.name, trigger),
            id=profile.name,
            replace_existing=True,
        )

    def strike(self, profile: str) -> None:
        """Take a profile out."""
        with self._lock:
            known = self._due.pop(profile, None)
        if known is not None:
            from apscheduler.jobstores.base import JobLookupError

            with contextlib.suppress(JobLookupError):  # it fired at this moment
                self._scheduler.remove_job(profile)

    def look_again(self) -> None:
        """Compare the jobs' times with the clock at once: it jumped."""
        if self._scheduler.running:
            self._add_pulse()
            self._scheduler.wakeup()

    def _fire(self, profile: str, trigger: Trigger) -> None:
        with self._lock:
            self._due.pop(profile, None)
        self._call(profile, trigger)
