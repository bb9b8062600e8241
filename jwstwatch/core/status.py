"""rows x now -> how things stand: derived whenever asked, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


FEWEST_ANSWERS, MOST_ANSWERS = 3, 10
"""How many earlier answers have to agree before an empty one is odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an observation query came to: executed observations, and whether it reached back to the floor."""

    found: int
    from_floor: bool


def is_oddly_empty(answer: Answer, earlier: Sequence[Answer], *, known: int) -> bool:
    """Tell a query that finds nothing any more from one that never found much.

    `earlier` are the answers to the same profile, newest first; `known` is how many executed observations
    it has found so far. Odd is an empty answer after none but full ones, and an empty one from the floor,
    which all that is known must answer (unless the one before was empty too: another query, by then).
    """
    if answer.found:
        return False
    recent = earlier[:MOST_ANSWERS]
    if len(recent) >= FEWEST_ANSWERS and all(entry.found for entry in recent):
        return True
    before = next((entry for entry in earlier if entry.from_floor), None)
    return answer.from_floor and known > 0 and (before is None or before.found > 0)
