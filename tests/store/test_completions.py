"""Which observations a run completed: everything the profile wants of them is there since."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from jwstwatch.store.completions import CompletedRow, Completions
from tests.store.desk import DAY, OTHER, PROFILE, Desk, file_names, observation, row

FIRST, SECOND = "jw01345-o001_t001_nircam_clear-f200w", "jw01345-o002_t001_nircam_clear-f200w"
NAMES = file_names(4)


def completed(desk: Desk) -> list[CompletedRow]:
    return Completions(desk.store.database).of_run(desk.run.id, desk.profile)


def complete_ids(desk: Desk) -> list[str]:
    return [entry.obs_id for entry in completed(desk)]


def test_an_observation_is_complete_once_its_last_file_is_there(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(*NAMES[:3])
    claims = {claim.name: claim for claim in desk.claim()}

    desk.place(claims[NAMES[0]], claims[NAMES[1]])
    assert completed(desk) == []

    desk.place(claims[NAMES[2]])
    assert completed(desk) == [CompletedRow(obs_id=FIRST, proposal=1345, obsnum=1, files=3)]


def test_only_the_run_that_put_something_in_place_completed_it(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(*NAMES[:2])

    assert complete_ids(desk) == [FIRST]
    assert complete_ids(desk.next_run()) == []


def test_what_came_in_earlier_runs_counts_towards_it(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(*NAMES[:2])
    claims = {claim.name: claim for claim in desk.claim()}
    desk.place(claims[NAMES[0]])
    assert completed(desk) == []

    later = desk.next_run()
    later.place(*[claim for claim in later.claim() if claim.name == NAMES[1]])

    assert [entry.files for entry in completed(later)] == [2]


def test_an_observation_is_complete_anew_when_a_file_of_it_was_replaced(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(*NAMES[:2])
    later = desk.next_run()
    later.list(row(NAMES[0], size=2000))
    assert complete_ids(later) == []

    later.place(*later.claim())

    assert complete_ids(later) == [FIRST]


def test_a_product_of_two_observations_completes_only_the_one_that_lacks_nothing(desk: Desk) -> None:
    desk.observe(observation(1), observation(2))
    desk.list(row(NAMES[0], parent=1001), row(NAMES[0], parent=1002), row(NAMES[1], parent=1002))
    desk.want(*NAMES[:2])
    claims = {claim.name: claim for claim in desk.claim()}
    # The desk lists what it wants under the first observation too; the second file is to be the second's.
    desk.place(claims[NAMES[0]])
    assert complete_ids(desk) == []

    desk.place(claims[NAMES[1]])
    assert complete_ids(desk) == [FIRST, SECOND]


def test_several_rows_of_one_product_are_one_file(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.list(row(NAMES[0], obsid=5000), row(NAMES[0], obsid=5001), row(NAMES[0], obsid=5002))
    desk.fetch(NAMES[0])

    assert [entry.files for entry in completed(desk)] == [1]


@pytest.mark.parametrize(
    "aside",
    [{"declined": True}, {"superseded": True}, {"state": "gone"}],
    ids=["dropped", "superseded", "gone"],
)
def test_nobody_waits_for_what_does_not_come(desk: Desk, aside: dict[str, object]) -> None:
    desk.observe(observation(1))
    ids = desk.want(*NAMES[:2])
    desk.set_file([ids[NAMES[1]]], **aside)
    desk.place(*[claim for claim in desk.claim() if claim.name == NAMES[0]])

    assert [entry.files for entry in completed(desk)] == [1]


@pytest.mark.parametrize("state", ["wanted", "stale", "withheld", "failed"])
def test_anything_else_that_is_not_present_is_waited_for(desk: Desk, state: str) -> None:
    desk.observe(observation(1))
    ids = desk.want(*NAMES[:2])
    desk.place(*[claim for claim in desk.claim() if claim.name == NAMES[0]])
    desk.set_file([ids[NAMES[1]]], state=state)

    assert completed(desk) == []


def test_only_what_this_profile_found_and_wants_counts(desk: Desk) -> None:
    desk.observe(observation(1))
    other = desk.of(OTHER)
    other.observe(observation(2))
    other.want(NAMES[1], folder="elsewhere")
    desk.fetch(NAMES[0])

    assert [(entry.obs_id, entry.files) for entry in completed(desk)] == [(FIRST, 1)]
    assert completed(other) == []


def test_an_observation_number_that_differs_between_the_files_is_none(desk: Desk) -> None:
    two = ["jw01345001001_02101_00001_nrca1_rate.fits", "jw01345002001_02101_00001_nrca1_rate.fits"]
    desk.observe(observation(1))
    desk.fetch(*two)

    assert [entry.obsnum for entry in completed(desk)] == [None]


def test_what_was_there_already_and_is_taken_over_is_no_completion(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(NAMES[0])
    (claim,) = desk.claim()
    intent = desk.intend(claim)
    desk.store.transfers.record_placed(desk.run.id, [(intent, 1)], now=desk.now, how="adopted")

    assert completed(desk) == []


def test_what_a_killed_run_had_placed_and_this_one_settles_counts(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(NAMES[0])
    (claim,) = desk.claim()
    intent = desk.intend(claim)
    later = desk.next_run()
    later.store.transfers.record_placed(later.run.id, [(intent, 1)], now=later.now, how="settled")

    assert complete_ids(later) == [FIRST]


def test_a_long_history_hides_nothing_and_is_not_read_through(desk: Desk) -> None:
    names = file_names(30)
    desk.observe(observation(1))
    desk.fetch(*names[:20])
    later = desk.later(DAY).next_run()
    later.fetch(*names[20:28])
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(desk.store.database.engine, "before_cursor_execute", count)
    try:
        assert [entry.files for entry in completed(later)] == [28]
        last = later.later(DAY).next_run()
        statements = 0
        assert completed(last) == []
    finally:
        event.remove(desk.store.database.engine, "before_cursor_execute", count)
    assert statements < 5, "a run that placed nothing looks at its own events alone"


def test_a_run_that_is_not_there_completed_nothing(desk: Desk) -> None:
    assert Completions(desk.store.database).of_run(12345, PROFILE) == []
