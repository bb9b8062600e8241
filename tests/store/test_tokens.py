"""How old a token is, without keeping it."""

from __future__ import annotations

from jwstwatch.store import tables
from jwstwatch.store.store import Store
from tests.store.desk import DAY, NOW, Desk

FIRST, SECOND = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def test_a_token_that_was_never_tried_has_no_age(store: Store) -> None:
    store.tokens.saw(FIRST, accepted=True, now=NOW)
    assert store.tokens.age(SECOND) is None


def test_a_token_keeps_the_day_it_was_first_seen_and_what_became_of_it_last(store: Store) -> None:
    store.tokens.saw(FIRST, accepted=True, now=NOW)
    age = store.tokens.saw(FIRST, accepted=True, now=NOW + 3 * DAY)
    assert (age.first_seen_at, age.accepted_at, age.rejected_at) == (NOW, NOW + 3 * DAY, None)
    store.tokens.saw(SECOND, accepted=False, now=NOW + 4 * DAY)
    age = store.tokens.saw(FIRST, accepted=False, now=NOW + 60 * DAY)
    assert (age.first_seen_at, age.accepted_at, age.rejected_at) == (NOW, NOW + 3 * DAY, NOW + 60 * DAY)
    assert store.tokens.age(FIRST) == age
    other = store.tokens.age(SECOND)
    assert other is not None
    assert (other.first_seen_at, other.accepted_at) == (NOW + 4 * DAY, None)


def test_the_token_itself_is_nowhere_and_its_digest_tells_nothing_across_states(desk: Desk) -> None:
    desk.store.tokens.saw(FIRST, accepted=True, now=NOW)
    desk.store.tokens.saw(SECOND, accepted=True, now=NOW)
    rows = desk.rows(tables.token)
    assert len(rows) == 2
    assert len({row.salt for row in rows}) == 2
    assert FIRST not in repr(rows)
    assert SECOND not in repr(rows)
