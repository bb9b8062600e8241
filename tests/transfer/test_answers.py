"""What headers say, and what they might."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.answers import (
    is_web_page,
    judge_status,
    read_content_range,
    read_evidence,
    read_length,
    read_retry_after,
    read_validator,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["Retry-After", "Content-Length", "Content-Range", "ETag", "Last-Modified", "Date", "Content-Type"]
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.text())


@settings(deadline=None)
@given(headers=HEADERS, status=st.integers(100, 999), beginning=st.binary())
def test_no_header_breaks_a_transfer(headers: dict[str, str], status: int, beginning: bytes) -> None:
    judge_status(status, headers, name="f", server="s", now=NOW)
    length = read_length(headers)
    assert length is None or length >= 0
    read_content_range(headers)
    read_validator(headers)
    read_evidence(headers)
    is_web_page(headers, beginning)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("10000000000", 1e10),
        ("9" * 400, None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Thu, 01 Jan 2026 00:01:30", 90.0),
    ],
)
def test_a_wish_to_wait_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": 'W/"a"'}, None),
        ({"ETag": '"a\nb"'}, None),
        ({"ETag": "a"}, None),
        ({"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, None),
        (
            {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:30 GMT"},
            None,
        ),
        (
            {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Date": "Thu, 01 Jan 2026 00:02:00 GMT"},
            "Thu, 01 Jan 2026 00:00:00 GMT",
        ),
    ],
)
def test_only_a_strong_validator_counts(headers: dict[str, str], validator: str | None) -> None:
    assert read_validator(headers) == validator


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("bytes 5-9/*", (5, 9, None)),
        ("bytes */10", None),
        ("items 5-9/10", None),
        ("", None),
    ],
)
def test_a_content_range_says_where_a_piece_belongs(
    value: str, span: tuple[int, int, int | None] | None
) -> None:
    assert read_content_range({"Content-Range": value}) == span


@pytest.mark.parametrize("beginning", [b"<html>", b"\r\n <!DOCTYPE HTML PUBLIC", b"<HEAD>"])
def test_a_web_page_is_known_by_its_first_bytes(beginning: bytes) -> None:
    assert is_web_page({"Content-Type": "application/fits"}, beginning)


def test_data_are_no_web_page() -> None:
    for beginning in (b"SIMPLE  =", b"\xff\xd8\xff", b'{"a": "<html>"}', b"<?xml", b""):
        assert not is_web_page({"Content-Type": "application/octet-stream"}, beginning)


def test_a_status_that_brings_a_body_is_no_failure() -> None:
    assert judge_status(200, {}, name="f", server="s", now=NOW) is None
    failure = judge_status(503, {"Retry-After": "5"}, name="f", server="http://s", now=NOW)
    assert failure is not None
    assert (failure.kind, failure.retry_after) == (FailureKind.ARCHIVE, 5.0)
    assert "http://s" in failure.message
