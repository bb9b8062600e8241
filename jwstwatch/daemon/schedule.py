"""When a profile runs next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.status import next_interval_run

if TYPE_CHECKING:
    from jwstwatch.core.parameters import Parameters


def next_run(parameters: Parameters, *, last_started_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a profile is due, None for one that rests or is run by hand.

    An interval counts from the last run's start, so a restart neither repeats a run nor skips one. A cron
    time that passed while nobody was there is due at once. A start that lies well ahead was told by a clock
    that has been set back since, and counts for nothing.
    """
    if not parameters.enabled:
        return None
    if last_started_at is not None and last_started_at - now > CLOCKS_DIFFER:
        last_started_at = None
    if parameters.cron is not None:
        # The moment of the last start itself is over.
        since = now if last_started_at is None else last_started_at + timedelta(microseconds=1)
        due = next_cron_time(parameters.cron, timezone=parameters.timezone, since=since)
        return None if due is None else max(due, now)
    if parameters.every is None:
        return None
    return next_interval_run(every=parameters.every, last_started_at=last_started_at, now=now)


def next_cron_time(cron: str, *, timezone: str, since: datetime) -> datetime | None:
    """Return the first time at or after `since` that five crontab fields name, in UTC.

    When clocks are put forward, a time that is left out counts as the first minute after the gap; when they
    are put back, a time that comes twice counts once. Where every hour is meant, real hours are.
    """
    zone = ZoneInfo(timezone)
    if cron.split()[1] == "*":
        due: datetime | None = _trigger(cron, zone).get_next_fire_time(None, since.astimezone(zone))
        return None if due is None else due.astimezone(UTC)
    trigger = _trigger(cron, UTC)
    # On the wall's clock, where every day has its 24 hours; a little earlier, as it may have been put back.
    wall = since.astimezone(zone).replace(tzinfo=UTC) - timedelta(hours=3)
    while True:
        named = trigger.get_next_fire_time(None, wall)
        if named is None:
            return None
        moment = _on_the_wall(named.replace(tzinfo=None), zone)
        if moment >= since:
            return moment
        wall = named + timedelta(microseconds=1)


def _on_the_wall(named: datetime, zone: ZoneInfo) -> datetime:
    """Return when a wall clock of `zone` first shows `named`, or jumps over it, in UTC."""
    moment = named.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == named:
        return moment
    # In a gap: `moment` lies as far behind its end as `named` behind its beginning; gaps are whole minutes.
    offset = moment.astimezone(zone).utcoffset()
    end = moment.replace(second=0, microsecond=0)
    while (end - _MINUTE).astimezone(zone).utcoffset() == offset:
        end -= _MINUTE
    return end


_MINUTE = timedelta(minutes=1)


def _trigger(cron: str, zone: tzinfo) -> Any:
    """Return APScheduler's trigger for five crontab fields, read in `zone`."""
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = cron.split()
    days = [{"day": day, "day_of_week": _weekdays(weekday)}]
    if not day.startswith("*") and not weekday.startswith("*"):
        # As in a crontab: where both are restricted, either will do.
        days = [{"day": day}, {"day_of_week": _weekdays(weekday)}]
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
