"""What kind of failure it was, and when to try again. A retry is a value, never a sleep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class FailureKind(StrEnum):
    """Why a file did not arrive."""

    ARCHIVE = "archive"
    """The archive is down or in trouble: 5xx, HTML for data, a reset, a time-out, 429."""
    MISSING = "missing"
    """404 or 410: listed, but not to be had."""
    STILL_LISTED = "missing_listed"
    """MISSING, and a whole product list has named the file since; no answer means this by itself."""
    ABSENT = "absent"
    """404 or 410 again after that: listed, and not in the archive, until something changes."""
    UNAUTHORISED = "unauthorised"
    """401 or 403."""
    CONTENT = "content"
    """The bytes came and are not what they should be."""
    REFUSED = "refused"
    """Any other answer that trying again at once does not mend (another 4xx, a bad redirect)."""
    STORAGE = "storage"
    """The local disk said no; this stops the whole root."""
    LOCAL = "local"
    """Something foreign stands at the file's path (a link, a folder)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt: `message` is a sentence for the user, `retry_after` the seconds asked for."""

    kind: FailureKind
    message: str
    retry_after: float | None = None


FIRST_DELAY = timedelta(minutes=5)
LONGEST_DELAY = timedelta(days=1)

NOT_THERE = "listed, but the archive does not have it"
"""How the message of a file begins that is `ABSENT`."""


def confirmed(failure: Failure, before: FailureKind | None) -> Failure:
    """Return the failure, known for good where the file failed as `before` at the last try.

    A file is taken to be absent once the archive had listed it again and still did not have it.
    """
    if failure.kind is FailureKind.MISSING and before in (FailureKind.STILL_LISTED, FailureKind.ABSENT):
        return replace(failure, kind=FailureKind.ABSENT, message=f"{NOT_THERE}: {failure.message}")
    return failure


def next_attempt(
    failure: Failure, *, attempts: int, now: datetime, recheck: timedelta = timedelta(0)
) -> datetime:
    """Return when to try again after `attempts` failed ones: 5 min, doubling, at most a day.

    A file that is absent waits for a day, doubling, at most for `recheck`, but no less than any other: it may
    only be late, or back tomorrow.
    """
    doubled: int = 1 << min(max(attempts - 1, 0), 20)
    delay = min(FIRST_DELAY * doubled, LONGEST_DELAY)
    if failure.kind in (FailureKind.MISSING, FailureKind.ABSENT, FailureKind.REFUSED):
        delay = max(delay, timedelta(hours=1))
    if failure.retry_after is not None:
        asked = min(max(failure.retry_after, 0.0), LONGEST_DELAY.total_seconds())
        delay = max(delay, timedelta(seconds=asked))
    if failure.kind is FailureKind.ABSENT:
        delay = max(delay, min(LONGEST_DELAY * doubled / 2, recheck))
    return now + delay
