"""The daemon: APScheduler runs each enabled profile when it is due, until a signal says stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from jwstwatch.core.model import Trigger
from jwstwatch.daemon.schedule import next_run
from jwstwatch.errors import BusyError, JwstwatchError
from jwstwatch.store.locks import exclusive
from jwstwatch.sync import story
from jwstwatch.sync.context import Options

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

    from jwstwatch.config import Profile
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.store.store import Store
    from jwstwatch.sync.context import Context

log = logging.getLogger(__name__)

GLANCE = 0.5
"""Seconds between two looks at the stop."""
AFTER_TROUBLE = timedelta(minutes=1)
"""Before a profile whose run could not even begin is tried again."""


class Service:
    """Runs profiles on their schedules, at most `at_once` at a time, each in a thread of its own."""

    def __init__(
        self, store: Store, make_context: Callable[[], Context], *, stop: threading.Event, at_once: int = 2
    ) -> None:
        self._store = store
        self._make_context = make_context
        self._stop = stop
        self._at_once = at_once
        self._random = Random()  # noqa: S311 - spreads starts, guards nothing
        self._due: dict[str, datetime] = {}

    def run(self, profiles: dict[str, Profile]) -> None:
        """Serve until the stop event is set; runs in progress end in good order first.

        Raises `BusyError` where another daemon serves this state.
        """
        with exclusive(self._store.database, "daemon"):
            scheduler = self._start(profiles)
            try:
                # Not for ever: a signal that another thread caught is heard once this one wakes up.
                while not self._stop.wait(GLANCE):
                    continue
                log.info("stopping: what is in transfer is kept and goes on at the next start")
            finally:
                scheduler.shutdown(wait=True)

    def _start(self, profiles: dict[str, Profile]) -> BackgroundScheduler:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(self._at_once)},
            # A late run is made up for once, never dropped, and never beside itself.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        last = self._store.runs.last(list(profiles))
        for profile in profiles.values():
            if profile.parameters.enabled:
                self._schedule_first(scheduler, profile, last.get(profile.name))
        scheduler.start()
        return scheduler

    def _schedule_first(
        self, scheduler: BackgroundScheduler, profile: Profile, last: RunRecord | None
    ) -> None:
        now = datetime.now(UTC)
        due = next_run(profile.parameters, last_started_at=last.started_at if last else None, now=now)
        trigger = Trigger.SCHEDULE
        if profile.parameters.run_on_start:
            due, trigger = now, Trigger.START
        elif due is not None and due <= now and last is not None:
            trigger = Trigger.CATCH_UP
        if due is None:
            log.info("%s: has no schedule", profile.name)
            return
        self._schedule(scheduler, profile, due, trigger)

    def _schedule(
        self, scheduler: BackgroundScheduler, profile: Profile, due: datetime, trigger: Trigger
    ) -> None:
        jitter = profile.parameters.jitter.total_seconds() * self._random.random()
        when = due + timedelta(seconds=jitter)
        self._due[profile.name] = when
        log.info("%s: next run at %s", profile.name, when.strftime("%Y-%m-%dT%H:%M:%SZ"))
        scheduler.add_job(
            self._run,
            "date",
            run_date=when,
            args=(scheduler, profile, trigger),
            id=profile.name,
            replace_existing=True,
        )

    def _run(self, scheduler: BackgroundScheduler, profile: Profile, trigger: Trigger) -> None:
        """One run, then the next date; a run that raises is pushed forward, so it cannot loop."""
        if self._stop.is_set():
            return
        started = datetime.now(UTC)
        earliest = started
        try:
            result = story.run(profile, context=self._make_context(), trigger=trigger, options=Options())
            _log_run(result.record)
        except BusyError as error:
            log.warning("%s: %s", profile.name, error.message)
            earliest = started + AFTER_TROUBLE
        except JwstwatchError as error:
            log.error("%s: %s (%s)", profile.name, error.message, error.hint)  # noqa: TRY400 - foreseen
            earliest = started + AFTER_TROUBLE
        except Exception:
            log.exception("%s: the run failed unexpectedly", profile.name)
            earliest = started + AFTER_TROUBLE
        if self._stop.is_set():
            return
        due = next_run(profile.parameters, last_started_at=started, now=datetime.now(UTC))
        if due is not None:
            self._schedule(scheduler, profile, max(due, earliest), Trigger.SCHEDULE)


def _log_run(record: RunRecord) -> None:
    counts = record.counts
    log.info(
        "%s: run %d %s: %d downloaded (%d bytes), %d unchanged, %d withheld, %d failed, %d waiting%s",
        record.profile,
        record.id,
        record.outcome.value if record.outcome else "running",
        counts.downloaded,
        counts.bytes,
        counts.unchanged,
        counts.withheld,
        counts.failed,
        counts.waiting,
        f": {record.error_message}" if record.error_message else "",
    )
