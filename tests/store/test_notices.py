"""What the people who run this should know, until it is over."""

from __future__ import annotations

from datetime import timedelta

from jwstwatch.store.notices import Notice
from jwstwatch.store.store import Store
from tests.store.desk import DAY, HOUR, NOW, PROFILE


def raised(store: Store, cause: str = "clock", *, hours: float = 0, text: str = "it is off") -> Notice:
    kind = cause.partition(" ")[0]
    return store.notices.raise_(cause, kind=kind, text=text, now=NOW + hours * HOUR, profile=None)


def test_what_holds_is_told_oldest_first_with_when_it_began_and_how_often_it_was_seen(store: Store) -> None:
    raised(store, "clock")
    store.notices.raise_(f"plan waits {PROFILE}", kind="plan", text="600 GB", now=NOW - DAY, profile=PROFILE)
    raised(store, "clock", hours=2, text="it is 9 min off")
    plan, clock = store.notices.holding()
    assert (plan.cause, plan.profile, plan.times) == (f"plan waits {PROFILE}", PROFILE, 1)
    assert (clock.text, clock.first_at, clock.last_at) == ("it is 9 min off", NOW, NOW + 2 * HOUR)
    assert (clock.times, clock.kind, clock.cleared_at) == (2, "clock", None)


def test_what_is_over_is_no_longer_told_and_begins_anew_if_it_comes_back(store: Store) -> None:
    raised(store)
    raised(store, hours=1)
    assert store.notices.clear("clock", now=NOW + 2 * HOUR)
    assert not store.notices.clear("clock", now=NOW + 3 * HOUR)
    assert not store.notices.clear("never heard of", now=NOW)
    assert store.notices.holding() == []
    again = raised(store, hours=4)
    assert (again.first_at, again.times, again.cleared_at) == (NOW + 4 * HOUR, 1, None)
    assert store.notices.holding() == [again]


def test_a_message_about_one_cause_is_sent_once_in_a_while(store: Store) -> None:
    pause = timedelta(hours=1)
    assert not store.notices.may_tell("clock", now=NOW, pause=pause)  # nobody raised it
    raised(store)
    raised(store, "archive down")
    assert store.notices.may_tell("clock", now=NOW, pause=pause)
    assert not store.notices.may_tell("clock", now=NOW + 0.9 * HOUR, pause=pause)
    assert store.notices.may_tell("archive down", now=NOW + 0.9 * HOUR, pause=pause)
    # Neither an end nor a new beginning makes it more often.
    store.notices.clear("clock", now=NOW + 0.95 * HOUR)
    raised(store, hours=0.95)
    assert not store.notices.may_tell("clock", now=NOW + 0.95 * HOUR, pause=pause)
    assert store.notices.may_tell("clock", now=NOW + HOUR, pause=pause)


def test_a_clock_that_was_set_back_silences_no_message(store: Store) -> None:
    raised(store)
    assert store.notices.may_tell("clock", now=NOW + 365 * DAY, pause=HOUR)
    assert store.notices.may_tell("clock", now=NOW, pause=HOUR)


def test_a_cause_that_is_too_long_for_its_column_is_one_cause_all_the_same(store: Store) -> None:
    cause = "hook " + "x" * 300
    raised(store, cause)
    raised(store, cause)
    (held,) = store.notices.holding()
    assert held.times == 2
    assert store.notices.may_tell(cause, now=NOW, pause=HOUR)
    assert store.notices.clear(cause, now=NOW)
    assert store.notices.holding() == []
