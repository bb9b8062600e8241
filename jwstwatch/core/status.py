"""rows x now -> how things stand: derived whenever asked, never stored."""

from __future__ import annotations

from datetime import datetime, timedelta

from jwstwatch.core.model import Outcome

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def schedule_text(*, enabled: bool, every: timedelta | None, cron: str | None, timezone: str) -> str:
    """Say when a profile runs: `every 6h`, `cron 15 */6 * * * (UTC)`, `off`."""
    if not enabled:
        return "off"
    if cron:
        return f"cron {cron} ({timezone})"
    return f"every {duration_text(every)}" if every else "by hand"


def duration_text(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it: `6h`, `90min`, `7d`."""
    seconds = round(duration.total_seconds())
    for length, name in _UNITS:
        if seconds and seconds % length == 0:
            return f"{seconds // length}{name}"
    return "0s"


def next_interval_run(*, every: timedelta, last_started_at: datetime | None, now: datetime) -> datetime:
    """Return when a profile with an interval is due: from its last run's start, at once where overdue."""
    return now if last_started_at is None else max(now, last_started_at + every)


def is_reachable(error_kind: str | None, outcome: Outcome | None) -> bool | None:
    """Say what a finished run learned of the archive: True, False, or None where it learned nothing."""
    if error_kind in ("archive_unreachable", "archive_timeout"):
        return False
    if outcome in (Outcome.COMPLETE, Outcome.PARTIAL) or error_kind in (
        "incomplete_listing",
        "query_rejected",
        "authentication",
    ):
        return True
    return None
