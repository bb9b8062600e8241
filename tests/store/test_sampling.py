"""Which files are asked for, how many were, and what became of the alarms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import FileState
from jwstwatch.core.sampling import ETAG, INTERVAL, LAST_MODIFIED, VALIDATORS
from jwstwatch.store import tables
from tests.store.desk import DAY, HOUR, OTHER, Desk, digest, file_names

WEEK = INTERVAL
NAMES = file_names(4, suffix="rate.jpg")
STATED = {ETAG: '"one"', LAST_MODIFIED: "Sun, 01 Mar 2026 10:00:00 GMT"}


def due(desk: Desk, *, validators: tuple[str, ...] = VALIDATORS, limit: int = 100) -> list[str]:
    found = desk.store.sampling.due(desk.profile, validators=validators, limit=limit, now=desk.now)
    return [candidate.name for candidate in found]


def set_product(desk: Desk, name: str, **values: Any) -> None:
    product = tables.product
    with desk.store.database.write() as connection:
        connection.execute(update(product).where(product.c.name == name).values(values))


@pytest.fixture
def fetched(desk: Desk) -> Desk:
    """Four files, fetched a week ago with strong validators."""
    desk.fetch(*NAMES)
    for name in NAMES:
        set_product(desk, name, facts=STATED)
    return desk.later(WEEK)


def test_present_files_are_asked_for_longest_not_asked_first_and_once_a_week(fetched: Desk) -> None:
    assert due(fetched) == NAMES
    set_product(fetched, NAMES[0], sampled_at=fetched.now - WEEK)
    set_product(fetched, NAMES[1], sampled_at=fetched.now - 2 * WEEK)
    set_product(fetched, NAMES[2], sampled_at=fetched.now - WEEK + HOUR)
    assert due(fetched) == [NAMES[3], NAMES[1], NAMES[0]]
    assert due(fetched, limit=2) == [NAMES[3], NAMES[1]]
    (first, *_) = fetched.store.sampling.due(fetched.profile, validators=VALIDATORS, limit=1, now=fetched.now)
    assert (first.product_id, first.uri, first.facts) == (
        fetched.product_id(NAMES[3]),
        f"mast:JWST/product/{NAMES[3]}",
        STATED,
    )


def test_what_has_just_come_is_left_alone(fetched: Desk) -> None:
    assert due(fetched.later(-HOUR)) == []


def test_a_time_that_lies_ahead_was_told_by_a_wrong_clock(fetched: Desk) -> None:
    set_product(fetched, NAMES[0], sampled_at=fetched.now + 400 * DAY)
    assert due(fetched) == [*NAMES[1:], NAMES[0]]
    assert fetched.store.sampling.asked(fetched.profile, now=fetched.now).count == 0


@pytest.mark.parametrize(
    "values",
    [
        {"state": FileState.STALE.value},
        {"state": FileState.GONE.value},
        {"revision": 0},
        {"declined": True},
        {"superseded": True},
        {"unselected": True},
    ],
)
def test_only_a_copy_of_the_present_revision_that_is_in_use_is_asked_for(
    fetched: Desk, values: Mapping[str, Any]
) -> None:
    fetched.set_file([fetched.file_id(f"01345/{NAMES[0]}")], **values)
    assert due(fetched) == NAMES[1:]


@pytest.mark.parametrize(
    "facts",
    [
        None,
        {},
        {"s3.etag": '"one"'},
        {ETAG: 'W/"one"'},
        {"keywords.cal_ver": f'"{ETAG}": "x'},
        STATED | {"keywords.checksum": "0" * 32, "http.md5": "0" * 32},
    ],
)
def test_files_of_which_nothing_is_stated_or_whose_checksum_was_met_are_not_asked_for(
    fetched: Desk, facts: Mapping[str, str] | None
) -> None:
    set_product(fetched, NAMES[0], facts=facts)
    assert due(fetched) == NAMES[1:]


@pytest.mark.parametrize("md5", [{}, {"http.md5": "1" * 32}])
def test_a_checksum_that_the_copy_has_not_proved_to_have_does_not_cover_it(
    fetched: Desk, md5: Mapping[str, str]
) -> None:
    set_product(fetched, NAMES[0], facts=STATED | {"keywords.checksum": "0" * 32} | md5)
    assert due(fetched) == NAMES


def test_only_validators_that_are_believed_make_a_file_due(fetched: Desk) -> None:
    set_product(fetched, NAMES[0], facts={LAST_MODIFIED: STATED[LAST_MODIFIED]})
    assert due(fetched, validators=(LAST_MODIFIED,)) == NAMES
    assert due(fetched, validators=(ETAG,)) == NAMES[1:]
    assert due(fetched, validators=()) == []


def test_of_very_many_that_were_never_asked_for_those_of_one_block_are_looked_at(
    fetched: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwstwatch.store.sampling._BLOCK", 2)
    set_product(fetched, NAMES[0], sampled_at=fetched.now - WEEK)
    for name in NAMES[1:]:
        block = fetched.product_id(name) // 2
        at = fetched.now.replace(microsecond=block)
        found = fetched.store.sampling.due(fetched.profile, validators=VALIDATORS, limit=9, now=at)
        alike = [other for other in NAMES[1:] if fetched.product_id(other) // 2 == block]
        assert [candidate.name for candidate in found] == [*alike, NAMES[0]]


def test_what_was_asked_within_a_day_is_counted_for_the_profile_that_wants_it(fetched: Desk) -> None:
    sampling, now = fetched.store.sampling, fetched.now
    assert sampling.asked(fetched.profile, now=now).count == 0
    sampling.note_asked([fetched.product_id(NAMES[0])], now=now - DAY - HOUR)
    sampling.note_asked([fetched.product_id(name) for name in NAMES[1:3]], now=now - HOUR)
    asked = sampling.asked(fetched.profile, now=now)
    assert (asked.count, asked.last) == (2, now - HOUR)
    assert sampling.asked(OTHER, now=now).count == 0
    assert due(fetched.of(OTHER)) == []


def test_a_profile_that_never_asked_reckons_from_its_beginning(fetched: Desk) -> None:
    assert fetched.store.sampling.asked(fetched.profile, now=fetched.now).last is None
    memory = ProfileMemory(query_digest="", floor=None, rechecked_at=None, completed_at=None)
    fetched.store.runs.remember(fetched.profile, memory, now=fetched.now)
    later = fetched.later(HOUR)
    later.store.runs.remember(later.profile, memory, now=later.now)
    assert later.store.sampling.asked(later.profile, now=later.now).last == fetched.now


def revise(desk: Desk, name: str, facts: Mapping[str, str], *, content: str | None) -> Desk:
    """In the next run, let the archive state other facts, and fetch what it has then (None: not yet)."""
    desk = desk.next_run()
    product_id = desk.product_id(name)
    assert desk.store.revisions.record_facts(desk.run.id, {product_id: facts}, now=desk.now) == [product_id]
    if content is not None:
        desk.place(*(claim for claim in desk.claim() if claim.name == name), content=content)
    return desk.later(HOUR)


def test_an_alarm_is_false_where_the_same_content_came_again(fetched: Desk) -> None:
    etag = {ETAG: '"two"'}
    desk = revise(fetched, NAMES[0], etag, content="content")
    desk = revise(desk, NAMES[1], etag, content="another content")
    revise(desk, NAMES[2], etag | {LAST_MODIFIED: "later"}, content=None)
    alarms = fetched.store.sampling.alarms(since=fetched.now)
    assert [(set(alarm.validators), alarm.false) for alarm in alarms] == [
        ({ETAG, LAST_MODIFIED}, None),
        ({ETAG}, False),
        ({ETAG}, True),
    ]
    assert alarms[2].at == fetched.now
    assert fetched.file(NAMES[0]).sha256 == digest("content")
    assert len(fetched.store.sampling.alarms(since=fetched.now + timedelta(minutes=1))) == 2


def test_a_later_revision_does_not_hide_what_an_alarm_came_to(fetched: Desk) -> None:
    desk = revise(fetched, NAMES[0], {ETAG: '"two"'}, content="content")
    desk = revise(desk, NAMES[0], {ETAG: '"three"'}, content="another content")
    revise(desk, NAMES[0], {ETAG: '"four"'}, content=None)
    alarms = fetched.store.sampling.alarms(since=fetched.now)
    assert [alarm.false for alarm in alarms] == [None, False, True]


def test_what_other_services_told_of_is_no_alarm(fetched: Desk) -> None:
    set_product(fetched, NAMES[0], facts=STATED | {"keywords.date": "2026-01-01"})
    revise(fetched, NAMES[0], {"keywords.date": "2026-02-01"}, content="content")
    assert fetched.store.sampling.alarms(since=fetched.now) == []
