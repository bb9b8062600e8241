"""When the keyword services are asked, and what of their answers a transfer may rely on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jwstwatch.core.keywords import (
    REST,
    Inquiry,
    KeywordRow,
    Question,
    believable_checksum,
    caught_up,
    question,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY
FRESH = Inquiry(answered_at=NOW - HOUR, whole_at=NOW - 2 * DAY)


@pytest.mark.parametrize(
    ("inquiry", "expected"),
    [
        (None, Question.WHOLE),
        (Inquiry(), Question.WHOLE),
        (FRESH, None),
        (Inquiry(answered_at=NOW - DAY, whole_at=NOW - DAY), Question.RECENT),
        (Inquiry(answered_at=NOW - HOUR, whole_at=NOW - WEEK), Question.WHOLE),
        (Inquiry(answered_at=NOW - HOUR), Question.WHOLE),
        (Inquiry(failed_at=NOW - 23 * HOUR), None),
        (Inquiry(failed_at=NOW - DAY), Question.WHOLE),
        (Inquiry(answered_at=NOW - 9 * DAY, whole_at=NOW - 9 * DAY, failed_at=NOW - HOUR), None),
        (Inquiry(answered_at=NOW - 2 * DAY, whole_at=NOW - 2 * DAY, failed_at=NOW - DAY), Question.RECENT),
        # Told by a clock that went wrong.
        (Inquiry(failed_at=NOW + DAY), Question.WHOLE),
        (Inquiry(answered_at=NOW + DAY, whole_at=NOW), Question.RECENT),
    ],
)
def test_a_service_is_asked_for_all_seldom_for_news_daily_and_rests_after_a_failure(
    inquiry: Inquiry | None, expected: Question | None
) -> None:
    assert question(inquiry, now=NOW, recheck=WEEK, changed_at=None) is expected


def test_what_is_about_to_be_fetched_is_asked_about_unless_the_answer_is_newer() -> None:
    def asked(changed_at: datetime, inquiry: Inquiry = FRESH) -> Question | None:
        return question(inquiry, now=NOW, recheck=WEEK, changed_at=changed_at)

    assert asked(NOW) is Question.WHOLE
    assert asked(NOW - HOUR) is None
    # Noted by a clock that was ahead: it would be newer than every answer.
    assert asked(NOW + DAY) is None
    assert asked(NOW, Inquiry(answered_at=NOW - HOUR, whole_at=NOW - HOUR, failed_at=NOW)) is None


def test_who_asks_for_everything_gets_it_but_not_from_a_service_at_rest() -> None:
    assert question(FRESH, now=NOW, recheck=WEEK, changed_at=None, full=True) is Question.WHOLE
    resting = Inquiry(failed_at=NOW - REST + HOUR)
    assert question(resting, now=NOW, recheck=WEEK, changed_at=None, full=True) is None


def test_a_checksum_is_believed_until_the_archive_sent_something_else() -> None:
    assert believable_checksum({}) is None
    assert believable_checksum({"keywords.checksum": "a"}) == "a"
    assert believable_checksum({"keywords.checksum": "a", "http.md5": "a"}) == "a"
    assert believable_checksum({"keywords.checksum": "a", "http.md5": "b"}) is None


@pytest.mark.parametrize(
    ("facts", "stated", "expected"),
    [
        ({"keywords.checksum": "old", "http.md5": "sent"}, "sent", True),
        ({"keywords.checksum": "old", "http.md5": "sent"}, "old", False),
        ({"keywords.checksum": "old", "http.md5": "sent"}, "other", False),
        ({"keywords.checksum": "sent", "http.md5": "sent"}, "sent", False),
        ({"keywords.checksum": "old"}, "new", False),
        ({}, None, False),
    ],
)
def test_a_service_has_caught_up_once_it_states_what_was_received(
    facts: dict[str, str], stated: str | None, expected: bool
) -> None:
    assert caught_up(facts, KeywordRow(uri="mast:x", checksum=stated)) is expected
