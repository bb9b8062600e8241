"""What an HTTP answer means for a transfer. Pure: no network here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from jwstwatch.core.retrying import Failure, FailureKind

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")
_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_STRONG_AFTER = 60.0
"""Seconds that a Last-Modified must lie behind the answer to tell two contents apart (RFC 9110, 8.8.2.2)."""


def judge_status(
    status: int, headers: Mapping[str, str], *, name: str, server: str, now: datetime
) -> Failure | None:
    """Return the failure that `status` amounts to, None where a body follows (200 and 206)."""
    if status in (200, 206):
        return None
    if status in (401, 403):
        return Failure(
            kind=FailureKind.UNAUTHORISED,
            message=f"{server} does not give {name} to this user (HTTP {status})",
        )
    if status in (404, 410):
        return Failure(kind=FailureKind.MISSING, message=f"{server} does not have {name} (HTTP {status})")
    if status in (408, 425, 429) or status >= 500:
        return Failure(
            kind=FailureKind.ARCHIVE,
            message=f"{server} cannot send {name} at the moment (HTTP {status})",
            retry_after=read_retry_after(headers.get("Retry-After", ""), now=now),
        )
    return Failure(kind=FailureKind.REFUSED, message=f"{server} refuses to send {name} (HTTP {status})")


def read_retry_after(value: str, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, from its number or its date."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,300}", value):
        return float(value)
    moment = _read_date(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def read_length(headers: Mapping[str, str]) -> int | None:
    """Return the bytes that Content-Length announces, None where it is missing or nonsense."""
    value = headers.get("Content-Length", "").strip()
    return int(value) if re.fullmatch(r"[0-9]{1,19}", value) else None


def read_content_range(headers: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """Return (first byte, last byte, bytes in all or None) of a 206, None where the header is of no use."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None
    first, last, total = match.groups()
    return int(first), int(last), None if total == "*" else int(total)


def read_validator(headers: Mapping[str, str]) -> str | None:
    """Return what proves in an If-Range that a content is still the same: a strong ETag, or an old date."""
    etag = headers.get("ETag", "").strip()
    if re.fullmatch(r'"[!#-~]*"', etag):
        return etag
    modified = headers.get("Last-Modified", "").strip()
    changed, answered = _read_date(modified), _read_date(headers.get("Date", ""))
    if changed is None or answered is None or (answered - changed).total_seconds() < _STRONG_AFTER:
        return None
    return modified


def read_evidence(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the facts about the content in `headers`: `etag` and `last_modified`, where stated."""
    facts = {"etag": headers.get("ETag", ""), "last_modified": headers.get("Last-Modified", "")}
    return {name: value.strip()[:200] for name, value in facts.items() if value.strip()}


def is_web_page(headers: Mapping[str, str], beginning: bytes) -> bool:
    """Tell whether what comes is a web page, as archives send in place of data during maintenance."""
    kind = headers.get("Content-Type", "").lower()
    return kind.startswith(("text/html", "application/xhtml")) or beginning.lstrip().lower().startswith(
        _PAGE_STARTS
    )


def _read_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
