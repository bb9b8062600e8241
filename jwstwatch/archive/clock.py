"""How far the archive's clock is from ours, by the `Date` of an answer. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_GRAIN = timedelta(seconds=1)
"""A `Date` names a whole second."""


def read_skew(headers: Mapping[str, str], *, received: datetime, took: timedelta) -> timedelta | None:
    """Return the archive's clock minus ours, from an answer that took so long and began to arrive then.

    The archive wrote its `Date` somewhere between question and answer: what that explains is no difference.
    None without a `Date` that can be read, and for an answer out of a cache, whose `Date` is an old one.
    """
    if "Age" in headers:
        return None
    stated = _read_date(headers.get("Date", ""))
    if stated is None:
        return None
    asked = received - max(took, timedelta(0))
    if stated > received:
        return stated - received
    if stated + _GRAIN < asked:
        return stated - asked
    return timedelta(0)


def _read_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        # "-0000" stands for a time in UTC of which no place is known.
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
