"""When a profile runs next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jwstwatch.core.status import next_interval_run

if TYPE_CHECKING:
    from jwstwatch.core.parameters import Parameters


def next_run(parameters: Parameters, *, last_started_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a profile is due, None for one that rests or is run by hand.

    An interval counts from the last run's start, so a restart neither repeats a run nor skips one. A cron
    time that passed while nobody was there is due at once.
    """
    if not parameters.enabled:
        return None
    if parameters.cron is not None:
        trigger = cron_trigger(parameters)
        since = last_started_at if last_started_at is not None else now
        due: datetime | None = trigger.get_next_fire_time(
            None, since.astimezone(ZoneInfo(parameters.timezone))
        )
        if due is not None and last_started_at is not None and due <= last_started_at:
            due = trigger.get_next_fire_time(due, due)
        return None if due is None else max(due.astimezone(UTC), now)
    if parameters.every is None:
        return None
    return next_interval_run(every=parameters.every, last_started_at=last_started_at, now=now)


def cron_trigger(parameters: Parameters) -> Any:
    """Return APScheduler's trigger for a profile's `cron` in its time zone."""
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = (parameters.cron or "").split()
    days = [{"day": day, "day_of_week": _weekdays(weekday)}]
    if not day.startswith("*") and not weekday.startswith("*"):
        # As in a crontab: where both are restricted, either will do.
        days = [{"day": day}, {"day_of_week": _weekdays(weekday)}]
    zone = ZoneInfo(parameters.timezone)
    triggers = [CronTrigger(minute=minute, hour=hour, month=month, timezone=zone, **each) for each in days]
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _weekdays(field: str) -> str:
    """Write a crontab's weekday field by names: there 0 and 7 are Sunday, to APScheduler 0 is Monday."""
    if field == "*":
        return field
    chosen: set[int] = set()
    for part in field.lower().split(","):
        limits, _, step = part.partition("/")
        first, _, last = ("0-6" if limits == "*" else limits).partition("-")
        start = _weekday(first)
        end = _weekday(last) if last else (6 if step else start)
        chosen.update(number % 7 for number in range(start, end + 1, int(step or 1)))
    return ",".join(_WEEKDAYS[number] for number in sorted(chosen))


def _weekday(word: str) -> int:
    return int(word) if word.isdigit() else _WEEKDAYS.index(word[:3])
