"""What a request asks of a file that its client may have in part, or as a whole (RFC 9110)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC
from email.message import Message
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What tells one content of a file from another."""

    tag: str
    modified: str
    """The time of the content as an HTTP date."""
    seconds: int
    """The same, since 1970."""

    @classmethod
    def of(cls, status: os.stat_result) -> Validators:
        """Return those of an open file; a file that is replaced is another inode."""
        seconds = int(status.st_mtime)
        return cls(
            tag=f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"',
            modified=formatdate(max(seconds, 0), usegmt=True),
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The bytes from `start` up to but not including `end`."""

    start: int
    end: int


UNSATISFIABLE = Span(start=0, end=0)
"""A range that begins behind the end of the file."""


def is_known(headers: Message, validators: Validators) -> bool:
    """Return whether the client says that it has this very content."""
    tags = headers.get("If-None-Match")
    if tags is not None:
        return tags.strip() == "*" or validators.tag in _TAG.findall(tags)
    since = _seconds(headers.get("If-Modified-Since"))
    return since is not None and validators.seconds <= since


def asked_span(headers: Message, validators: Validators, *, size: int) -> Span | None:
    """Return the one range that is asked for; None where the whole file is to be sent.

    Several ranges, and what is no range of bytes, count as none; so does one of another content (If-Range).
    """
    match = _RANGE.fullmatch(headers.get("Range", ""))
    if match is None or not _is_still(headers.get("If-Range"), validators):
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
    else:
        start, end = int(first), int(last) + 1 if last else size
        if end <= start and last:
            return None
    end = min(end, size)
    return Span(start=start, end=end) if start < end else UNSATISFIABLE


def _is_still(condition: str | None, validators: Validators) -> bool:
    if condition is None:
        return True
    return condition.strip() in (validators.tag, validators.modified)


def _seconds(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
