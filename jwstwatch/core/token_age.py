"""How long a MAST token can live on, as far as it can be told from outside.

A token ends 60 days after it was made, and after 10 days without use, whichever comes first. When it was
made nobody but its owner knows; it was seen here later, so what is told is an upper bound.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LIFE: Final = timedelta(days=60)
"""From when a token is made until it ends."""

IDLE_LIFE: Final = timedelta(days=10)
"""From a token's last use until it ends."""


def days_left(
    first_seen_at: datetime | None,
    accepted_at: datetime | None,
    now: datetime,
    *,
    rejected_at: datetime | None = None,
) -> int | None:
    """Return the whole days that a token has left at most, None where nothing is known of it.

    The times are aware UTC: when it was first seen, and when the archive last took and last refused it. A
    token whose last answer was a refusal has none left. A clock that was set back makes nothing longer.
    """
    if first_seen_at is None:
        return None
    if rejected_at is not None and (accepted_at is None or rejected_at > accepted_at):
        return 0
    left = [_left(first_seen_at, LIFE, now)]
    if accepted_at is not None:
        left.append(_left(accepted_at, IDLE_LIFE, now))
    return min(left)


def _left(since: datetime, life: timedelta, now: datetime) -> int:
    return max(timedelta(0), life - max(timedelta(0), now - since)) // timedelta(days=1)
